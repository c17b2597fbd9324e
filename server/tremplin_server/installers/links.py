"""A link that gives an installer's download to people who have no account here.

The link follows from the installer and the site's secret_key, so that nothing of it is kept.
It ends with the installer: expired, revoked or deleted, it leads nowhere. Who has the link
can enrol hosts, as who has the installer itself; it is not logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from sqlalchemy import select

from tremplin_server import sealing
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.groups import service as groups
from tremplin_server.installers import service
from tremplin_server.installers.models import Installer
from tremplin_server.permissions import ItemPermission, Permission

PREFIX = "/install/"
_PURPOSE = "tremplin installer link v1"
_BYTES = 18


def path(work: Work, installer: Installer) -> str:
    """Return the path of an installer's link; needs what its download needs."""
    work.actor.require(Permission.INSTALLERS_WRITE)
    groups.require_item(work, installer, ItemPermission.ADD)
    token = _token(work.config, installer.installer_id)
    return f"{PREFIX}{installer.installer_id}/{token}"


def follow(work: Work, installer_id: str, token: str) -> Installer:
    """Return the installer of a link; NotFound when it is not one of this site's."""
    # Compared even where there is no such installer, so that the answer tells nothing.
    right = hmac.compare_digest(_token(work.config, installer_id).encode(), token.encode())
    found = work.session.scalar(select(Installer).where(Installer.installer_id == installer_id))
    if found is None or not right:
        raise NotFound("request.not_found", what="installer", id=installer_id)
    return found


def download(work: Work, installer_id: str, token: str) -> service.Download:
    """Return the payload of a link's installer; see `service.download` for the errors."""
    installer = follow(work, installer_id, token)
    return service.download(work, installer.installer_id, installer.platform)


def _token(config: Config, installer_id: str) -> str:
    key = sealing.derived(config, _PURPOSE)
    digest = hmac.new(key, installer_id.encode(), hashlib.sha256).digest()[:_BYTES]
    return base64.urlsafe_b64encode(digest).decode()
