"""Calling passive Jump Clients: short TCP connections with a signed wake-up; `wire.wake`.

All places where a host may be are tried, a moment after one another and none waiting for
the one before; the first that answers as the host's agent does ends it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass

from tremplin_agent.wire.wake import (
    CHALLENGE_BYTES,
    COMING,
    GREETING,
    NONCE_BYTES,
    WakeUp,
    wake_bytes,
)

from tremplin_server.clients import waking
from tremplin_server.clients.identity import SiteIdentity, site_identity
from tremplin_server.clients.waking import Target
from tremplin_server.gateway.store import Store
from tremplin_server.logging import logger

STAGGER_SECONDS = 0.1
CALL_SECONDS = 7.0
"""How long all the calls of one host may take together; a session waits for ten."""
PLACE_SECONDS = 4.0
LOOK_SECONDS = 15.0
"""How often to look for orders whose notice was lost, or that never had one."""
ORDERS_AT_ONCE = 64
HOSTS_AT_ONCE = 16
_MAX_TRIED = 24

_log = logger(__name__)


class NoAgent(Exception):
    """Who answers there is not the agent that was called."""


@dataclass(slots=True)
class Calls:
    """What became of calling one host. answered: the place where its agent was; or empty.

    tried: every name and address that was called, with the port.
    """

    answered: str = ""
    tried: tuple[str, ...] = ()


class Waker:
    """Calls hosts for one worker; made and used in the event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._identity: SiteIdentity | None = None
        self._look = asyncio.Event()
        self._calls: set[asyncio.Future[None]] = set()
        self._room = asyncio.Semaphore(HOSTS_AT_ONCE)

    # --- one host -------------------------------------------------------------------------

    async def wake(self, target: Target) -> Calls:
        """Call a host at all its places, in CALL_SECONDS at most."""
        identity = await self._site()
        calls = Calls(tried=tuple(_shown(place, target.port) for place in target.places))
        began = asyncio.get_running_loop().time()
        trying = [
            asyncio.ensure_future(self._place(identity, target, place, number * STAGGER_SECONDS))
            for number, place in enumerate(target.places[:_MAX_TRIED])
        ]
        try:
            async with asyncio.timeout(CALL_SECONDS):
                for first in asyncio.as_completed(trying):
                    calls.answered = await first
                    if calls.answered:
                        break
        except TimeoutError:
            pass
        finally:
            for one in trying:
                one.cancel()
            await asyncio.gather(*trying, return_exceptions=True)
        seconds = round(asyncio.get_running_loop().time() - began, 3)
        where = calls.answered or ", ".join(calls.tried)
        _log.info(
            "wake.answered" if calls.answered else "wake.no_answer",
            client_id=target.client_id,
            places=where,
            seconds=seconds,
        )
        return calls

    async def _site(self) -> SiteIdentity:
        if self._identity is None:
            self._identity = await self._store.call(site_identity)
        return self._identity

    async def _place(self, identity: SiteIdentity, target: Target, place: str, delay: float) -> str:
        """Call at one name or address; return where the agent answered, or nothing."""
        await asyncio.sleep(delay)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(place, target.port, type=1)
        except OSError:
            return ""
        for address in dict.fromkeys(str(entry[4][0]) for entry in found):
            if waking.is_allowed(address, target.seen_at):
                with suppress(OSError, asyncio.IncompleteReadError, NoAgent):
                    async with asyncio.timeout(PLACE_SECONDS):
                        await _call(identity, target.client_id, address, target.port)
                    return _shown(place, target.port)
        return ""

    # --- orders ---------------------------------------------------------------------------

    def look(self) -> None:
        """Look soon for clients that an order waits for."""
        self._look.set()

    async def run(self) -> None:
        """Wake, for ever, whom orders wait for."""
        try:
            await self._run()
        finally:
            for call in self._calls:
                call.cancel()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), LOOK_SECONDS)
            self._look.clear()
            try:
                due = await self._store.call(waking.due, ORDERS_AT_ONCE)
            except Exception:
                # The database is away; the next look finds what this one missed.
                _log.exception("wake.orders")
                continue
            for target in due:
                call = asyncio.ensure_future(self._in_turn(target))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
            if len(due) >= ORDERS_AT_ONCE // 2:
                self._look.set()

    async def _in_turn(self, target: Target) -> None:
        async with self._room:
            await self.wake(target)


async def _call(identity: SiteIdentity, client_id: int, address: str, port: int) -> None:
    """Say the wake-up at one address. Raises OSError, IncompleteReadError or NoAgent."""
    reader, writer = await asyncio.open_connection(address, port, limit=1024)
    try:
        greeting = await reader.readexactly(len(GREETING) + CHALLENGE_BYTES)
        if not greeting.startswith(GREETING):
            raise NoAgent(address)
        nonce, at = secrets.token_bytes(NONCE_BYTES), int(time.time())
        signed = wake_bytes(client_id, at, nonce, greeting[len(GREETING) :])
        writer.write(WakeUp(client_id, at, nonce, identity.sign(signed)).pack())
        if await reader.readexactly(len(COMING)) != COMING:
            raise NoAgent(address)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _shown(place: str, port: int) -> str:
    return f"[{place}]:{port}" if ":" in place else f"{place}:{port}"
