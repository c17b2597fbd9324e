"""Who may knock at a passive agent's port, and which wake-up is genuine: pure, no I/O.

Anybody can reach the port. What a stranger costs is bounded: a fixed number of sources is
remembered, and each of them, and all together, get so many tries and no more. Sources from
which the server itself was heard have tries of their own, so that no flood of strangers
keeps it out.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Callable

from tremplin_agent.wire.base import WireError
from tremplin_agent.wire.wake import WakeUp, wake_bytes

SOURCES_KEPT = 256
KNOWN_KEPT = 8
SOURCE_RATE, SOURCE_BURST = 0.5, 5.0
"""Tries per second of one source, and how many it may have saved up."""
TOTAL_RATE, TOTAL_BURST = 10.0, 30.0
KNOWN_RATE, KNOWN_BURST = 2.0, 20.0

Verifier = Callable[[bytes, bytes, bytes], bool]


class Bucket:
    """Tries that fill up with time, up to `burst`."""

    __slots__ = ("_burst", "_left", "_rate", "_since")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._since = burst, now

    def take(self, now: float) -> bool:
        """Take a try, if there is one."""
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Gate:
    """Decides which connections are listened to at all. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._total = Bucket(TOTAL_RATE, TOTAL_BURST, now)
        self._sources: OrderedDict[str, Bucket] = OrderedDict()
        self._known: OrderedDict[str, Bucket] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Return whether a connection from `address` is listened to."""
        source = source_of(address)
        known = self._known.get(source)
        if known is not None:
            return known.take(now)
        bucket = self._sources.pop(source, None) or Bucket(SOURCE_RATE, SOURCE_BURST, now)
        self._sources[source] = bucket
        if len(self._sources) > SOURCES_KEPT:
            self._sources.popitem(last=False)
        # Its own tries first: one loud source must not use up those of all.
        return bucket.take(now) and self._total.take(now)

    def knows(self, address: str, now: float) -> None:
        """Remember that the server was heard from `address`."""
        source = source_of(address)
        known = self._known.pop(source, None) or Bucket(KNOWN_RATE, KNOWN_BURST, now)
        self._known[source] = known
        if len(self._known) > KNOWN_KEPT:
            self._known.popitem(last=False)


def source_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or a /64 of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def genuine(
    raw: bytes, challenge: bytes, client_id: int, server_key: bytes, verify: Verifier
) -> bool:
    """Return whether `raw` is the server's answer to `challenge`, meant for this client."""
    try:
        wake_up = WakeUp.unpack(raw)
    except WireError:
        return False
    if not client_id or wake_up.client_id != client_id:
        return False
    signed = wake_bytes(client_id, wake_up.at, wake_up.nonce, challenge)
    return verify(server_key, wake_up.signature, signed)
