"""Using an installer: is it valid, has it uses left, who used it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import or_, select, update
from tremplin_agent.wire import WireError, b64decode

from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.installers.models import Installer, InstallerUse


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tried to enrol; overrides hold no secret."""

    hostname: str
    fingerprint: str
    public_ip: str
    overrides: Mapping[str, Any] = field(default_factory=dict)


def hash_secret(secret: bytes) -> str:
    """Return what is stored of a secret: 128 random bits need no slow hash."""
    return hashlib.sha256(secret).hexdigest()


def find(work: Work, installer_id: str) -> Installer | None:
    """Return the installer that key info names by its 32 hexadecimal characters."""
    return work.session.scalar(select(Installer).where(Installer.installer_id == installer_id))


def has_secret(installer: Installer, secret: str) -> bool:
    """Return whether `secret` (base64, as key info has it) is the installer's."""
    try:
        given = hash_secret(b64decode(secret))
    except WireError:
        return False
    return hmac.compare_digest(given, installer.secret_hash)


def require_valid(
    work: Work, installer: Installer, secret: str, *, installed_at: object = None
) -> None:
    """Raise TremplinError unless the installer may be used now with this secret.

    installed_at: when the host says that it was installed, seconds since the epoch; a
    host that was installed in time but starts too late is told `enrol.window_closed`,
    everybody else `install.key_expired`. Also install.key_unknown (a wrong secret and a
    revoked installer look the same from outside) and install.key_exhausted.
    """
    if not has_secret(installer, secret) or installer.revoked_at is not None:
        raise TremplinError("install.key_unknown")
    if work.now() >= installer.expires_at:
        in_time = (
            isinstance(installed_at, (int, float))
            and not isinstance(installed_at, bool)
            and installed_at < installer.expires_at.timestamp()
        )
        raise TremplinError("enrol.window_closed" if in_time else "install.key_expired")
    if installer.max_uses is not None and installer.uses >= installer.max_uses:
        raise TremplinError("install.key_exhausted")


def count(work: Work, installer: Installer) -> None:
    """Count one use; TremplinError (install.key_exhausted) when none is left.

    The condition and the counting are one statement, so that of two enrolments at once
    only one gets the last use.
    """
    left = or_(Installer.max_uses.is_(None), Installer.uses < Installer.max_uses)
    counted = work.session.execute(
        update(Installer)
        .where(Installer.id == installer.id, Installer.revoked_at.is_(None), left)
        .values(uses=Installer.uses + 1)
        .returning(Installer.uses)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if counted is None:
        raise TremplinError("install.key_exhausted")
    work.session.refresh(installer, ["uses"])


def record(
    work: Work, installer_id: int, attempt: Attempt, *, client_id: int | None = None, code: str = ""
) -> None:
    """Add to the history: an enrolment that was made, or refused with `code`."""
    work.session.add(
        InstallerUse(
            installer_id=installer_id,
            at=work.now(),
            code=code,
            client_id=client_id,
            hostname=attempt.hostname,
            fingerprint=attempt.fingerprint,
            public_ip=attempt.public_ip,
            overrides=dict(attempt.overrides),
        )
    )
