"""A passive agent's rest: the shell around `core.resting` and the port that wakes it."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import Any, Callable, Dict, Mapping, Optional

from tremplin_agent.core.identity import verify
from tremplin_agent.core.resting import Rest
from tremplin_agent.listener import Listener
from tremplin_agent.platform.addresses import local_addresses

_LOOK_SECONDS = 0.5


class Resting:
    """What is passive about an agent; of an active one it does nothing.

    Used inside the event loop only, apart from its making.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._rest = Rest(settings)
        self._listener: Optional[Listener] = None
        self._event: Optional[asyncio.Event] = None

    @property
    def passive(self) -> bool:
        """Whether the agent keeps no connection."""
        return self._rest.passive

    # --- life -------------------------------------------------------------------------

    async def start(self, client_id: int, server_key: bytes) -> None:
        """Begin to listen, if the settings say so: only an agent that runs does."""
        self._listener = Listener(self._woken, verify)
        await self._listener.listen(self._rest.port, client_id, server_key)

    async def stop(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            await self._listener.close()

    def _woken(self) -> None:
        self._rest.woken = True
        self._changed.set()

    @property
    def _changed(self) -> asyncio.Event:
        if self._event is None:
            # Made here, because on Python 3.9 an event belongs to the loop that makes it.
            self._event = asyncio.Event()
        return self._event

    # --- one connection ---------------------------------------------------------------

    def begins(self) -> bool:
        """Note that a connection is tried; return whether it is a visit."""
        return self._rest.begins(time.monotonic())

    async def let_in(
        self, settings: Mapping[str, Any], client_id: int, server_key: bytes, server: str
    ) -> None:
        """Take the settings of a welcome. server: the address of the server's end."""
        self._rest.let_in(settings, time.monotonic())
        if self._listener is not None:
            await self._listener.listen(self._rest.port, client_id, server_key)
            self._listener.gate.knows(server, time.monotonic())
        self._changed.set()

    async def settings_changed(
        self, settings: Mapping[str, Any], client_id: int, server_key: bytes
    ) -> None:
        """Take settings that changed while connected."""
        self._rest.changed(settings, time.monotonic())
        if self._listener is not None:
            await self._listener.listen(self._rest.port, client_id, server_key)
        self._changed.set()

    def heard(self) -> None:
        """Note that the server said something."""
        self._rest.heard(time.monotonic())

    def facts(self) -> Dict[str, Any]:
        """Return what statistics add of where the agent can be woken; empty if active."""
        if not self._rest.passive or self._listener is None:
            return {}
        return {"listening": self._listener.facts(local_addresses())}

    async def until_idle(
        self, is_in: Callable[[], bool], busy: Callable[[], bool], in_session: Callable[[], bool]
    ) -> None:
        """Return once a passive agent has nothing more to do on its connection."""
        rest = self._rest
        while True:
            if not (rest.passive or rest.visiting):
                await self._changed.wait()
                self._changed.clear()
                continue
            left = rest.left_after(busy() or not is_in(), in_session(), time.monotonic())
            if left <= 0 and is_in():
                return
            await self._sleep(min(left + 0.01, _LOOK_SECONDS) if left > 0 else _LOOK_SECONDS)

    # --- between connections ------------------------------------------------------------

    def wait(self) -> float:
        """Return the seconds until the next connection."""
        return self._rest.wait(random.random)

    async def sleep(self, seconds: float) -> bool:
        """Sleep; return early, and True, when the server wakes the agent."""
        if not self._rest.woken:
            await self._sleep(seconds)
        return self._rest.woken

    async def _sleep(self, seconds: float) -> None:
        self._changed.clear()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
