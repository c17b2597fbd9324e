"""A token bucket: how many of something per second, with room for a burst of one second."""

from __future__ import annotations

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
