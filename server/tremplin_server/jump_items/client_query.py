"""Which Jump Clients the console's list has, in which order: its filters and its search.

A search reads `ClientSearch`, the narrow table of texts, and indexes; the records themselves
only for what that table lacks. What it found is kept apart ("materialized"): meaning to stop
after a page, a database else walks all records in the list's order and looks for each of them
whether it was found, which takes a hundred times as long.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, null, or_, select, union

from tremplin_server.accounts.models import User
from tremplin_server.clients import versions
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import ClientSearch, JumpClient
from tremplin_server.db import Work
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.groups.pages import parse
from tremplin_server.i18n import gettext as _
from tremplin_server.jump_items import moments
from tremplin_server.jump_items.view import FIELDS, View, state_words
from tremplin_server.permissions import Permission

METHOD = "client"
TEXTS = (
    "name",
    "hostname",
    "tag",
    "comments",
    "console_user",
    "operating_system",
    "private_ip",
    "public_ip",
)
"""What a record shows and a search reads as text."""
_GONE = (State.UNINSTALLED, State.REMOVING, State.PENDING)

Table = type[JumpClient] | type[ClientSearch]


def keys(work: Work, view: View) -> Select[Any] | None:
    """Return the query of (method, id, sort) of the clients of a view; None for none."""
    work.actor.require(Permission.CLIENTS_READ)
    if view.method not in ("", METHOD):
        return None
    if is_searched(view):
        return _found(work, view)
    table = _table(view)
    number = ClientSearch.client_id.label("id") if table is ClientSearch else JumpClient.id
    columns = literal(METHOD).label("method"), number, _sort(view, table)
    return _narrowed(work, select(*columns), view, table)


def _table(view: View) -> Table:
    """Return the table that knows a view which has no phrase: the narrow one where it can.

    PostgreSQL looks at a record beside its index when it was written to lately, and hosts that
    are online are written to all the time.
    """
    by_owner = _sorted_by(view) in ("", "group")
    return ClientSearch if by_owner and not (view.tag or view.state) else JumpClient


def is_searched(view: View) -> bool:
    """Whether a view's phrase leaves clients out: the kind's own name is in all of them."""
    return bool(view.phrase) and not (
        "method" in (view.fields or FIELDS) and view.phrase.lower() in _("Jump Client").lower()
    )


def seen(work: Work, query: Any) -> Select[Any]:
    """Narrow a query over the records to those that the actor sees."""
    work.actor.require(Permission.CLIENTS_READ)
    narrowed: Select[Any] = groups.visible(work, query, JumpClient)
    return narrowed


def by_owner(work: Work) -> Select[Any]:
    """Return how many clients that the actor sees each owner has."""
    work.actor.require(Permission.CLIENTS_READ)
    owner = ClientSearch.shared_group_id, ClientSearch.owner_user_id
    counted: Any = select(*owner, func.count()).group_by(*owner)
    found: Select[Any] = groups.seen(work, counted, *owner)
    return found


def of_group(group: tuple[str, int], table: Table = JumpClient) -> ColumnElement[bool]:
    """Return the condition that a client belongs to a group. group: as `parse` gives it."""
    kind, number = group
    if kind == "personal":
        return table.owner_user_id == number
    return table.shared_group_id == number


def _narrowed(work: Work, query: Select[Any], view: View, table: Table) -> Select[Any]:
    """Narrow a query to what the actor sees of a view; the phrase is not looked at."""
    query = groups.seen(work, query, table.shared_group_id, table.owner_user_id)
    if _sorted_by(view) == "group":
        query = query.outerjoin(JumpGroup, JumpGroup.id == table.shared_group_id)
        query = query.outerjoin(User, User.id == table.owner_user_id)
    group = parse(view.group)
    if group:
        query = query.where(of_group(group, table))
    if view.tag:
        query = query.where(JumpClient.tag == view.tag)
    if view.state:
        query = query.where(in_state(work, view.state))
    return query


def _sorted_by(view: View) -> str:
    return view.sort.removeprefix("-")


def _sort(view: View, table: Table) -> ColumnElement[Any]:
    name = _sorted_by(view)
    if not name:
        return null().label("sort")
    if name == "group":
        return func.coalesce(JumpGroup.name, User.public_display_name).label("sort")
    if name == "name" and table is ClientSearch:
        return ClientSearch.label.label("sort")
    column: ColumnElement[Any] = getattr(JumpClient, name)
    return column.label("sort")


def in_state(work: Work, state: str) -> ColumnElement[bool]:
    """Return the condition that a Jump Client has a state, or a label such as `lost`."""
    long_ago = work.now() - timedelta(days=work.config.lost_days)
    # Written out: an index of those that are offline is taken for no value that comes later.
    offline = literal(State.OFFLINE.value, literal_execute=True)
    lost = and_(JumpClient.state == offline, JumpClient.last_seen < long_ago)
    if state == "lost":
        return lost
    if state == "offline":
        return and_(JumpClient.state == offline, JumpClient.last_seen >= long_ago)
    if state == "outdated":
        return and_(
            versions.differs(work),
            JumpClient.state.not_in([gone.value for gone in _GONE]),
        )
    return JumpClient.state == state


# --- searching ------------------------------------------------------------------------


def _found(work: Work, view: View) -> Select[Any] | None:
    known = [part for part in (_by_text(work, view), _by_record(work, view)) if part is not None]
    if not known:
        return None
    whole = known[0] if len(known) == 1 else union(*known)
    found = whole.cte("found").prefix_with("MATERIALIZED")
    return select(literal(METHOD).label("method"), found.c.id, found.c.sort)


def _by_text(work: Work, view: View) -> Select[Any] | None:
    """Return the query of the clients whose texts or group's name have the phrase."""
    names = [name for name in view.fields if name in TEXTS]
    columns = [getattr(ClientSearch, name) for name in names]
    if not view.fields:
        columns = [ClientSearch.text]
    small = view.phrase.lower()
    conditions = [column.contains(small, autoescape=True) for column in columns]
    if "group" in (view.fields or FIELDS):
        conditions += _in_named_group(work, view.phrase)
    if not conditions:
        return None
    query = select(ClientSearch.client_id.label("id"), _sort(view, ClientSearch))
    if view.tag or view.state or _sorted_by(view) not in ("name", "group"):
        query = query.join(JumpClient, JumpClient.id == ClientSearch.client_id)
    return _narrowed(work, query, view, ClientSearch).where(or_(*conditions))


def _in_named_group(work: Work, phrase: str) -> list[ColumnElement[bool]]:
    """Return the conditions that a client's group has such a name. The groups are looked up
    first: a query that compares with another query's rows reads every client."""
    shared = work.session.scalars(select(JumpGroup.id).where(_like(JumpGroup.name, phrase))).all()
    named = select(User.id).where(_like(User.public_display_name, phrase))
    users = work.session.scalars(named).all()
    found = ((ClientSearch.shared_group_id, shared), (ClientSearch.owner_user_id, users))
    return [column.in_(numbers) for column, numbers in found if numbers]


def _by_record(work: Work, view: View) -> Select[Any] | None:
    """Return the query of the clients whose state or last access is what the phrase names."""
    fields = view.fields or FIELDS
    conditions = []
    if "state" in fields:
        conditions += [in_state(work, state) for state in state_words(view.phrase)]
    span = moments.span(view.phrase) if "last_access" in fields else None
    if span:
        conditions.append(JumpClient.last_access.between(*span))
    if not conditions:
        return None
    query = select(JumpClient.id.label("id"), _sort(view, JumpClient))
    return _narrowed(work, query, view, JumpClient).where(or_(*conditions))


def _like(column: Any, phrase: str) -> ColumnElement[bool]:
    return func.lower(column).contains(phrase.lower(), autoescape=True)
