"""The session host: a process that has loaded SSH and forks one process per session.

`tremplin_agent.sessions` starts it, and holds the other end of its socket. It has no event
loop and no threads, so that forking is safe, and serves nothing itself. It ends when the
agent does, or when there has been no session for a while. What the process of a session
leaves behind when it dies, it ends.
"""

from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from typing import Callable, Dict, Optional

from tremplin_agent.codes import Code
from tremplin_agent.journal import set_up
from tremplin_agent.ssh import orders, posix, processes, session
from tremplin_agent.store import StoreError
from tremplin_agent.tls import Untrusted

IDLE_SECONDS = 15 * 60.0
STOP_SECONDS = 8.0
"""How long sessions may take to end when the agent stops."""
_POLL_SECONDS = 60.0

log = logging.getLogger("tremplin.sessions")


class Running:
    """One session's process. ended: what it said, once it has."""

    def __init__(self, session_id: str, pid: int, channel: socket.socket) -> None:
        self.session_id = session_id
        self.pid = pid
        self.channel = channel
        self.lines = orders.Lines()
        self.ended: Optional[orders.Ended] = None


class Host:
    """Forks sessions as the agent orders. agent: the socket to it."""

    def __init__(self, agent: socket.socket) -> None:
        self._agent = agent
        self._lines = orders.Lines()
        self._setup: Optional[orders.Setup] = None
        self._shared: Dict[bool, session.Resources] = {}
        self._running: Dict[int, Running] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self._stopping = False
        self._idle_since = time.monotonic()

    def run(self) -> None:
        """Serve until the agent is gone, or has had no session for a while."""
        processes.heed_signals()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, self._signalled)
        self._selector.register(self._agent, selectors.EVENT_READ, self._hear)
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)
        while not self._stopping and not self._is_idle():
            self._turn(_POLL_SECONDS)
        self._stop()

    def _signalled(self, number: int, frame: object) -> None:
        self._stopping = self._stopping or number == signal.SIGTERM

    def _is_idle(self) -> bool:
        if self._running:
            self._idle_since = time.monotonic()
        return time.monotonic() - self._idle_since >= IDLE_SECONDS

    def _turn(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            heard: Callable[[], None] = key.data
            heard()
        self._collect()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _stop(self) -> None:
        """End all sessions, and then whatever is left."""
        for running in self._running.values():
            self._close(running, Code.SESSION_REMOVED.value)
        until = time.monotonic() + STOP_SECONDS
        while self._running and time.monotonic() < until:
            self._turn(0.2)
        processes.end_below((), processes.collected)

    # --- what the agent orders --------------------------------------------------------

    def _hear(self) -> None:
        try:
            received = self._agent.recv(1024 * 1024)
        except OSError:
            received = b""
        if not received:
            self._stopping = True
            self._selector.unregister(self._agent)
        for order in self._lines.feed(received):
            if isinstance(order, orders.Setup):
                self._setup = order
                if order.log_name:
                    set_up(order.log_name)
            elif isinstance(order, orders.Open):
                self._open(order)
            elif isinstance(order, orders.Close):
                for running in self._running.values():
                    if running.session_id == order.session_id:
                        self._close(running, order.code)

    def _tell(self, ended: orders.Ended) -> None:
        with suppress(OSError):
            self._agent.sendall(orders.encode(ended))

    def _open(self, order: orders.Open) -> None:
        try:
            shared = self._resources(order.url)
            ours, theirs = socket.socketpair()
        except (OSError, ValueError, StoreError, Untrusted) as error:
            self._tell(orders.Ended(order.session_id, Code.JUMP_INTERNAL.value, str(error)))
            return
        host = os.getpid()
        pid = os.fork()
        if not pid:
            ours.close()
            self._become_session(shared, order, theirs, host)
        theirs.close()
        running = Running(order.session_id, pid, ours)
        self._running[pid] = running
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._listen(running))

    def _resources(self, url: str) -> session.Resources:
        assert self._setup is not None
        secure = url.startswith("https:")
        if secure not in self._shared:
            self._shared[secure] = session.resources(self._setup, url)
            # What is there by now stays: the collector would only unshare it by its visits.
            gc.collect()
            gc.freeze()
        return self._shared[secure]

    def _close(self, running: Running, code: str) -> None:
        with suppress(OSError):
            running.channel.sendall(orders.encode(orders.Close(running.session_id, code)))

    # --- a session's process ----------------------------------------------------------

    def _become_session(
        self,
        shared: session.Resources,
        order: orders.Open,
        channel: socket.socket,
        host: int,
    ) -> None:
        """Serve the session in this, the new process, which ends here."""
        status = 70
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            for end in (self._agent, self._woken, self._waker):
                end.close()
            for other in self._running.values():
                other.channel.close()
            processes.set_name("tremplin-sessio")
            processes.adopt_orphans()
            processes.die_with(host)
            posix.run(shared, order, channel)
            status = 0
        except BaseException:
            log.exception("session %s", order.session_id)
        finally:
            os._exit(status)

    def _listen(self, running: Running) -> None:
        """Take what a session's process says."""
        try:
            received = running.channel.recv(65536)
        except OSError:
            received = b""
        if not received:
            self._selector.unregister(running.channel)
        for order in running.lines.feed(received):
            if isinstance(order, orders.Ended):
                running.ended = order

    def _collect(self) -> None:
        for ended in processes.collected():
            running = self._running.pop(ended.pid, None)
            if running is not None:
                self._bury(running, ended.status)

    def _bury(self, running: Running, status: int) -> None:
        """Tell the end of a session; end what it left behind when it died before its time."""
        channel = running.channel
        if channel in self._selector.get_map():
            channel.setblocking(False)
            self._listen(running)
            with suppress(KeyError):
                self._selector.unregister(channel)
        channel.close()
        if running.ended is None:
            log.error("the process of session %s died with %d", running.session_id, status)
            processes.end_below(tuple(self._running), self._collect)
            running.ended = orders.Ended(
                running.session_id, Code.SESSION_HOST_LOST.value, "the process died"
            )
        self._tell(running.ended)


def main(agent: socket.socket, parent: int) -> None:
    """Be the session host of the agent at the other end. parent: its process id."""
    processes.set_name("tremplin-host")
    processes.adopt_orphans()
    processes.die_with(parent)
    Host(agent).run()
