"""When to try again: pure values, randomness passed in.

Two troubles call for two answers. Where nothing answers (server stopped, network cut) a
try costs the server nothing, so the tries stay quick at first and thin out with the
length of the outage; that brings an agent back within seconds of a short one. Where
something answers and does not let the agent in, it is busy: plain exponential back-off.
Every wait has full jitter, so that agents which lost the server together come back apart.
"""

from __future__ import annotations

from typing import Callable

FIRST_WINDOW = 1.0
"""Seconds over which the first tries after a lost connection spread."""
QUICK_WINDOW = 2.0
"""Seconds between tries at most, while the outage is short."""
LONGEST_WINDOW = 300.0
OUTAGE_SHARE = 1 / 30
"""Which share of the outage so far a silent wait may take."""


class Backoff:
    """The waits of one agent.

    random: gives a float in [0, 1).
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._tries = 0
        self._busy = 0

    def welcomed(self) -> None:
        """Note that the server let the agent in: the next trouble is a new one."""
        self._tries = 0
        self._busy = 0

    def silent(self, outage: float) -> float:
        """Return the seconds to wait when nothing answered.

        outage: seconds since the connection was lost or the agent started.
        """
        self._tries += 1
        if self._tries == 1:
            return self._random() * FIRST_WINDOW
        window = min(LONGEST_WINDOW, max(QUICK_WINDOW, outage * OUTAGE_SHARE))
        return self._random() * window

    def busy(self, retry_after: float = 0) -> float:
        """Return the seconds to wait when the server answered and did not let us in.

        retry_after: what the server asked for; the wait is never shorter.
        """
        window = min(LONGEST_WINDOW, 2.0**self._busy)
        self._busy = min(self._busy + 1, 16)
        if retry_after > 0:
            window = max(1.0, min(window, retry_after * 0.1))
        return retry_after + self._random() * window

    def drained(self, spread: float) -> float:
        """Return the seconds to wait after the server announced that it goes away."""
        return self._random() * min(max(spread, 0.0), LONGEST_WINDOW)
