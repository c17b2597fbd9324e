"""Sessions, as the agent's main process sees them on Windows: a process for each, in a job.

Windows cannot fork a host that has loaded SSH, so each session's process loads it anew,
which costs it about a second at its start. It stands in for `sessions._Host`.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, Callable, Dict

from tremplin_agent.codes import Code
from tremplin_agent.platform.windows_jobs import Job
from tremplin_agent.ssh import orders

STOP_SECONDS = 8.0
"""How long sessions may take to end when the agent stops."""
_NO_WINDOW = 0x08000000
_POLL_SECONDS = 0.05

log = logging.getLogger("tremplin.sessions")


class _Process:
    """One session's process. It reads orders on stdin and tells its end on stdout."""

    def __init__(self, order: orders.Open, setup: orders.Setup) -> None:
        self.session_id = order.session_id
        self._job = Job()
        self._popen = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-I", "-S", sys.path[0], "session"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=_NO_WINDOW,
        )
        handle: Any = getattr(self._popen, "_handle", 0)
        # It starts nothing before it has its orders, and so nothing outside of the job.
        self._job.take(int(handle))
        self.send(setup)
        self.send(order)

    def send(self, order: orders.Order) -> None:
        """Give an order; a process that is gone takes none."""
        assert self._popen.stdin is not None
        with suppress(OSError, ValueError):
            self._popen.stdin.write(orders.encode(order))
            self._popen.stdin.flush()

    def hang_up(self) -> None:
        """Let the session end."""
        assert self._popen.stdin is not None
        with suppress(OSError):
            self._popen.stdin.close()

    def wait(self) -> orders.Ended:
        """Return how it ended, once it has and nothing of it is left."""
        assert self._popen.stdout is not None
        ended = orders.Ended(self.session_id, Code.SESSION_HOST_LOST.value, "the process died")
        lines = orders.Lines()
        for line in self._popen.stdout:
            for order in lines.feed(line):
                if isinstance(order, orders.Ended):
                    ended = order
        self._popen.wait()
        self._job.close()
        self._popen.stdout.close()
        self.hang_up()
        return ended

    def kill(self) -> None:
        """End it and all that it started."""
        self._popen.kill()


class Host:
    """The sessions' processes; see `sessions._Host`, whose place it takes."""

    is_over = False

    def __init__(
        self,
        setup: orders.Setup,
        ended: Callable[[orders.Ended], None],
        lost: Callable[[Any], None],
    ) -> None:
        self._setup = setup
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._running: Dict[str, _Process] = {}

    def send(self, order: orders.Order) -> None:
        """Carry out an order; OSError when a process cannot be started."""
        if isinstance(order, orders.Open):
            process = _Process(order, self._setup)
            self._running[order.session_id] = process
            threading.Thread(target=self._await, args=(process,), daemon=True).start()
        elif isinstance(order, orders.Close) and order.session_id in self._running:
            self._running[order.session_id].send(order)

    def _await(self, process: _Process) -> None:
        """Wait for the end of a process, in a thread of its own."""
        ended = process.wait()
        with suppress(RuntimeError):  # The agent's loop is closed, and nobody wants to know.
            self._loop.call_soon_threadsafe(self._over, ended)

    def _over(self, ended: orders.Ended) -> None:
        self._running.pop(ended.session_id, None)
        self._ended(ended)

    async def stop(self) -> None:
        """End all sessions, those that take too long by force."""
        for process in list(self._running.values()):
            process.hang_up()
        until = self._loop.time() + STOP_SECONDS
        while self._running and self._loop.time() < until:
            await asyncio.sleep(_POLL_SECONDS)
        for process in list(self._running.values()):
            process.kill()
