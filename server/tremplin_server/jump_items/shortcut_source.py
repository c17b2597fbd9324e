"""RDP Jump Shortcuts as Jump Items of the console's list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, cast, func, literal, null, or_, select

from tremplin_server.accounts.models import User
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.groups.pages import parse
from tremplin_server.i18n import gettext as _
from tremplin_server.jump_items.sources import Item, is_empty
from tremplin_server.jump_items.view import FIELDS, View
from tremplin_server.permissions import Permission
from tremplin_server.shortcuts import service
from tremplin_server.shortcuts.models import RdpShortcut

_TEXTS = ("name", "hostname", "tag", "comments")


class ShortcutSource:
    """The source of the RDP Jump Shortcuts."""

    method = "rdp"

    def keys(self, work: Work, view: View) -> Select[Any] | None:
        """Return the query of the shortcuts of a view; None without any, which is common."""
        if view.method not in ("", self.method) or view.state:
            return None
        if is_empty(work, self.method, _seen(work, select(RdpShortcut.id))):
            return None
        columns = literal(self.method).label("method"), RdpShortcut.id, _sort(view).label("sort")
        query = _seen(work, select(*columns))
        query = query.outerjoin(JumpGroup, JumpGroup.id == RdpShortcut.shared_group_id)
        query = query.outerjoin(User, User.id == RdpShortcut.owner_user_id)
        group = parse(view.group)
        if group:
            query = query.where(_of_group(group))
        if view.tag:
            query = query.where(RdpShortcut.tag == view.tag)
        return query.where(_matching(view)) if view.phrase else query

    def is_searched(self, view: View) -> bool:
        """Whether the phrase of a view leaves shortcuts out."""
        return bool(view.phrase)

    def items(self, work: Work, ids: Sequence[int]) -> list[Item]:
        """Return the shortcuts with these ids as items."""
        query = _seen(work, select(RdpShortcut)).where(RdpShortcut.id.in_(ids))
        return [_item(shortcut) for shortcut in work.session.scalars(query)]

    def groups(self, work: Work) -> Select[Any]:
        """Return how many shortcuts each owner has."""
        owner = RdpShortcut.shared_group_id, RdpShortcut.owner_user_id
        return _seen(work, select(*owner, func.count())).group_by(*owner)

    def tags(self, work: Work, group: tuple[str, int]) -> Select[Any]:
        """Return how many shortcuts of a group have each tag."""
        query = _seen(work, select(RdpShortcut.tag, func.count())).where(_of_group(group))
        return query.where(RdpShortcut.tag != "").group_by(RdpShortcut.tag)

    def delete(self, work: Work, number: int, reason: str) -> None:
        """Delete a shortcut."""
        service.delete(work, number, reason)


def _item(shortcut: RdpShortcut) -> Item:
    return Item("rdp", shortcut.id, shortcut, **{name: getattr(shortcut, name) for name in _TEXTS})


def _seen(work: Work, query: Any) -> Select[Any]:
    work.actor.require(Permission.CLIENTS_READ)
    seen: Select[Any] = groups.visible(work, query, RdpShortcut)
    return seen


def _of_group(group: tuple[str, int]) -> ColumnElement[bool]:
    kind, number = group
    if kind == "personal":
        return RdpShortcut.owner_user_id == number
    return RdpShortcut.shared_group_id == number


def _sort(view: View) -> ColumnElement[Any]:
    name = view.sort.removeprefix("-")
    if not name:
        return null()
    if name == "group":
        return func.coalesce(JumpGroup.name, User.public_display_name)
    if name in _TEXTS:
        column: ColumnElement[Any] = getattr(RdpShortcut, name)
        return column
    # Typed, for a union of what is missing here and the column that clients have.
    return cast(null(), getattr(JumpClient, name).type)


def _matching(view: View) -> ColumnElement[bool]:
    phrase = view.phrase.lower()
    wanted = view.fields or FIELDS
    columns = [getattr(RdpShortcut, name) for name in _TEXTS if name in wanted]
    if "group" in wanted:
        columns += [JumpGroup.name, User.public_display_name]
    found = [func.lower(column).contains(phrase, autoescape=True) for column in columns]
    if "method" in wanted and phrase in _("RDP shortcut").lower():
        found.append(literal(1) == 1)
    return or_(literal(1) == 0, *found)
