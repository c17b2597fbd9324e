"""Sessions, as the agent's main process sees them: orders to a session host, and their ends.

SSH itself is in processes of their own (`tremplin_agent.ssh`): this process stays small,
and no session delays its heartbeats. The session host is started with the first session
and ends by itself when there has been none for a while.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional

from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_agent.core.protocol import CloseSession, OpenSession
from tremplin_agent.ssh import orders
from tremplin_agent.store import Store

SESSIONS_AT_ONCE = 25
STOP_SECONDS = 9.0
"""How long the session host may take to end all sessions. The supervisor waits for ten."""
_DISABLED_SECONDS = 1.0
"""How often to look whether the user has disabled the Jump Client, while there are sessions."""
_BOOT = """\
import socket, sys
agent, parent, *sys.path[:] = sys.argv[1:]
from tremplin_agent.ssh.host import main
main(socket.socket(fileno=int(agent)), int(parent))
"""

log = logging.getLogger("tremplin.sessions")


@dataclass(frozen=True)
class _Open:
    technician: str
    since: float


class Sessions:
    """The sessions of one agent.

    setup: what the session host has to know. send: takes what the server must hear.
    over: called with the id of each session that is over.
    """

    def __init__(
        self,
        setup: orders.Setup,
        store: Store,
        send: Callable[[wire.SessionEnded], None],
        over: Callable[[str], None],
    ) -> None:
        self._setup = setup
        self._store = store
        self._send = send
        self._over = over
        self._open: Dict[str, _Open] = {}
        self._host: Optional[SystemHost] = None
        self._watch: Optional[asyncio.Task[None]] = None
        store.save_sessions([])

    @property
    def are_open(self) -> bool:
        """Whether there is any session."""
        return bool(self._open)

    def open(self, order: OpenSession, url: str, heartbeat: float) -> None:
        """Start a session, or tell the server why not. url: base URL of the server."""
        refusal = self._refusal(order.session_id)
        if refusal is not None:
            self._send(wire.SessionEnded(order.session_id, refusal.value))
            return
        terms = order.terms
        opening = orders.Open(
            order.session_id,
            order.token,
            url=url,
            terms=terms.as_json(),
            heartbeat=heartbeat,
            until=_until(terms.expires_at),
        )
        self._open[order.session_id] = _Open(terms.technician, time.time())
        try:
            self._running_host().send(opening)
        except OSError as error:
            log.error("the session host cannot be started: %s", error)
            self._ended(orders.Ended(order.session_id, Code.JUMP_INTERNAL.value, str(error)))
            return
        log.info("session %s of %s begins", order.session_id, terms.technician or "somebody")
        self._note()
        if self._watch is None:
            self._watch = asyncio.ensure_future(self._until_disabled())

    def close(self, order: CloseSession) -> None:
        """End a session."""
        if order.session_id in self._open and self._host is not None:
            self._host.send(orders.Close(order.session_id, order.code))

    async def stop(self) -> None:
        """End all sessions, in nine seconds at most: the agent ends."""
        if self._watch is not None:
            self._watch.cancel()
        if self._host is not None:
            await self._host.stop()

    def _refusal(self, session_id: str) -> Optional[Code]:
        if self._store.is_disabled:
            return Code.JUMP_DISABLED
        if len(self._open) >= SESSIONS_AT_ONCE:
            return Code.JUMP_HOST_BUSY
        return Code.PROTOCOL_ERROR if session_id in self._open else None

    def _running_host(self) -> SystemHost:
        if self._host is None or self._host.is_over:
            self._host = SystemHost(self._setup, self._ended, self._host_lost)
        return self._host

    def _ended(self, ended: orders.Ended) -> None:
        if self._open.pop(ended.session_id, None) is None:
            return
        log.info("session %s is over: %s", ended.session_id, ended.code or "plain end")
        self._note()
        self._send(wire.SessionEnded(ended.session_id, ended.code, ended.detail))
        self._over(ended.session_id)

    def _host_lost(self, host: SystemHost) -> None:
        """Take all the sessions of a host that is gone for over."""
        if host is not self._host:
            return
        for session_id in list(self._open):
            code = Code.SESSION_HOST_LOST.value
            self._ended(orders.Ended(session_id, code, "the session host died"))

    def _note(self) -> None:
        """Let `status` show the sessions."""
        self._store.save_sessions(
            [{"technician": each.technician, "since": each.since} for each in self._open.values()]
        )

    async def _until_disabled(self) -> None:
        """End all sessions when the user disables the Jump Client."""
        while self._open:
            await asyncio.sleep(_DISABLED_SECONDS)
            if self._store.is_disabled and self._host is not None:
                for session_id in self._open:
                    self._host.send(orders.Close(session_id, Code.SESSION_DISABLED.value))
        self._watch = None


def _until(expires_at: float) -> float:
    """Return when a session that begins now has to end, by the monotonic clock; or 0.

    An end that is past says that the host's clock is wrong, and leaves it to the server's,
    which ends the session in any case.
    """
    left = expires_at - time.time()
    return time.monotonic() + left if left > 0 else 0.0


class _Host:
    """A session host that runs, at the other end of a socket."""

    def __init__(
        self,
        setup: orders.Setup,
        ended: Callable[[orders.Ended], None],
        lost: Callable[[_Host], None],
    ) -> None:
        self._ended = ended
        self._lost = lost
        self._lines = orders.Lines()
        self._loop = asyncio.get_running_loop()
        self._unsent = b""
        self.is_over = False
        self._socket, theirs = socket.socketpair()
        try:
            self._process = _spawn(theirs)
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._hear)
        self.send(setup)

    def send(self, order: orders.Order) -> None:
        """Send an order; one to a host that is gone is lost."""
        self._unsent += orders.encode(order)
        self._flush()

    async def stop(self) -> None:
        """End the host and with it all sessions."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        try:
            await self._loop.run_in_executor(None, self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self.is_over:
            self._hear()
            self._close()

    def _flush(self) -> None:
        while self._unsent and not self.is_over:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._flush)
                return
            except OSError:
                return
        if not self.is_over:
            self._loop.remove_writer(self._socket)

    def _hear(self) -> None:
        try:
            received = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        for order in self._lines.feed(received):
            if isinstance(order, orders.Ended):
                self._ended(order)
        if not received:
            self._close()

    def _close(self) -> None:
        """Forget a host that is gone, and collect its process."""
        if self.is_over:
            return
        self.is_over = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._loop.run_in_executor(None, self._process.wait)
        self._lost(self)


def _spawn(theirs: socket.socket) -> subprocess.Popen[bytes]:
    """Start a session host with this process's own paths, and nothing in its arguments
    that others may not see."""
    paths: List[str] = [path for path in sys.path if path]
    flags = ["-I", "-S"]
    command = [sys.executable, *flags, "-c", _BOOT, str(theirs.fileno()), str(os.getpid()), *paths]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )


if sys.platform == "win32":
    from tremplin_agent.platform.windows_sessions import Host as SystemHost
else:
    SystemHost = _Host
