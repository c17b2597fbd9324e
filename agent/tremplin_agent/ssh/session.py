"""One session, in a process of its own: from the server's order to the last process."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Set

import asyncssh

from tremplin_agent.codes import Code
from tremplin_agent.core.identity import Identity
from tremplin_agent.ssh import beyond, orders, tunnel
from tremplin_agent.ssh.commands import Commands
from tremplin_agent.ssh.machine import Machine
from tremplin_agent.ssh.server import host_key, serve
from tremplin_agent.store import Store, StoreError
from tremplin_agent.terms import Terms
from tremplin_agent.tls import NoAnswer, Untrusted, kept_context

_SHOWN_SECONDS = 0.1
"""Between the last words and the end of the connection."""
_FINISH_SECONDS = 5.0

log = logging.getLogger("tremplin.session")


@dataclass(frozen=True)
class Resources:
    """What all sessions share, made once: the agent's directory, host key, TLS."""

    var: Path
    key: asyncssh.SSHKey
    tls: Optional[ssl.SSLContext]


def resources(setup: orders.Setup, url: str) -> Resources:
    """Return what sessions need; StoreError or Untrusted when it is not there."""
    store = Store(Path(setup.var))
    raw = store.private_key()
    if raw is None:
        raise StoreError(f"{setup.var}: no key")
    secure = url.startswith("https:")
    tls = kept_context(bytes.fromhex(setup.ca_pin), store) if secure else None
    return Resources(Path(setup.var), host_key(Identity.from_raw(raw)), tls)


class Session:
    """One session, on a machine that is for it alone."""

    def __init__(self, shared: Resources, order: orders.Open, machine: Machine) -> None:
        self._shared = shared
        self._order = order
        self._terms = Terms.from_json(order.terms)
        self._machine = machine
        self._lines = orders.Lines()
        self._connection: Optional[asyncssh.SSHServerConnection] = None
        self._stopped: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def live(self) -> orders.Ended:
        """Serve until the end; return it once nothing of the session is left."""
        self._machine.listen(self._told, lambda: self._stop(Code.SESSION_REMOVED.value))
        order = self._order
        try:
            way = await tunnel.opened(order.url, order.session_id, order.token, self._shared.tls)
        except tunnel.SessionOff as off:
            return orders.Ended(order.session_id, "", str(off))
        except (OSError, NoAnswer, Untrusted, asyncio.TimeoutError) as error:
            detail = str(error) or type(error).__name__
            return orders.Ended(order.session_id, Code.JUMP_INTERNAL.value, detail)
        if self._terms.notice:
            self._machine.show_notice(self._terms.notice)
        commands = Commands(
            order.session_id, self._terms, self._machine, self._shared.var, way.drained
        )
        code = await self._until_over(way, commands)
        await self._end(way, commands, code)
        return orders.Ended(order.session_id, code)

    def _stop(self, code: str) -> None:
        if not self._stopped.done():
            self._stopped.set_result(code)

    def _told(self, received: bytes) -> None:
        """Take what the agent's main process says; nothing when it is gone."""
        if not received:
            self._stop(Code.SESSION_REMOVED.value)
        for order in self._lines.feed(received):
            if isinstance(order, orders.Close):
                self._stop(order.code)

    # --- until the end ----------------------------------------------------------------

    async def _until_over(self, way: tunnel.Tunnel, commands: Commands) -> str:
        """Return the code of the end, whoever made it."""
        serving = asyncio.ensure_future(self._serve(way, commands))
        watching = asyncio.ensure_future(self._watch(way, commands))
        ways: Set[asyncio.Future[Any]] = {serving, watching, self._stopped, way.over}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
        code = self._code(way, watching)
        await self._say_goodbye(serving, commands, code)
        return code

    def _code(self, way: tunnel.Tunnel, watching: asyncio.Future[str]) -> str:
        if self._stopped.done():
            return self._stopped.result()
        if watching.done() and not watching.cancelled():
            return watching.result()
        if way.over.done() and way.end_code is None:
            return Code.SESSION_HOST_LOST.value
        return way.end_code or ""

    async def _serve(self, way: tunnel.Tunnel, commands: Commands) -> None:
        """Serve SSH until the technician hangs up."""
        try:
            self._connection = await serve(
                way,
                self._terms,
                self._shared.key,
                commands,
                loopback_only=beyond.is_forbidden(self._shared.var),
            )
            await self._connection.wait_closed()
        except (OSError, asyncssh.Error) as error:
            log.info("session %s: %s", self._order.session_id, error)

    async def _watch(self, way: tunnel.Tunnel, commands: Commands) -> str:
        """Return the code of the end once the session has lasted or rested too long, or
        the way to the server is dead. The technician is warned where the terms say so."""
        until = self._order.until or float("inf")
        warn_at = until - self._terms.warn_seconds if self._terms.warning else float("inf")
        heartbeat = self._order.heartbeat
        while True:
            now = time.monotonic()
            silence = now - way.heard_at
            if now >= until:
                return Code.SESSION_TIME_UP.value
            if now >= warn_at:
                warn_at = float("inf")
                commands.say(self._terms.warning)
            idle = self._terms.idle_seconds
            if idle and now - way.used_at >= idle:
                return Code.SESSION_IDLE.value
            if silence >= 2 * heartbeat:
                way.drop()
                return Code.SESSION_HOST_LOST.value
            if silence >= heartbeat:
                way.ping()
            waits = [until - now, warn_at - now, heartbeat / 2]
            if idle:
                waits.append(way.used_at + idle - now)
            await asyncio.sleep(max(0.02, min(waits)))

    # --- the end ----------------------------------------------------------------------

    async def _say_goodbye(
        self, serving: asyncio.Future[None], commands: Commands, code: str
    ) -> None:
        connection = self._connection
        if connection is not None and not serving.done():
            over = code or "session.ended"
            why = self._terms.ends.get(over) or f"the session is over ({over})"
            # OpenSSH ends with its channels, and so without a look at the reason below.
            commands.say(why)
            # It also throws away what it has not shown yet when the reason comes with it.
            await asyncio.sleep(_SHOWN_SECONDS)
            connection.disconnect(asyncssh.DISC_BY_APPLICATION, why)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(serving), 0.5)
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving

    async def _end(self, way: tunnel.Tunnel, commands: Commands, code: str) -> None:
        closing = asyncio.ensure_future(way.end(code))
        await self._machine.end_all()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(commands.finished(), _FINISH_SECONDS)
        await closing


def run(shared: Resources, order: orders.Open, machine: Callable[[], Machine]) -> orders.Ended:
    """Serve a session to its end in this process; return how it ended.

    machine: called once the event loop runs.
    """

    async def live() -> orders.Ended:
        return await Session(shared, order, machine()).live()

    try:
        return asyncio.run(live())
    except Exception as error:
        log.exception("session %s", order.session_id)
        return orders.Ended(order.session_id, Code.JUMP_INTERNAL.value, str(error))
