"""Who this agent is: its Ed25519 key, and the fingerprint of the machine it runs on."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

_FINGERPRINT_LABEL = "tremplin fingerprint v1"


class Identity:
    """A private key. The key itself never leaves this object except through `raw`."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.public_key = private_key.public_key().public_bytes_raw()
        """32 bytes."""

    @classmethod
    def generate(cls) -> Identity:
        """Return a new identity."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_raw(cls, raw: bytes) -> Identity:
        """Return the identity of a stored key; ValueError unless it has 32 bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(raw))

    def raw(self) -> bytes:
        """Return the 32 bytes to store."""
        return self._private_key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, 64 bytes."""
        return self._private_key.sign(message)


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether `signature` is that of `message` by the owner of `public_key`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(machine_id: str, hardware: str) -> str:
    """Return 64 hexadecimal characters that stay with the machine.

    machine_id: text of /etc/machine-id, or empty. hardware: what identifies the board
    (the hash of the DMI product UUID), or empty where it cannot be known. Network cards
    take no part: a new one is no new machine.
    """
    parts = (_FINGERPRINT_LABEL, machine_id.strip().lower(), hardware.strip().lower())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
