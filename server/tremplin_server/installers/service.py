"""Installers."""

from __future__ import annotations

from sqlalchemy import update

from tremplin_server.db import Work
from tremplin_server.installers.models import Installer


def wipe_expired(work: Work) -> None:
    """Forget the sealed secrets of installers that can no longer be used."""
    work.session.execute(
        update(Installer)
        .where(Installer.sealed_secret.is_not(None), Installer.expires_at <= work.now())
        .values(sealed_secret=None)
        .execution_options(synchronize_session=False)
    )
