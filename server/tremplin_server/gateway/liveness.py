"""One timer for all connections: pings the silent ones, drops the dead ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tremplin_server.errors import TremplinError
from tremplin_server.gateway import metrics
from tremplin_server.gateway.link import Link

PONG_SHARE = 0.8
"""Of a heartbeat: ping after one, drop after 0.8 more, so within two with the ticks."""


class Watched(Protocol):
    """A connection, as the sweeper sees it."""

    link: Link
    pinged_at: float

    def overdue(self, now: float) -> bool: ...

    def refuse(self, error: TremplinError) -> None: ...

    def abort(self) -> None: ...


class Sweeper:
    """heartbeat: seconds of silence after which an agent is pinged."""

    def __init__(self, heartbeat: float) -> None:
        self._heartbeat = heartbeat
        self.tick = min(1.0, heartbeat / 10)
        self._last: float | None = None

    def sweep(self, connections: Iterable[Watched], now: float) -> None:
        """Look at every connection once; call it every `tick` seconds."""
        late = self._last is not None and now - self._last > self.tick + 2
        self._last = now
        if late:
            # The loop was held up: answers may lie unread, and nobody is judged for it.
            return
        for connection in connections:
            self._look(connection, now)

    def _look(self, connection: Watched, now: float) -> None:
        if connection.overdue(now):
            connection.refuse(TremplinError("protocol.error"))
            return
        heard_at = connection.link.heard_at
        if now - heard_at < self._heartbeat:
            return
        if connection.pinged_at <= heard_at:
            connection.pinged_at = now
            connection.link.ping()
        elif now - connection.pinged_at > self._heartbeat * PONG_SHARE:
            metrics.DROPPED.inc()
            connection.abort()
