"""Jump Clients as Jump Items of the console's list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import defer

from tremplin_server.clients import service as clients
from tremplin_server.clients import versions
from tremplin_server.clients.lifecycle import State, is_lost, is_outdated
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
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
        query = client_query.seen(work, select(JumpClient)).where(JumpClient.id.in_(ids))
        query = query.options(defer(JumpClient.statistics))
        return [item(work, client) for client in work.session.scalars(query)]

    def groups(self, work: Work) -> Select[Any]:
        """Return how many clients each owner has."""
        owner = JumpClient.shared_group_id, JumpClient.owner_user_id
        return client_query.seen(work, select(*owner, func.count())).group_by(*owner)

    def tags(self, work: Work, group: tuple[str, int]) -> Select[Any]:
        """Return how many clients of a group have each tag."""
        query = client_query.seen(work, select(JumpClient.tag, func.count())).where(
            client_query.of_group(group)
        )
        return query.where(JumpClient.tag != "").group_by(JumpClient.tag)

    def delete(self, work: Work, number: int, reason: str) -> None:
        """Delete a client; its host removes the agent."""
        clients.delete(work, number, reason)


def item(work: Work, client: JumpClient) -> Item:
    """Return a client as an item of the list."""
    state = State(client.state)
    lost = is_lost(state, client.last_seen, work.now(), work.config.lost_days)
    return Item(
        "client",
        client.id,
        client,
        state="lost" if lost else state.value,
        outdated=is_outdated(state, client.agent_version, versions.expected(work.config, client)),
        agent_version=client.agent_version,
        last_access=client.last_access,
        last_seen=client.last_seen,
        **{name: getattr(client, name) for name in client_query.TEXTS},
    )
