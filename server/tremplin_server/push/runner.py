"""Running the pushes of the console in threads of the worker that took the form.

A push has a watcher and a few threads for its hosts. The watcher gives signs of life, hears
in the database of a cancellation and of host keys that were taken, and writes the end. What
the hosts are signed in to with lives here only, and is let go at the end. All threads are
daemons: a server that stops does not wait, the push is shown as broken off, and pushing
again finishes what was begun.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select

from tremplin_server.db import Database, Work
from tremplin_server.errors import TremplinError
from tremplin_server.logging import logger
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.push import host as pushing
from tremplin_server.push.host import Job, Order, Report
from tremplin_server.push.models import FINAL, HostState, PushHost, PushRun
from tremplin_server.push.plan import Outcome, Step
from tremplin_server.push.service import CHANGED
from tremplin_server.push.site import Site
from tremplin_server.push.ssh import Access

BEAT_SECONDS = 1.0
ANSWER_WITHIN = timedelta(minutes=10)
"""How long credentials are kept for a person who is asked about a host key."""
AT_ONCE = 4
AT_ONCE_IN_ALL = 12

_log = logger(__name__)
_ACTOR = system_actor("push")


@dataclass(frozen=True, slots=True)
class Ordered:
    """A push that was written down. jobs: by id of its `PushHost`."""

    run_id: int
    actor: Actor
    jobs: Mapping[int, Job]
    order: Order
    access: Access
    known_keys: Mapping[int, tuple[str, ...]]


class Runner:
    """Runs the pushes of one worker. beat: seconds between two signs of life."""

    def __init__(self, database: Database, beat: float = BEAT_SECONDS) -> None:
        self._database = database
        self._room = threading.BoundedSemaphore(AT_ONCE_IN_ALL)
        self._beat = beat

    def start(self, ordered: Ordered) -> None:
        """Begin; returns at once."""
        _Run(self._database, ordered, self._room, self._beat).start()


class _Run:
    def __init__(
        self,
        database: Database,
        ordered: Ordered,
        room: threading.BoundedSemaphore,
        beat: float,
    ) -> None:
        self._database = database
        self._ordered = ordered
        self._room = room
        self._beat = beat
        self._cancelled = threading.Event()
        self._moved = threading.Event()
        self._queue: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._accepted = dict(ordered.known_keys)
        self._site = Site(database, ordered.actor)
        self._order = replace(ordered.order, check=self._check)

    def start(self) -> None:
        for host_id in self._ordered.jobs:
            self._queue.put(host_id)
        threads: list[Callable[[], None]] = [self._watch]
        threads += [self._work] * min(AT_ONCE, len(self._ordered.jobs))
        for target in threads:
            name = f"push-{self._ordered.run_id}"
            threading.Thread(target=target, name=name, daemon=True).start()

    # --- the watcher ------------------------------------------------------------------------

    def _watch(self) -> None:
        while True:
            try:
                if self._look():
                    break
            except Exception:
                # The database may be away for a moment; the hosts go on meanwhile.
                _log.exception("push.watch", run_id=self._ordered.run_id)
            self._moved.wait(self._beat)
            self._moved.clear()
        for _ in range(AT_ONCE):
            self._queue.put(None)

    def _look(self) -> bool:
        """Give a sign of life and heed what people said; True when every host is through."""
        with self._database.work(_ACTOR) as work:
            run = work.session.get(PushRun, self._ordered.run_id)
            if run is None:
                self._cancelled.set()
                return True
            run.heartbeat_at = work.now()
            if run.cancelled_at is not None:
                self._cancelled.set()
            found = select(PushHost).where(PushHost.run_id == run.id)
            hosts = list(work.session.scalars(found))
            again = [host.id for host in hosts if self._answered(work, host)]
            through = all(host.state in FINAL for host in hosts)
            if through:
                run.finished_at = work.now()
                work.notify(CHANGED, run_id=run.id)
        for host_id in again:
            self._queue.put(host_id)
        return through

    def _answered(self, work: Work, host: PushHost) -> bool:
        """Settle a host that waits for a person; True when it is to be tried again."""
        if host.state == HostState.WAITING and self._cancelled.is_set():
            _end(work, host, HostState.CANCELLED, TremplinError("push.cancelled"))
        if host.state != HostState.ASKING:
            return False
        if self._cancelled.is_set():
            _end(work, host, HostState.CANCELLED, TremplinError("push.cancelled"))
        elif host.accepted and host.accepted == host.fingerprint:
            self._accepted[host.id] = (host.accepted,)
            host.state, host.step = HostState.WAITING, ""
            return True
        elif host.asked_at is not None and work.now() - host.asked_at > ANSWER_WITHIN:
            _end(work, host, HostState.FAILED, TremplinError("push.key_unanswered"))
        return False

    # --- the hosts --------------------------------------------------------------------------

    def _work(self) -> None:
        while (host_id := self._queue.get()) is not None:
            with self._room:
                report = self._one(host_id)
            try:
                self._write(host_id, partial(self._report, report))
            except Exception:
                _log.exception("push.report", run_id=self._ordered.run_id)
            self._moved.set()

    def _one(self, host_id: int) -> Report:
        job = self._ordered.jobs[host_id]
        accepted = self._accepted.get(host_id, ())
        access = replace(self._ordered.access, accepted_fingerprints=accepted)
        try:
            self._write(host_id, _begin)
            return pushing.push(job, self._order, access, self._site, partial(self._say, host_id))
        except TremplinError as error:
            return Report(job.name, Outcome.FAILED, error=error)
        except Exception as error:
            _log.exception("push.host", run_id=self._ordered.run_id)
            detail = type(error).__name__
            trouble = TremplinError("push.host", host=job.name, detail=detail)
            return Report(job.name, Outcome.FAILED, error=trouble)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise TremplinError("push.cancelled")

    def _say(self, host_id: int, step: Step) -> None:
        self._check()
        self._write(host_id, lambda _work, host: setattr(host, "step", step.value))

    def _write(self, host_id: int, change: Callable[[Work, PushHost], None]) -> None:
        with self._database.work(_ACTOR) as work:
            host = work.session.get(PushHost, host_id)
            if host is None:
                raise TremplinError("push.cancelled")
            change(work, host)
            work.notify(CHANGED, run_id=host.run_id)

    def _report(self, report: Report, work: Work, host: PushHost) -> None:
        error = report.error
        if error is None:
            host.outcome, host.reason = report.outcome.value, report.reason[:255]
            host.client_id = report.client_id
            _end(work, host, HostState.DONE)
        elif error.code == "push.host_key_unknown":
            host.state, host.asked_at = HostState.ASKING, work.now()
            host.key_kind = str(error.parameters["kind"])
            host.fingerprint, host.accepted = str(error.parameters["fingerprint"]), ""
        elif error.code == "push.cancelled":
            _end(work, host, HostState.CANCELLED, error)
        else:
            _end(work, host, HostState.FAILED, error)


def _begin(work: Work, host: PushHost) -> None:
    cancelled = select(PushRun.cancelled_at).where(PushRun.id == host.run_id)
    if work.session.scalar(cancelled) is not None:
        raise TremplinError("push.cancelled")
    host.state, host.started_at = HostState.RUNNING, work.now()
    host.step = Step.CONNECTING.value


def _end(work: Work, host: PushHost, state: HostState, error: TremplinError | None = None) -> None:
    host.state, host.finished_at = state, work.now()
    if error is not None:
        host.error_code = error.code
        host.error_detail = _storable(error.parameters)


def _storable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error's values as JSON keeps them; what a host said may be long."""
    return {
        name: value if isinstance(value, int) else str(value).replace("\0", "")[:1000]
        for name, value in parameters.items()
    }
