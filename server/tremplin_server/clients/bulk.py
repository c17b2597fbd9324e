"""Doing one thing to many Jump Clients: what a search finds, a chunk at a time.

Each client is changed by its own service, in a savepoint of its own: one that may not be
touched, or that somebody deleted meanwhile, is told and stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select

from tremplin_server.clients import service, wake_on_lan
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, TremplinError

CHUNK = 500
"""Clients of one transaction: a writer keeps others waiting on SQLite."""


class Action(StrEnum):
    """What can be done to many."""

    UPDATE = "update"
    DELETE = "delete"
    UNINSTALL = "uninstall"
    WAKE = "wake"

    @property
    def removes(self) -> bool:
        """Whether hosts lose their agents: nobody means all of a site by leaving a word out."""
        return self in (Action.DELETE, Action.UNINSTALL)


@dataclass(frozen=True, slots=True)
class Failure:
    """A client that nothing was done to, and why."""

    id: int
    name: str
    error: TremplinError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a chunk. last: the id to go on after; remaining: how many are behind it."""

    done: Sequence[int]
    failed: Sequence[Failure] = field(default=())
    last: int = 0
    remaining: int = 0


def found(work: Work, filters: Mapping[str, Any], after: int = 0) -> tuple[list[int], int]:
    """Return the ids of a chunk of what the filters find, by id, and how many there are in all.

    filters: see `listing.narrow`; after: the last id of the chunk before.
    """
    query = service.query(work, **filters)
    query = query.where(JumpClient.id > after)
    whole = query.with_only_columns(JumpClient.id).order_by(None)
    total = work.session.scalar(select(func.count()).select_from(whole.subquery())) or 0
    return list(work.session.scalars(whole.order_by(JumpClient.id).limit(CHUNK))), total


def deed(action: Action, changes: Mapping[str, Any], reason: str) -> Callable[[Work, int], object]:
    """Return what is done to each client; Invalid when an update changes nothing."""
    if action is Action.UPDATE:
        wanted = {k: v for k, v in changes.items() if k not in ("name", "external_id")}
        if not wanted:
            raise Invalid({"changes": ["Missing data for required field."]})
        return lambda work, number: service.update(work, number, wanted)
    if action is Action.DELETE:
        return lambda work, number: service.delete(work, number, reason)
    if action is Action.UNINSTALL:
        return lambda work, number: service.uninstall(work, number, reason)
    return wake_on_lan.wake


def apply(work: Work, ids: Sequence[int], do: Callable[[Work, int], object]) -> Outcome:
    """Do something to each client, and tell what came of it."""
    done: list[int] = []
    failed: list[Failure] = []
    known = select(JumpClient.id, JumpClient.name).where(JumpClient.id.in_(ids))
    names = {row.id: row.name for row in work.session.execute(known)}
    for number in ids:
        try:
            with work.session.begin_nested():
                do(work, number)
        except TremplinError as error:
            failed.append(Failure(number, names.get(number, ""), error))
        else:
            done.append(number)
    return Outcome(done, failed, last=ids[-1] if ids else 0)
