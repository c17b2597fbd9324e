"""Who may open a connection now, and who waits for it.

When a server comes back all its agents dial within a second. Let in together, they share
the processor, so that the first is ready hardly sooner than the last, and many have run
out of patience by then: their share of the work was in vain. One after the other, each is
ready as soon as it can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

AT_ONCE = 256
TURN_SECONDS = 2.0
"""How long an opening counts at most: one that stands still must not hold up the others."""


class Turn:
    """One connection's turn. begin: called, soon, when it comes after a wait."""

    __slots__ = ("begin", "until")

    def __init__(self, begin: Callable[[], None]) -> None:
        self.begin = begin
        self.until = 0.0


class Turnstile:
    """At most `at_once` connections are opening; the others wait in the order they came.

    seconds: how long an opening counts at most.
    """

    def __init__(self, at_once: int = AT_ONCE, seconds: float = TURN_SECONDS) -> None:
        self._at_once = at_once
        self._seconds = seconds
        # Dictionaries, for they keep the order and give up any member at once.
        self._opening: dict[Turn, None] = {}
        self._waiting: dict[Turn, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, turn: Turn) -> bool:
        """Return whether it is this connection's turn now; if not, `begin` tells when."""
        if not self._waiting and len(self._opening) < self._at_once:
            self._open(turn)
            return True
        self._waiting[turn] = None
        self._watch()
        return False

    def leave(self, turn: Turn) -> None:
        """End a turn, or give it up."""
        self._waiting.pop(turn, None)
        if turn in self._opening:
            del self._opening[turn]
            self._admit()

    def _admit(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._opening) < self._at_once:
            turn = next(iter(self._waiting))
            del self._waiting[turn]
            self._open(turn)
            loop.call_soon(turn.begin)
        self._watch()

    def _open(self, turn: Turn) -> None:
        turn.until = asyncio.get_running_loop().time() + self._seconds
        self._opening[turn] = None

    def _watch(self) -> None:
        if self._waiting and self._timer is None:
            oldest = next(iter(self._opening))
            self._timer = asyncio.get_running_loop().call_at(oldest.until, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._opening and (oldest := next(iter(self._opening))).until <= now:
            del self._opening[oldest]
        self._admit()
