"""Jump Clients as Jump Items of the console's list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy.orm import defer
from tremplin_agent import __version__

from tremplin_server.accounts.models import User
from tremplin_server.clients import service as clients
from tremplin_server.clients.lifecycle import State, is_lost, is_outdated
from tremplin_server.clients.models import ClientSearch, JumpClient
from tremplin_server.db import Work
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.groups.pages import parse
from tremplin_server.i18n import gettext as _
from tremplin_server.jump_items import moments
from tremplin_server.jump_items.sources import Item
from tremplin_server.jump_items.view import FIELDS, View, state_words
from tremplin_server.permissions import Permission

_TEXTS = (
    "name",
    "hostname",
    "tag",
    "comments",
    "console_user",
    "operating_system",
    "private_ip",
    "public_ip",
)
_GONE = (State.UNINSTALLED, State.REMOVING, State.PENDING)


class ClientSource:
    """The source of the Jump Clients."""

    method = "client"

    def keys(self, work: Work, view: View) -> Select[Any] | None:
        """Return the query of the clients of a view."""
        if view.method not in ("", self.method):
            return None
        columns = literal(self.method).label("method"), JumpClient.id, _sort(view).label("sort")
        query = _seen(work, select(*columns))
        if view.sort.endswith("group"):
            query = query.outerjoin(JumpGroup, JumpGroup.id == JumpClient.shared_group_id)
            query = query.outerjoin(User, User.id == JumpClient.owner_user_id)
        group = parse(view.group)
        if group:
            query = query.where(_of_group(group))
        if view.tag:
            query = query.where(JumpClient.tag == view.tag)
        if view.state:
            query = query.where(_in_state(work, view.state))
        if view.phrase:
            query = query.where(JumpClient.id.in_(found(work, view)))
        return query

    def items(self, work: Work, ids: Sequence[int]) -> list[Item]:
        """Return the clients with these ids as items."""
        query = _seen(work, select(JumpClient)).where(JumpClient.id.in_(ids))
        query = query.options(defer(JumpClient.statistics))
        return [item(work, client) for client in work.session.scalars(query)]

    def groups(self, work: Work) -> Select[Any]:
        """Return how many clients each owner has."""
        owner = JumpClient.shared_group_id, JumpClient.owner_user_id
        return _seen(work, select(*owner, func.count())).group_by(*owner)

    def tags(self, work: Work, group: tuple[str, int]) -> Select[Any]:
        """Return how many clients of a group have each tag."""
        query = _seen(work, select(JumpClient.tag, func.count())).where(_of_group(group))
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
        outdated=is_outdated(state, client.agent_version, __version__),
        agent_version=client.agent_version,
        last_access=client.last_access,
        last_seen=client.last_seen,
        **{name: getattr(client, name) for name in _TEXTS},
    )


def _seen(work: Work, query: Any) -> Select[Any]:
    work.actor.require(Permission.CLIENTS_READ)
    seen: Select[Any] = groups.visible(work, query, JumpClient)
    return seen


def _of_group(group: tuple[str, int]) -> ColumnElement[bool]:
    kind, number = group
    if kind == "personal":
        return JumpClient.owner_user_id == number
    return JumpClient.shared_group_id == number


def _sort(view: View) -> ColumnElement[Any]:
    name = view.sort.removeprefix("-")
    if name == "group":
        return func.coalesce(JumpGroup.name, User.public_display_name)
    column: ColumnElement[Any] = getattr(JumpClient, name)
    return column


def _in_state(work: Work, state: str) -> ColumnElement[bool]:
    long_ago = work.now() - timedelta(days=work.config.lost_days)
    lost = and_(JumpClient.state == State.OFFLINE.value, JumpClient.last_seen < long_ago)
    if state == "lost":
        return lost
    if state == "offline":
        return and_(JumpClient.state == state, JumpClient.last_seen >= long_ago)
    if state == "outdated":
        return and_(
            JumpClient.agent_version.not_in(("", __version__)),
            JumpClient.state.not_in([gone.value for gone in _GONE]),
        )
    return JumpClient.state == state


# --- searching ------------------------------------------------------------------------


def found(work: Work, view: View) -> Select[Any] | CompoundSelect[Any]:
    """Return the query of the ids of the clients that a view's phrase is found in.

    Each part reads one index or the narrow table of texts, never all the records.
    """
    fields = view.fields or FIELDS
    parts = [_by_text(view)]
    if "group" in fields:
        parts.append(_by_group(work, view.phrase))
    states = state_words(view.phrase) if "state" in fields else []
    if states:
        wanted = or_(*(_in_state(work, state) for state in states))
        parts.append(select(JumpClient.id).where(wanted))
    span = moments.span(view.phrase) if "last_access" in fields else None
    if span:
        in_time = JumpClient.last_access.between(*span)
        parts.append(select(JumpClient.id).where(in_time))
    if "method" in fields and view.phrase.lower() in _("Jump Client").lower():
        parts.append(select(JumpClient.id))
    known = [part for part in parts if part is not None]
    if not known:
        return select(JumpClient.id).where(literal(1) == 0)
    return known[0] if len(known) == 1 else union(*known)


def _by_text(view: View) -> Select[Any] | None:
    names = [name for name in view.fields if name in _TEXTS]
    if view.fields and not names:
        return None
    small = view.phrase.lower()
    columns = [getattr(ClientSearch, name) for name in names or ("text",)]
    matching = (column.contains(small, autoescape=True) for column in columns)
    return select(ClientSearch.client_id).where(or_(*matching))


def _by_group(work: Work, phrase: str) -> Select[Any] | None:
    """Return the query of the clients of groups with such a name, which are looked up first:
    a query that compares with another query's rows reads every client."""
    shared = work.session.scalars(select(JumpGroup.id).where(_like(JumpGroup.name, phrase))).all()
    named = select(User.id).where(_like(User.public_display_name, phrase))
    users = work.session.scalars(named).all()
    if not shared and not users:
        return None
    return select(JumpClient.id).where(
        or_(JumpClient.shared_group_id.in_(shared), JumpClient.owner_user_id.in_(users))
    )


def _like(column: Any, phrase: str) -> ColumnElement[bool]:
    return func.lower(column).contains(phrase.lower(), autoescape=True)
