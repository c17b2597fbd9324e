"""How often one address may try a session key; counted in this process (decision 0012)."""

from __future__ import annotations

import ipaddress
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from tremplin_server.errors import Unavailable

A_MINUTE = 10


class Attempts:
    """Counts the keys that were tried; shared by a process's threads."""

    def __init__(self, a_minute: int = A_MINUTE) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerMinute(a_minute)

    def spend(self, address: str) -> None:
        """Count one; Unavailable (request.too_many) when none is left for `address`."""
        if not self._limiter.hit(self._item, "portal", _network(address)):
            raise self._refusal(address)

    def check(self, address: str) -> None:
        """Count none; Unavailable (request.too_many) when none is left for `address`."""
        if not self._limiter.test(self._item, "portal", _network(address)):
            raise self._refusal(address)

    def _refusal(self, address: str) -> Unavailable:
        window = self._limiter.get_window_stats(self._item, "portal", _network(address))
        seconds = max(1, int(window.reset_time - time.time()))
        error = Unavailable("request.too_many", seconds=seconds)
        error.retry_after = seconds
        return error


def _network(address: str) -> str:
    """Return what counts as one source: whoever has one IPv6 address has its whole /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network(f"{found}/64", strict=False))
