"""Sessions on Windows: cmd.exe or another shell, in pseudo consoles or with pipes.

Threads read and write; a job object around the session's process ends what it started.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from tremplin_agent.journal import set_up
from tremplin_agent.platform.windows import registry_text
from tremplin_agent.platform.windows_jobs import end_others
from tremplin_agent.platform.windows_notice import show_notice
from tremplin_agent.platform.windows_terminal import PseudoConsole
from tremplin_agent.ssh import orders, session
from tremplin_agent.ssh.machine import Size

THREADS = 256
"""More than a technician's channels need: each holds four at most."""
_CHUNK = 128 * 1024
_NO_WINDOW = 0x08000000
_ENDING = ("HUP", "INT", "KILL", "QUIT", "TERM", "ABRT")
_TAKEN = ("LANG", "COLORTERM", "NO_COLOR")
"""What a client may set, with LC_*."""

log = logging.getLogger("tremplin.session")


@dataclass(frozen=True)
class Login:
    """The agent's user. shell: what OpenSSH's DefaultShell names, else cmd.exe."""

    shell: str
    home: str


def login() -> Login:
    """Return the login of the user that this process runs as."""
    chosen = registry_text(r"SOFTWARE\OpenSSH", "DefaultShell")
    usual = os.environ.get("COMSPEC") or r"C:\Windows\System32\cmd.exe"
    shell = chosen if chosen and Path(chosen).is_file() else usual
    home = os.environ.get("USERPROFILE", "")
    if not home or not Path(home).is_dir():
        home = os.environ.get("SYSTEMDRIVE", "C:") + "\\"
    return Login(shell, home)


def command_line(shell: str, command: Optional[str]) -> str:
    """Return the line that runs a command in a shell, or the shell itself for None."""
    quoted = subprocess.list2cmdline([shell])
    if command is None:
        return quoted
    name = PureWindowsPath(shell).stem.lower()
    if name == "cmd":
        # With /s it takes off these two quotes, and leaves all those between them.
        return f'{quoted} /d /s /c "{command}"'
    return f"{quoted} -c {subprocess.list2cmdline([command])}"


def environment(wanted: Mapping[str, str], own: Mapping[str, str]) -> Dict[str, str]:
    """Return the environment of what a session starts: this process's, and what is added."""
    accepted = {k: v for k, v in wanted.items() if k in _TAKEN or k.startswith("LC_")}
    return {**os.environ, **accepted, **own}


class _Running:
    """What both kinds of programs share. wait: returns the exit status, in a thread."""

    def __init__(self, pool: ThreadPoolExecutor, wait: Callable[[], int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = pool
        self.ended: asyncio.Future[int] = asyncio.ensure_future(self._thread(wait))

    async def _thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._pool, work, *arguments)


class _InTerminal(_Running):
    def __init__(self, pool: ThreadPoolExecutor, console: PseudoConsole) -> None:
        super().__init__(pool, console.wait)
        self._console = console

    async def read(self) -> bytes:
        return bytes(await self._thread(self._console.read))

    async def read_errors(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        await self._thread(self._console.write, data)

    def close_input(self) -> None:
        """Leave the terminal open: it is the output as well."""

    def resize(self, size: Size) -> None:
        self._console.resize(size.columns, size.rows)

    def signal(self, name: str) -> None:
        if name in _ENDING and not self.ended.done():
            self._console.end()

    def close(self) -> None:
        if not self.ended.done():
            self._console.end()
        self._pool.submit(self._console.close)


class _InPipes(_Running):
    def __init__(self, pool: ThreadPoolExecutor, started: subprocess.Popen[bytes]) -> None:
        super().__init__(pool, started.wait)
        self._started = started

    async def read(self) -> bytes:
        return await self._read(self._started.stdout)

    async def read_errors(self) -> bytes:
        return await self._read(self._started.stderr)

    async def _read(self, stream: Any) -> bytes:
        try:
            return bytes(await self._thread(os.read, stream.fileno(), _CHUNK))
        except (OSError, ValueError):
            return b""

    async def write(self, data: bytes) -> None:
        await self._thread(self._write, data)

    def _write(self, data: bytes) -> None:
        assert self._started.stdin is not None
        left = memoryview(data)
        while left:
            left = left[os.write(self._started.stdin.fileno(), left) :]

    def close_input(self) -> None:
        assert self._started.stdin is not None
        with suppress(OSError):
            self._started.stdin.close()

    def resize(self, size: Size) -> None:
        """There is no terminal."""

    def signal(self, name: str) -> None:
        if name in _ENDING and not self.ended.done():
            self._started.terminate()

    def close(self) -> None:
        """Let go of it. Its output is closed with this process: a thread may be reading."""
        self.close_input()


class Windows:
    """`machine.Machine`, for the process of a session, whose event loop runs.

    rest: what was read from stdin already.
    """

    def __init__(self, rest: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(THREADS)
        self._login = login()
        os.chdir(self._login.home)
        self._rest = rest
        self._running: List[Union[_InTerminal, _InPipes]] = []

    @property
    def login(self) -> Login:
        return self._login

    def listen(self, told: Callable[[bytes], None], stop: Callable[[], None]) -> None:
        self._pool.submit(self._hear, told)

    def _hear(self, told: Callable[[bytes], None]) -> None:
        received = self._rest
        while True:
            if received:
                self._loop.call_soon_threadsafe(told, received)
            try:
                received = os.read(0, 65536)
            except OSError:
                received = b""
            if not received:
                self._loop.call_soon_threadsafe(told, b"")
                return

    def in_terminal(
        self,
        command: Optional[str],
        wanted: Mapping[str, str],
        own: Mapping[str, str],
        size: Size,
        modes: Mapping[int, int],
    ) -> _InTerminal:
        line = command_line(self._login.shell, command)
        console = PseudoConsole(
            line, environment(wanted, own), self._login.home, size.columns, size.rows
        )
        running = _InTerminal(self._pool, console)
        self._running.append(running)
        return running

    def in_pipes(
        self, command: Optional[str], wanted: Mapping[str, str], own: Mapping[str, str]
    ) -> _InPipes:
        started = subprocess.Popen(  # noqa: S603 - it is what the technician asks for
            command_line(self._login.shell, command),
            env=environment(wanted, own),
            cwd=self._login.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            creationflags=_NO_WINDOW,
        )
        running = _InPipes(self._pool, started)
        self._running.append(running)
        return running

    def show_notice(self, text: str) -> None:
        show_notice(text)

    async def end_all(self) -> None:
        for running in self._running:
            running.signal("KILL")
        end_others()


def main() -> None:
    """Serve the session that stdin orders, say on stdout how it ended, and end."""
    lines = orders.Lines()
    found: List[orders.Order] = []
    while len(found) < 2:
        received = os.read(0, 65536)
        if not received:
            os._exit(2)
        found += lines.feed(received)
    setup, order = found[:2]
    assert isinstance(setup, orders.Setup)
    assert isinstance(order, orders.Open)
    if setup.log_name:
        set_up(setup.log_name)
    rest = b"".join(orders.encode(each) for each in found[2:])
    ended = session.run(session.resources(setup, order.url), order, lambda: Windows(rest))
    os.write(1, orders.encode(ended))
    # Threads that wait for programs which this process's job ends would hold it up.
    sys.stdout.flush()
    os._exit(0)
