"""What happens at intervals: this worker's heartbeat, the dead ones' clients, the sweep."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text, update

from tremplin_server.accounts import web_sessions
from tremplin_server.clients import housekeeping, presence
from tremplin_server.clients.models import Worker
from tremplin_server.db import Work, keep_statistics
from tremplin_server.gateway.store import Store
from tremplin_server.logging import logger
from tremplin_server.sessions import recordings
from tremplin_server.sessions import service as sessions
from tremplin_server.support import customer
from tremplin_server.updates import service as updates

BEAT_SECONDS = 5.0
DEAD_AFTER = timedelta(seconds=20)
SWEEP_SECONDS = 60.0
FIRST_SWEEP_SECONDS = 360.0
"""Longer than any agent's back-off: a server that was away itself must let its agents
come back before it purges those that it has not seen for long."""
LOOK_SECONDS = 3600.0
"""Between two looks of SQLite at its indexes; the first is with a worker's first beat."""

_SWEEP_LOCK = 0x7472_656D_706C_6E02
_TAKE_OVER_LOCK = 0x7472_656D_706C_6E03
_UPDATE_LOCK = 0x7472_656D_706C_6E31

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat found. living: ids of workers with a fresh heartbeat, ours too.

    was_buried: another worker had taken this one for dead and its clients for offline.
    """

    living: set[str]
    was_buried: bool


class Housekeeping:
    """One worker's share of it. alone: there can be no other worker."""

    def __init__(self, store: Store, worker_id: str, alone: bool) -> None:
        self.interval = BEAT_SECONDS
        self._store = store
        self._worker_id = worker_id
        self._alone = alone
        self._address = ""
        self._next_sweep = time.monotonic() + FIRST_SWEEP_SECONDS
        self._next_look = time.monotonic()

    async def begin(self, peer_address: str = "") -> set[str]:
        """Enter this worker and return the ids of the living ones.

        peer_address: where the others hand agents' sockets over; see `peer_link`. A lone
        worker knows at once that all others are dead.
        """
        self._address = peer_address
        return await self._store.call(_begin, self._worker_id, self._alone, peer_address)

    async def beat(self) -> Beat:
        """Give a sign of life and do what is due."""
        beat = await self._store.call(_beat, self._worker_id, self._address)
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            purged = await self._store.call(_sweep)
            if purged:
                _log.info("housekeeping.purged", count=purged)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            await self._store.call(keep_statistics)
        ordered = await self._store.call(_order_updates)
        if ordered:
            _log.info("housekeeping.updates", ordered=ordered)
        return beat

    async def end(self) -> None:
        """Take this worker out."""
        await self._store.call(_end, self._worker_id)


def _begin(work: Work, worker_id: str, alone: bool, address: str) -> set[str]:
    if alone:
        presence.take_over_dead_workers(work, work.now())
        sessions.sweep(work, ())
        customer.sweep(work, ())
    _enter(work, worker_id, address)
    # Committed before the others are looked up: of two that start together, the later one
    # finds the earlier, and the earlier hears the later announce itself.
    work.commit()
    return _living(work, work.now() - DEAD_AFTER)


def _enter(work: Work, worker_id: str, address: str) -> None:
    now = work.now()
    work.session.add(
        Worker(
            id=worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            peer_address=address,
            started_at=now,
            heartbeat_at=now,
        )
    )
    work.session.flush()


def _beat(work: Work, worker_id: str, address: str) -> Beat:
    done = work.session.connection().execute(
        update(Worker).where(Worker.id == worker_id).values(heartbeat_at=work.now())
    )
    was_buried = done.rowcount == 0
    if was_buried:
        _enter(work, worker_id, address)
    dead_before = work.now() - DEAD_AFTER
    if _first(work, _TAKE_OVER_LOCK):
        count = presence.take_over_dead_workers(work, dead_before)
        if count:
            _log.warning("housekeeping.dead_worker", clients=count)
        sessions.sweep(work, _living(work, dead_before))
        customer.sweep(work, _living(work, dead_before))
    return Beat(_living(work, dead_before), was_buried)


def _living(work: Work, dead_before: datetime) -> set[str]:
    return set(work.session.scalars(select(Worker.id).where(Worker.heartbeat_at >= dead_before)))


def _sweep(work: Work) -> int:
    if not _first(work, _SWEEP_LOCK):
        return 0
    recordings.expire(work)
    web_sessions.expire(work)
    return housekeeping.sweep(work)


def _order_updates(work: Work) -> int:
    return updates.tick(work) if _first(work, _UPDATE_LOCK) else 0


def _end(work: Work, worker_id: str) -> None:
    work.session.execute(delete(Worker).where(Worker.id == worker_id))


def _first(work: Work, lock: int) -> bool:
    """Return whether no other worker is at it; the lock ends with the transaction."""
    if work.session.get_bind().dialect.name != "postgresql":
        return True
    query = text("SELECT pg_try_advisory_xact_lock(:lock)")
    return bool(work.session.scalar(query, {"lock": lock}))
