"""Processes of sessions: how they begin, and that none of them is left.

A session's process, and the host of all sessions, adopt what their children leave behind:
whatever a session started stays below it, daemons too, and can be found and ended. macOS
knows no such thing, and daemons get away there (`platform.macos_processes`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from typing import Callable, Collection, Dict, List, Mapping, NamedTuple, Optional, Set

if sys.platform == "darwin":
    from tremplin_agent.platform import macos_processes as system
else:
    from tremplin_agent.platform import linux_processes as system

adopt_orphans, set_name = system.adopt_orphans, system.set_name

TERM_SECONDS = 2.0
"""How long what a session started may take to end by itself."""
KILL_SECONDS = 2.0
_POLL_SECONDS = 0.02


def die_with(parent: int) -> None:
    """Get SIGTERM once the parent is gone, where the system can; end now when it is gone.

    parent: its process id, taken before this process began.
    """
    system.end_with_parent()
    if os.getppid() != parent:
        raise SystemExit(0)


# --- beginning ------------------------------------------------------------------------


class Program(NamedTuple):
    """What to run. words: argv. path: the file. environment and directory: complete."""

    path: str
    words: List[str]
    environment: Mapping[str, str]
    directory: str


class Child:
    """A process that a session started, in a process group and session of its own."""

    def __init__(self, pid: int, ended: asyncio.Future[int]) -> None:
        self.pid = pid
        self.ended = ended
        """The exit status, or the negative number of the signal that ended it."""

    def signal(self, number: int) -> None:
        """Send a signal to its process group."""
        if not self.ended.done():
            with suppress(OSError):
                os.killpg(self.pid, number)


_leaders: Set[int] = set()
"""The programs that this process has started, each the leader of a POSIX session."""

_PYTHONS_OWN = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them for itself; `subprocess` gives them back to what it starts."""


def heed_signals() -> None:
    """Take every signal again that whoever started the agent had ignored, as `nohup` does.

    Ignoring is inherited, through shells too: Ctrl-C would end nothing in a session.
    """
    for number in signal.valid_signals():
        if number not in _PYTHONS_OWN and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


class Reaper:
    """Starts the children of a process that has an event loop, and collects them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._children: Dict[int, Child] = {}
        loop.add_signal_handler(signal.SIGCHLD, self._collect)

    def start(self, program: Program, streams: List[int], terminal: bool = False) -> Child:
        """Start a program; OSError when it cannot be. streams: its descriptors 0, 1, 2.

        terminal: they are a terminal, which becomes its own.
        """
        started = subprocess.Popen(  # noqa: S603 - it is what the technician asks for
            program.words,
            executable=program.path,
            env=program.environment,
            cwd=program.directory,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            start_new_session=True,
            preexec_fn=_take_terminal if terminal else None,
        )
        # It is collected here, with all the others: `Popen` need not look after it.
        started.returncode = 0
        child = Child(started.pid, self._loop.create_future())
        self._children[child.pid] = child
        _leaders.add(child.pid)
        return child

    def _collect(self) -> None:
        for pid, status in collected():
            child = self._children.pop(pid, None)
            if child is not None and not child.ended.done():
                child.ended.set_result(status)

    async def end_all(self) -> None:
        """End everything below this process; return when nothing of it is left."""
        await self._end(signal.SIGTERM, TERM_SECONDS)
        await self._end(signal.SIGKILL, KILL_SECONDS)

    async def _end(self, number: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        told: Set[int] = set()
        while time.monotonic() < until:
            self._collect()
            if not tell(told, number):
                return
            await asyncio.sleep(_POLL_SECONDS)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def collected() -> List[Ended]:
    """Return the children that have ended since, orphans that were adopted among them."""
    found: List[Ended] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        found.append(Ended(pid, _exit_status(status)))


class Ended(NamedTuple):
    """A process that ended. status: as `Child.ended`."""

    pid: int
    status: int


def _exit_status(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


# --- ending ---------------------------------------------------------------------------


def tell(told: Set[int], number: int, spared: Collection[int] = ()) -> List[int]:
    """Send a signal once to each process below this one; return those that may still end.

    told: those that have had it, brought up to date. spared: children to leave alone,
    with what is below them. Processes of other users, such as what sudo runs, cannot be
    signalled and are not waited for: they get the hang-up of their terminal.
    """
    waited = []
    for pid in below(os.getpid(), spared):
        try:
            if pid not in told:
                told.add(pid)
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)
            os.kill(pid, 0)
        except (PermissionError, ProcessLookupError):
            continue
        waited.append(pid)
    return waited


def below(ancestor: int, spared: Collection[int] = ()) -> List[int]:
    """Return the process ids of all living descendants of a process, parents first."""
    children: Dict[int, List[int]] = {}
    for pid, parent in system.parents(_leaders).items():
        children.setdefault(parent, []).append(pid)
    found: List[int] = []
    waiting = [ancestor]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            if pid not in spared:
                found.append(pid)
                waiting.append(pid)
    return found


def end_below(spared: Collection[int], collect: Callable[[], Optional[object]]) -> None:
    """End all below this process but `spared`, without an event loop. collect: reaps."""
    for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        until = time.monotonic() + seconds
        told: Set[int] = set()
        while time.monotonic() < until and tell(told, number, spared):
            time.sleep(_POLL_SECONDS)
            collect()
