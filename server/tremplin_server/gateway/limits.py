"""A token bucket: how many of something per second, with room for a burst of one second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil


class TokenBucket:
    """rate: tokens per second, and the most that can be saved up; time is passed in."""

    def __init__(self, rate: int, now: float) -> None:
        self._rate = rate
        self._tokens = float(rate)
        self._at = now
        self._owed = 0

    def take(self, now: float) -> int:
        """Take a token and return 0, or return after how many seconds to try again.

        Each refusal is told a later time than the one before, so that those who were
        refused together do not all come back together.
        """
        elapsed = max(0.0, now - self._at)
        self._at = now
        self._tokens = min(float(self._rate), self._tokens + elapsed * self._rate)
        if self._tokens >= 1:
            self._tokens -= 1
            self._owed = max(0, self._owed - 1)
            return 0
        self._owed = min(self._owed + 1, 60 * self._rate)
        return max(1, ceil(self._owed / self._rate))


class Throttle:
    """Bytes per second that many share, in the order in which they ask.

    now: gives the time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._free_at = now()

    def wait(self, count: int, rate: float) -> float:
        """Take `count` bytes; return after how many seconds they may go. rate 0: no bound.

        What was not used for up to a second is not lost.
        """
        if rate <= 0:
            return 0.0
        now = self._now()
        self._free_at = max(self._free_at, now - 1.0) + count / rate
        return max(0.0, self._free_at - now)

    async def pass_(self, count: int, rate: float) -> None:
        """Return once `count` bytes may go."""
        seconds = self.wait(count, rate)
        if seconds:
            await asyncio.sleep(seconds)
