"""The two states of a session at the worker of its technician: waiting, and live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tremplin_server.errors import CATALOGUE, TremplinError
from tremplin_server.gateway.stream import Stream
from tremplin_server.sessions.service import Opening

Spawn = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(slots=True)
class Waiting:
    """The technician's end waits for the agent's.

    ordered: somebody was asked to let the agent dial. taken: an agent's socket is being
    let in, so that no second one can be. waking: a passive client is being called.
    """

    opening: Opening
    arrived: asyncio.Future[Stream]
    ordered: bool = False
    taken: bool = False
    waking: bool = False
    tried: tuple[str, ...] = ()
    """Where a passive client was called that did not answer."""

    @property
    def free(self) -> bool:
        """Whether an agent's socket may still come."""
        return not self.taken and not self.arrived.done()

    def arrive(self, stream: Stream) -> bool:
        """Bring the agent's end; False when nobody waits any more."""
        if self.arrived.done():
            return False
        self.arrived.set_result(stream)
        return True

    def fail(self, error: TremplinError) -> None:
        """Let who waits know why nothing comes."""
        if not self.arrived.done():
            self.arrived.set_exception(error)


@dataclass(frozen=True, slots=True)
class Recent:
    """A session that is over since a moment. written: done once that is in the database."""

    client_id: int
    written: asyncio.Future[None]


class SessionStream:
    """A live session as its front sees it: the agent's end, counted.

    over: called once, when it ends, whoever ended it.
    """

    def __init__(
        self, opening: Opening, agent: Stream, over: Callable[[SessionStream], None], spawn: Spawn
    ) -> None:
        self.opening = opening
        self.to_host = self.from_host = 0
        self._agent, self._over, self._spawn = agent, over, spawn
        self._code: str | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def read(self) -> bytes:
        data = await self._agent.read()
        self.from_host += len(data)
        if not data:
            await self.close(self._agent.end_code)
        return data

    async def write(self, data: bytes) -> None:
        self.to_host += len(data)
        await self._agent.write(data)

    async def close(self, code: str = "") -> None:
        if self._code is not None:
            return
        # The agent and the timer here say the same; only the server knows who set the limit.
        self._code = self.opening.limit_code if code == "session.time_up" else code
        if self._timer is not None:
            self._timer.cancel()
        self._over(self)
        await self._agent.close(self._code)

    @property
    def end_code(self) -> str:
        return self._code or ""

    def limit(self, seconds: float) -> None:
        """End with session.time_up when that time is over."""
        self._timer = asyncio.get_running_loop().call_later(
            max(0.0, seconds), lambda: self._spawn(self.close("session.time_up"))
        )


_FAMILIES = ("jump.", "session.", "client.", "support.")


def error_of(code: str, detail: str = "") -> TremplinError:
    """Return the error of a code that came from an agent, a worker or the database."""
    if code not in CATALOGUE or not code.startswith(_FAMILIES):
        return TremplinError("jump.internal")
    try:
        return TremplinError(code)
    except KeyError:
        # Its words want values; only the version of an agent can be told.
        return TremplinError(
            code,
            version=detail[:32] or "?",
            id="?",
            port="?",
            number="?",
            what="?",
            tried=detail or "?",
        )
