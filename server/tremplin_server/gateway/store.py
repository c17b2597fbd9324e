"""The gateway's way to the database: services in a few threads, batched where many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from tremplin_agent import wire

from tremplin_server.clients import commands, presence, reporting
from tremplin_server.clients.models import TombstoneKind
from tremplin_server.clients.presence import Change, Identity
from tremplin_server.clock import Clock
from tremplin_server.db import Database, Work
from tremplin_server.gateway import metrics
from tremplin_server.gateway.batch import Batcher
from tremplin_server.permissions import Actor, system_actor

P = ParamSpec("P")
T = TypeVar("T")

LOOK_UP_DELAY = 0.01
PRESENCE_DELAY = 0.02
STATISTICS_DELAY = 0.25
VISIT_DELAY = 1.0
"""Seconds that the first of a batch waits for others. A transaction costs the processor as
much as ten of its rows, and nobody feels a fiftieth of a second at a reconnect."""

_SQLITE_THREADS = 2
_THREADS = 6
"""SQLite has one writer at a time; more threads would only wait for one another."""


@dataclass(frozen=True, slots=True)
class Visits:
    """The same for check-ins of passive agents, which nobody waits for: larger batches."""

    identities: Batcher[int, list[Identity]]
    arrivals: Batcher[Change, list[wire.Command] | None]
    statistics: Batcher[tuple[int, dict[str, Any]], None]


class Store:
    """Runs services off the event loop, each call a unit of work of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._actor = system_actor("gateway")
        self._executor = ThreadPoolExecutor(
            _SQLITE_THREADS if database.config.sqlite else _THREADS, thread_name_prefix="gateway"
        )
        self.identities = Batcher(
            self._batch("identities", _identities, read_only=True), delay=LOOK_UP_DELAY
        )
        self.arrivals = Batcher(self._batch("presence", _presence), delay=PRESENCE_DELAY)
        """A Change goes in; see `_presence` for what comes out."""
        self.pending = Batcher(self._batch("pending", _pending))
        self.statistics = Batcher(self._batch("statistics", _statistics), delay=STATISTICS_DELAY)
        self.visits = Visits(
            Batcher(self._batch("identities", _identities, read_only=True), delay=VISIT_DELAY),
            Batcher(self._batch("presence", _presence), delay=VISIT_DELAY),
            Batcher(self._batch("statistics", _statistics), delay=VISIT_DELAY),
        )

    @property
    def clock(self) -> Clock:
        """The clock of the services."""
        return self._database.clock

    async def call(
        self,
        service: Callable[Concatenate[Work, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `service(work, …)` as the gateway itself."""
        return await self.call_as(self._actor, partial(service, **kwargs), *args)

    async def call_as(self, actor: Actor, service: Callable[..., T], *args: Any) -> T:
        """Run `service(work, *args)` as `actor` and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._work, actor, service, args, False
        )

    async def look_up(self, service: Callable[..., T], *args: Any) -> T:
        """Run `service(work, *args)`, which changes nothing, as the gateway itself."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._work, self._actor, service, args, True
        )

    async def close(self) -> None:
        """Write what is queued, then end the threads."""
        visits = self.visits
        for batcher in (self.identities, self.arrivals, self.pending, self.statistics):
            await batcher.drain()
        for batcher in (visits.identities, visits.arrivals, visits.statistics):
            await batcher.drain()
        self._executor.shutdown(wait=True)

    def _work(
        self, actor: Actor, service: Callable[..., T], args: Sequence[Any], read_only: bool
    ) -> T:
        with self._database.work(actor, read_only=read_only) as work:
            return service(work, *args)

    def _batch(
        self,
        what: str,
        service: Callable[[Work, Sequence[Any]], Sequence[Any]],
        *,
        read_only: bool = False,
    ) -> Callable[[Sequence[Any]], Any]:
        timer = metrics.BATCH.labels(what)

        async def run(items: Sequence[Any]) -> Sequence[Any]:
            with timer.time():
                return await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._work, self._actor, service, (items,), read_only
                )

        return run


def _identities(work: Work, client_ids: Sequence[int]) -> list[list[Identity]]:
    found = presence.identities(work, set(client_ids))
    return [found.get(client_id, []) for client_id in client_ids]


def _presence(work: Work, changes: Sequence[Change]) -> list[list[wire.Command] | None]:
    """Write who came and who left; return the commands that wait for each who came.

    None for a newcomer whose key was revoked while it was being let in.
    """
    strangers = presence.write(work, changes)
    buried = presence.identities(work, {number for number, _ in strangers}) if strangers else {}
    revoked = {(number, key) for number, key in strangers if not _waits(buried, number, key)}
    came = {change.client_id for change in changes if change.public_key}
    found = commands.pending(work, came) if came else {}
    return [
        None
        if (change.client_id, change.public_key) in revoked
        else found.get(change.client_id, [])
        for change in changes
    ]


def _waits(buried: dict[int, list[Identity]], client_id: int, public_key: bytes) -> bool:
    """Return whether a deleted client is let in to hear that it has to go."""
    return any(
        identity.public_key == public_key
        and not identity.closed
        and identity.tombstone is TombstoneKind.DELETED
        for identity in buried.get(client_id, ())
    )


def _pending(work: Work, client_ids: Sequence[int]) -> list[list[wire.Command]]:
    found = commands.pending(work, set(client_ids))
    return [found.get(client_id, []) for client_id in client_ids]


def _statistics(work: Work, items: Sequence[tuple[int, dict[str, Any]]]) -> list[None]:
    # Of two reports of one client in a batch the later one counts.
    reporting.statistics(work, dict(items))
    return [None] * len(items)
