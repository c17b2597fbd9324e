"""What the agent reports while it is connected: statistics, console user, on and off."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Dict, List, Optional

from tremplin_agent import wire
from tremplin_agent.platform import here
from tremplin_agent.store import Store

DEFAULT_STATISTICS_SECONDS = 300


async def current_statistics(private_ip: str, console_user: str) -> Dict[str, Any]:
    """Return the values of `wire.Statistics`.

    Not in the event loop: the resolver may take its time over the name of the host.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, here.statistics, private_ip, console_user)


class Reports:
    """What is due, over all the connections of one agent.

    A new connection alone makes no statistics due: a server that all its agents come
    back to has other things to do.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due = float("-inf")
        self._console_user: Optional[str] = None
        self._disabled = False
        self._more: Dict[str, Any] = {}

    @property
    def switched(self) -> bool:
        """Whether the Jump Client was disabled or enabled since the server heard of it."""
        return self._store.is_disabled != self._disabled

    async def due(
        self, private_ip: str, settings: Dict[str, Any], more: Dict[str, Any]
    ) -> List[wire.AgentMessage]:
        """Return the messages to send now. settings: those of the server's welcome.

        more: what statistics have beside those of the host; they are due when it changed.
        """
        found: List[wire.AgentMessage] = []
        now = time.monotonic()
        user = here.console_user()
        if now >= self._due or more != self._more:
            self._more = more
            every = float(settings.get("statistics_seconds", DEFAULT_STATISTICS_SECONDS))
            self._due = now + every * (0.9 + 0.2 * random.random())  # noqa: S311 - only spreads load
            found.append(wire.Statistics({**await current_statistics(private_ip, user), **more}))
        elif user != self._console_user:
            found.append(wire.UserChanged(user))
        self._console_user = user
        if self.switched:
            self._disabled = not self._disabled
            found.append(wire.Disabled() if self._disabled else wire.Enabled())
        return found
