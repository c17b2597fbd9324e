"""Keeping an installer's secret for its downloads, readable only with the site's secret key.

AES-256-GCM under a key derived from `secret_key`; the installer's id is authenticated with
it, so that a sealed secret cannot be moved to another row. A copy of the database alone
gives nothing away. See decision 0020.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tremplin_server.config import Config
from tremplin_server.errors import Conflict, TremplinError

_NONCE_BYTES = 12
_PURPOSE = b"tremplin installer secret v1"


def seal(config: Config, installer_id: str, secret: bytes) -> bytes:
    """Return `secret` sealed for the installer; TremplinError without a secret_key."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(config)).encrypt(nonce, secret, installer_id.encode())


def unseal(config: Config, installer_id: str, sealed: bytes) -> bytes:
    """Return the secret; Conflict (installer.secret_lost) if it was sealed by another key."""
    nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(_key(config)).decrypt(nonce, body, installer_id.encode())
    except InvalidTag as error:
        raise Conflict("installer.secret_lost") from error


def _key(config: Config) -> bytes:
    if not config.secret_key:
        raise TremplinError("config.invalid", detail="secret_key is not set")
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(
        config.secret_key.encode()
    )
