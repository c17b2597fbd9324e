"""The bus of a site with several workers: PostgreSQL's LISTEN and NOTIFY.

A worker delivers its own notices to itself at once and drops their echo. Notices wait in
memory while the database is away; once it is back, listeners are told of the gap.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from tremplin_server.gateway.bus import Dispatcher, pack
from tremplin_server.logging import logger

CHANNEL = "tremplin"
_MAX_QUEUED = 10_000
_MOST_AT_ONCE = 200
_MAX_PAYLOAD = 7_900
_RETRY_SECONDS = (0.1, 5.0)

_Run = Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]

_log = logger(__name__)


def conninfo(database_url: str) -> str:
    """Return what psycopg takes for the SQLAlchemy URL `database_url`."""
    url = make_url(database_url).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


class PostgresBus(Dispatcher):
    """Two connections: one listens, one notifies; each comes back by itself."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._conninfo = conninfo(database_url)
        self._origin = secrets.token_hex(8)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()
        self._listening = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        text = pack(topic, body)
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._publish, topic, dict(body), text)

    def _publish(self, topic: str, body: Mapping[str, Any], text: str) -> None:
        # When so many wait, the database is away, and every worker will be told of a gap.
        if len(self._queue) < _MAX_QUEUED:
            self._queue.append(text)
            self._wake.set()
        self.deliver(topic, body)

    async def start(self) -> None:
        """Return when the bus listens, so that no later notice is missed."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            self._loop.create_task(self._again_and_again(run)) for run in (self._listen, self._send)
        ]
        await asyncio.wait_for(self._listening.wait(), 30)

    async def stop(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                while self._queue:
                    await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._loop = None

    async def _again_and_again(self, run: _Run) -> None:
        delay, longest = _RETRY_SECONDS
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True
                ) as connection:
                    delay = _RETRY_SECONDS[0]
                    await run(connection)
            except (psycopg.Error, OSError) as error:
                _log.warning("bus.lost", detail=str(error).strip())
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            delay = min(delay * 2, longest)

    async def _listen(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        if self._listening.is_set():
            self.tell_gap()
        self._listening.set()
        async for notice in connection.notifies():
            origin, *notices = json.loads(notice.payload)
            if origin != self._origin:
                for topic, body in notices:
                    self.deliver(topic, body)

    async def _send(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            while self._queue:
                payload, count = _payload(self._origin, self._queue)
                await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
                # Only now: what could not be sent stays queued for the next connection.
                for _ in range(count):
                    self._queue.popleft()
            await self._wake.wait()
            self._wake.clear()


class NotifyPublisher:
    """Notifies the workers from a process that has no event loop, such as a command."""

    def __init__(self, database_url: str) -> None:
        self._conninfo = conninfo(database_url)

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        payload, _ = _payload("", deque([pack(topic, body)]))
        # The change is committed; workers that miss the notice find it later.
        try:
            with psycopg.connect(self._conninfo, autocommit=True) as connection:
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
        except psycopg.Error as error:
            _log.warning("bus.lost", detail=str(error).strip())


def _payload(origin: str, queue: deque[str]) -> tuple[str, int]:
    """Return one payload with as many notices as fit, and their number."""
    parts = [json.dumps(origin)]
    size = len(parts[0]) + 2
    for text in islice(queue, _MOST_AT_ONCE):
        size += len(text) + 1
        if size > _MAX_PAYLOAD and len(parts) > 1:
            break
        parts.append(text)
    return "[" + ",".join(parts) + "]", len(parts) - 1
