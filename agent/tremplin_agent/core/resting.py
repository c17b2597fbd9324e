"""When a passive agent leaves its server and when it is due again: pure, no I/O."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from tremplin_agent.wire.wake import DEFAULT_PORT

DEFAULT_CHECK_IN_SECONDS = 900.0
VISIT_SECONDS = 2.0
"""How long a visitor waits for another word of the server."""
WOKEN_SECONDS = 30.0
"""How long an agent that was woken waits for what it was woken for."""
AFTERWARDS_SECONDS = 10.0
"""How long it stays after a session: the next one often follows."""


class Rest:
    """One passive (or active) agent between its sessions. Times are monotonic seconds.

    passive: it keeps no connection. visiting: the connection that stands is a visit, which
    takes no session. woken: the server called, and nothing was done about it yet.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.visiting = False
        self.woken = False
        self._linger = VISIT_SECONDS
        self._busy_at = 0.0
        self._take(settings)

    def _take(self, settings: Mapping[str, Any]) -> None:
        self.passive = settings.get("connection_type") == "passive"
        self.port = int(settings.get("wake_port", DEFAULT_PORT)) if self.passive else 0
        self.interval = float(settings.get("check_in_seconds", DEFAULT_CHECK_IN_SECONDS))

    def begins(self, now: float) -> bool:
        """Note that a connection is tried; return whether it is a visit."""
        self.visiting = self.passive and not self.woken
        self._linger = WOKEN_SECONDS if self.woken else VISIT_SECONDS
        self.woken = False
        self._busy_at = now
        return self.visiting

    def let_in(self, settings: Mapping[str, Any], now: float) -> None:
        """Take what the server says at the start; an active agent's connection is no visit."""
        self._take(settings)
        self.visiting = self.visiting and self.passive
        self._busy_at = now

    def changed(self, settings: Mapping[str, Any], now: float) -> None:
        """Take settings that changed on the connection that stands: what it waited for came."""
        self._take(settings)
        self._linger = VISIT_SECONDS
        self._busy_at = now

    def heard(self, now: float) -> None:
        """Note that the server said something."""
        self._busy_at = now

    def left_after(self, busy: bool, in_session: bool, now: float) -> float:
        """Return for how many seconds more to stay connected; 0 or less to leave now.

        busy: a report is being made. in_session: sessions are open.
        """
        if self.visiting and (self.woken or not self.passive):
            return 0.0
        if self.woken:
            self.woken = False
            self._busy_at, self._linger = now, WOKEN_SECONDS
        if in_session:
            self._linger = AFTERWARDS_SECONDS
        if busy or in_session:
            self._busy_at = now
        return self._busy_at + self._linger - now

    def wait(self, random: Callable[[], float]) -> float:
        """Return the seconds until the next visit: never more than the interval.

        The jitter keeps apart those that were started together.
        """
        if not self.passive or self.woken:
            return 0.0
        return self.interval * (0.8 + 0.2 * random())
