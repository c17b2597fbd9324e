"""Which version an agent should have: its host's own, the site's, or what the server carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, case
from tremplin_agent import __version__

from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.installers import payload as payloads

_KEPT = "versions of the payloads"


def _site(work: Work) -> tuple[dict[str, str], str]:
    """Return the site's version for each platform, and for one without a payload.

    The payloads' files are looked at once in a unit of work: it may ask for every client.
    """
    if work.config.update_mode == "this_version":
        return {}, work.config.update_version
    kept: dict[str, str] | None = work.session.info.get(_KEPT)
    if kept is None:
        kept = {one.platform: one.version for one in payloads.payloads(work.config)}
        work.session.info[_KEPT] = kept
    return kept, __version__


def expected(work: Work, client: Any) -> str:
    """Return the version that an agent should have.

    client: a record, or a row with its `platform` and `update_version`.
    """
    return wanted(work)(client)


def wanted(work: Work) -> Callable[[Any], str]:
    """Return what gives the version that an agent should have, for who asks for many."""
    by_platform, other = _site(work)

    def of(client: Any) -> str:
        return str(client.update_version or by_platform.get(client.platform, other))

    return of


def differs(work: Work) -> ColumnElement[bool]:
    """Return the condition that an agent has told its version, and that it is another one."""
    by_platform, other = _site(work)
    own = (JumpClient.update_version != "", JumpClient.update_version)
    carried = [(JumpClient.platform == name, version) for name, version in by_platform.items()]
    wanted: Any = case(own, *carried, else_=other)
    return and_(JumpClient.agent_version != "", JumpClient.agent_version != wanted)
