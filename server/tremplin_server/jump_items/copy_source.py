"""Copies of Jump Clients as Jump Items of the console's list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, literal, null, or_, select

from tremplin_server.accounts.models import User
from tremplin_server.clients import copies, versions
from tremplin_server.clients.lifecycle import State, is_lost, is_outdated
from tremplin_server.clients.models import ClientCopy, ClientSearch, JumpClient
from tremplin_server.db import Work
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.groups.pages import parse
from tremplin_server.groups.service import Owner
from tremplin_server.i18n import gettext as _
from tremplin_server.jump_items import client_query
from tremplin_server.jump_items.sources import Item, is_empty
from tremplin_server.jump_items.view import FIELDS, View, state_words
from tremplin_server.permissions import Permission

_OWN = ("name", "tag", "comments")
_OF_THE_HOST = (
    "hostname",
    "operating_system",
    "private_ip",
    "public_ip",
    "console_user",
    "agent_version",
    "last_access",
    "last_seen",
)


class CopySource:
    """The source of the copies; most sites have none, and then it costs one look."""

    method = "copy"

    def keys(self, work: Work, view: View) -> Select[Any] | None:
        """Return the query of the copies of a view; None without any."""
        if view.method not in ("", self.method):
            return None
        if is_empty(work, self.method, _seen(work, select(ClientCopy.id))):
            return None
        query = _joined(work, literal(self.method).label("method"), ClientCopy.id, _sort(view))
        query = query.outerjoin(JumpGroup, JumpGroup.id == ClientCopy.shared_group_id)
        query = query.outerjoin(User, User.id == ClientCopy.owner_user_id)
        group = parse(view.group)
        if group:
            query = query.where(_of_group(group))
        if view.tag:
            query = query.where(ClientCopy.tag == view.tag)
        if view.state:
            query = query.where(client_query.in_state(work, view.state))
        if not view.phrase:
            return query
        # What is searched of the host is there in small letters: a database that looked at
        # the hosts first would make small letters of every one of them.
        searched = query.join(ClientSearch, ClientSearch.client_id == ClientCopy.client_id)
        return searched.where(_matching(work, view))

    def is_searched(self, view: View) -> bool:
        """Whether the phrase of a view leaves copies out."""
        return bool(view.phrase)

    def items(self, work: Work, ids: Sequence[int]) -> list[Item]:
        """Return the copies with these ids as items."""
        columns = [
            *(getattr(ClientCopy, n) for n in ("id", "shared_group_id", "owner_user_id", *_OWN)),
            *(
                getattr(JumpClient, n)
                for n in ("state", "platform", "update_version", *_OF_THE_HOST)
            ),
        ]
        query = _joined(work, *columns).where(ClientCopy.id.in_(ids))
        version = versions.wanted(work)
        return [_item(work, row, version(row)) for row in work.session.execute(query)]

    def groups(self, work: Work) -> Select[Any]:
        """Return how many copies each owner has."""
        owner = ClientCopy.shared_group_id, ClientCopy.owner_user_id
        return _seen(work, select(*owner, func.count())).group_by(*owner)

    def tags(self, work: Work, group: tuple[str, int]) -> Select[Any]:
        """Return how many copies of a group have each tag."""
        query = _seen(work, select(ClientCopy.tag, func.count())).where(_of_group(group))
        return query.where(ClientCopy.tag != "").group_by(ClientCopy.tag)

    def delete(self, work: Work, number: int, reason: str) -> None:
        """Take a copy out of its group; its host stays."""
        copies.remove(work, number, reason)


def _item(work: Work, row: Row[Any], version: str) -> Item:
    state = State(row.state)
    lost = is_lost(state, row.last_seen, work.now(), work.config.lost_days)
    return Item(
        CopySource.method,
        row.id,
        Owner(row.shared_group_id, row.owner_user_id, ""),
        state="lost" if lost else state.value,
        outdated=is_outdated(state, row.agent_version, version),
        **{name: getattr(row, name) for name in (*_OWN, *_OF_THE_HOST)},
    )


def _joined(work: Work, *columns: Any) -> Select[Any]:
    query = select(*columns).join(JumpClient, JumpClient.id == ClientCopy.client_id)
    return _seen(work, query.select_from(ClientCopy))


def _seen(work: Work, query: Any) -> Select[Any]:
    work.actor.require(Permission.CLIENTS_READ)
    seen: Select[Any] = groups.visible(work, query, ClientCopy)
    return seen


def _of_group(group: tuple[str, int]) -> ColumnElement[bool]:
    kind, number = group
    if kind == "personal":
        return ClientCopy.owner_user_id == number
    return ClientCopy.shared_group_id == number


def _column(name: str) -> Any:
    return getattr(ClientCopy if name in _OWN else JumpClient, name)


def _sort(view: View) -> ColumnElement[Any]:
    name = view.sort.removeprefix("-")
    if not name:
        return null().label("sort")
    if name == "group":
        return func.coalesce(JumpGroup.name, User.public_display_name).label("sort")
    column: ColumnElement[Any] = _column(name)
    return column.label("sort")


def _matching(work: Work, view: View) -> ColumnElement[bool]:
    phrase, wanted = view.phrase.lower(), view.fields or FIELDS
    texts = [name for name in client_query.TEXTS if name in wanted]
    columns = [
        func.lower(getattr(ClientCopy, name)) if name in _OWN else getattr(ClientSearch, name)
        for name in texts
    ]
    if "group" in wanted:
        columns += [func.lower(JumpGroup.name), func.lower(User.public_display_name)]
    found = [column.contains(phrase, autoescape=True) for column in columns]
    if "state" in wanted:
        found += [client_query.in_state(work, state) for state in state_words(view.phrase)]
    if "method" in wanted and phrase in _("Copy of a Jump Client").lower():
        found.append(literal(1) == 1)
    return or_(literal(1) == 0, *found)
