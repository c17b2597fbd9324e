"""The customer's client: the same payload that installs Jump Clients, stamped with a key."""

from __future__ import annotations

from sqlalchemy import select
from tremplin_agent.wire import WireError

from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.installers import payload as payloads
from tremplin_server.installers.service import Download
from tremplin_server.support import keys, service
from tremplin_server.support.models import SupportSession, SupportState

RUNNABLE = ("linux-64", "linux-arm64")
"""Platforms whose payload runs without being installed."""


def require(work: Work, key: str) -> SupportSession:
    """Return the session that a customer may come into with a key.

    Raises NotFound (support.key_unknown) for one that is none, is used up, or whose time is
    over.
    """
    try:
        hashed = keys.hash_of(work.config, key)
    except WireError as error:
        raise NotFound("support.key_unknown") from error
    found = select(SupportSession).where(SupportSession.key_hash == hashed)
    session = work.session.scalar(found)
    if session is None or session.state != SupportState.OPEN or session.expires_at <= work.now():
        raise NotFound("support.key_unknown")
    return session


def platforms(work: Work) -> list[str]:
    """Return the platforms that the server has a client for."""
    return [one.platform for one in payloads.payloads(work.config) if one.platform in RUNNABLE]


def filename(platform: str) -> str:
    """Return what a client's file is called."""
    return f"tremplin-support-{platform}.bin"


def download(work: Work, key: str, platform: str) -> Download:
    """Return a platform's payload, stamped with this site and the key.

    Raises NotFound (support.key_unknown, request.not_found), Unavailable
    (installer.payload_missing).
    """
    session = require(work, key)
    if platform not in RUNNABLE:
        raise NotFound("request.not_found", what="platform", id=platform[:32])
    source = payloads.payload(work.config, platform)
    service.tell(work, session, "support.downloaded", platform=platform)
    chunks = payloads.stamped(source, keys.stamped_key(work.config, key))
    return Download(filename(platform), source.size, chunks)
