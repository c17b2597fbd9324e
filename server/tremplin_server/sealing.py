"""Keeping a secret in the database so that only the site's secret_key makes it readable.

AES-256-GCM under a key derived from `secret_key` for one purpose; whose secret it is is
authenticated with it, so that a sealed secret cannot be moved to another row. A copy of the
database alone gives nothing away. See decision 0020.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tremplin_server.config import Config
from tremplin_server.errors import TremplinError

_NONCE_BYTES = 12


class Unreadable(Exception):
    """The secret was sealed with another secret_key, or for another row."""


def seal(config: Config, purpose: str, owner: str, secret: bytes) -> bytes:
    """Return `secret` sealed for `owner`; TremplinError without a secret_key."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(derived(config, purpose)).encrypt(nonce, secret, owner.encode())


def unseal(config: Config, purpose: str, owner: str, sealed: bytes) -> bytes:
    """Return the secret that was sealed for `owner` with the same purpose, or Unreadable."""
    nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(derived(config, purpose)).decrypt(nonce, body, owner.encode())
    except InvalidTag as error:
        raise Unreadable from error


def derived(config: Config, purpose: str) -> bytes:
    """Return the 256-bit key of one purpose; TremplinError without a secret_key."""
    if not config.secret_key:
        raise TremplinError("config.invalid", detail="secret_key is not set")
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(
        config.secret_key.encode()
    )
