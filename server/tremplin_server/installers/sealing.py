"""Keeping an installer's secret for its downloads. See `tremplin_server.sealing`."""

from __future__ import annotations

from tremplin_server import sealing
from tremplin_server.config import Config
from tremplin_server.errors import Conflict

_PURPOSE = "tremplin installer secret v1"


def seal(config: Config, installer_id: str, secret: bytes) -> bytes:
    """Return `secret` sealed for the installer; TremplinError without a secret_key."""
    return sealing.seal(config, _PURPOSE, installer_id, secret)


def unseal(config: Config, installer_id: str, sealed: bytes) -> bytes:
    """Return the secret; Conflict (installer.secret_lost) if it was sealed by another key."""
    try:
        return sealing.unseal(config, _PURPOSE, installer_id, sealed)
    except sealing.Unreadable as error:
        raise Conflict("installer.secret_lost") from error
