"""Which Jump Clients, in which order: filters, free-text search, sorting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, UnaryExpression, and_, select
from sqlalchemy.orm import InstrumentedAttribute

from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import ClientSearch, JumpClient
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Invalid

LOST = "lost"
STATES = (*(state.value for state in State), LOST)
CONNECTION_TYPES = ("active", "passive", "uninstalled")
TEXTS = (
    "name",
    "hostname",
    "fqdn",
    "tag",
    "console_user",
    "public_ip",
    "private_ip",
    "external_id",
    "operating_system",
)
"""Filters that match the whole value, whatever the case."""
SORTS = (
    "id",
    "name",
    "hostname",
    "tag",
    "state",
    "external_id",
    "operating_system",
    "public_ip",
    "agent_version",
    "created_at",
    "last_seen",
)
"""What `sort` takes, with `-` in front for the other way round."""


def narrow(work: Work, query: Select[JumpClient], **wanted: Any) -> Select[JumpClient]:
    """Return `query` narrowed by the filters that are given (not None) and sorted.

    wanted: any of TEXTS; `jump_group_id` (of a shared group, unless `jump_group_type` is
    `personal`), `connection_type`, `state` (a State, or `lost`), `search` (every word
    somewhere in the texts), `sort`. Raises Invalid for an unknown filter or value.
    """
    sort = wanted.pop("sort", None)
    if wanted.get("jump_group_id") is not None:
        kind = wanted.pop("jump_group_type", None)
        query = query.where(_owner(kind) == wanted.pop("jump_group_id"))
    for name, value in wanted.items():
        if value is not None:
            query = query.where(_condition(work, name, value))
    return query.order_by(*_order(sort))


def _condition(work: Work, name: str, value: Any) -> ColumnElement[bool]:
    if name in TEXTS:
        return same_text(getattr(JumpClient, name), value)
    if name == "jump_group_type":
        return _owner(value).is_not(None)
    if name == "connection_type":
        return _connection_type(value)
    if name == "state":
        return _state(work, value)
    if name == "search":
        return _search(value)
    raise Invalid({name: ["Unknown filter."]})


def _owner(kind: str | None) -> InstrumentedAttribute[int | None]:
    return JumpClient.owner_user_id if kind == "personal" else JumpClient.shared_group_id


def _connection_type(value: str) -> ColumnElement[bool]:
    if value == "uninstalled":
        return JumpClient.state == State.UNINSTALLED.value
    return and_(JumpClient.connection_type == value, JumpClient.state != State.UNINSTALLED.value)


def _state(work: Work, value: str) -> ColumnElement[bool]:
    if value not in STATES:
        raise Invalid({"state": ["Must be one of: " + ", ".join(STATES) + "."]})
    if value != LOST:
        return JumpClient.state == value
    since = work.now() - timedelta(days=work.config.lost_days)
    return and_(JumpClient.state == State.OFFLINE.value, JumpClient.last_seen < since)


def _search(words: str) -> ColumnElement[bool]:
    wanted = (ClientSearch.text.contains(word, autoescape=True) for word in words.lower().split())
    return JumpClient.id.in_(select(ClientSearch.client_id).where(and_(True, *wanted)))


def _order(sort: str | None) -> list[UnaryExpression[Any]]:
    order: list[UnaryExpression[Any]] = []
    for part in (sort or "").split(","):
        name = part.strip().removeprefix("-")
        if not name:
            continue
        if name not in SORTS:
            raise Invalid({"sort": ["Must be among: " + ", ".join(SORTS) + "."]})
        column = getattr(JumpClient, name)
        order.append(
            column.desc().nulls_last()
            if part.strip().startswith("-")
            else column.asc().nulls_last()
        )
    return [*order, JumpClient.id.asc()]
