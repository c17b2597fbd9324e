"""Jump Clients as Jump Items of the console's list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select

from tremplin_server.clients import service as clients
from tremplin_server.clients import versions
from tremplin_server.clients.lifecycle import State, is_lost, is_outdated
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.groups.service import Owner
from tremplin_server.jump_items import client_query
from tremplin_server.jump_items.sources import Item
from tremplin_server.jump_items.view import View


class ClientSource:
    """The source of the Jump Clients."""

    method = client_query.METHOD

    def keys(self, work: Work, view: View) -> Select[Any] | None:
        """Return the query of the clients of a view."""
        return client_query.keys(work, view)

    def is_searched(self, view: View) -> bool:
        """Whether the phrase of a view leaves clients out."""
        return client_query.is_searched(view)

    def items(self, work: Work, ids: Sequence[int]) -> list[Item]:
        """Return the clients with these ids as items."""
        # Columns, not records: making a hundred records takes as long as finding them.
        query = client_query.seen(work, select(*_COLUMNS)).where(JumpClient.id.in_(ids))
        version = versions.wanted(work)
        return [_item(work, row, version(row)) for row in work.session.execute(query)]

    def groups(self, work: Work) -> Select[Any]:
        """Return how many clients each owner has."""
        return client_query.by_owner(work)

    def tags(self, work: Work, group: tuple[str, int]) -> Select[Any]:
        """Return how many clients of a group have each tag."""
        query = client_query.seen(work, select(JumpClient.tag, func.count())).where(
            client_query.of_group(group)
        )
        return query.where(JumpClient.tag != "").group_by(JumpClient.tag)

    def delete(self, work: Work, number: int, reason: str) -> None:
        """Delete a client; its host removes the agent."""
        clients.delete(work, number, reason)


_SHOWN = (*client_query.TEXTS, "agent_version", "last_access", "last_seen")
_OWNER = ("shared_group_id", "owner_user_id")
_COLUMNS = [
    getattr(JumpClient, name)
    for name in ("id", "state", "platform", "update_version", *_OWNER, *_SHOWN)
]


def _item(work: Work, row: Row[Any], version: str) -> Item:
    state = State(row.state)
    lost = is_lost(state, row.last_seen, work.now(), work.config.lost_days)
    return Item(
        client_query.METHOD,
        row.id,
        Owner(row.shared_group_id, row.owner_user_id, ""),
        state="lost" if lost else state.value,
        outdated=is_outdated(state, row.agent_version, version),
        **{name: getattr(row, name) for name in _SHOWN},
    )
