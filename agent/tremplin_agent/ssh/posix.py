"""Sessions on Linux: descriptors, signals, and children that are collected."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Callable, List, Mapping, Optional

from tremplin_agent.ssh import descriptors, orders, session, terminal
from tremplin_agent.ssh.login import Login, login
from tremplin_agent.ssh.machine import Size
from tremplin_agent.ssh.notice import show_notice
from tremplin_agent.ssh.processes import Child, Reaper

UMASK = 0o022
"""What files of a login have; the agent's own are for nobody else."""
_SIGNALS = ("ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM",
            "USR1", "USR2", "CONT", "STOP", "TSTP", "WINCH")  # fmt: skip


class _Running:
    """A program and the descriptors that are ours: `Running`'s common half."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.ended = child.ended

    def signal(self, name: str) -> None:
        if name in _SIGNALS:
            self._child.signal(signal.Signals[f"SIG{name}"])


class _InTerminal(_Running):
    def __init__(self, child: Child, ours: int) -> None:
        super().__init__(child)
        self._ours = ours

    async def read(self) -> bytes:
        return await descriptors.read(self._ours)

    async def read_errors(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        await descriptors.write(self._ours, data)

    def close_input(self) -> None:
        """Leave the terminal open: it is the output as well."""

    def resize(self, size: Size) -> None:
        terminal.resize(self._ours, size)

    def close(self) -> None:
        os.close(self._ours)


class _InPipes(_Running):
    def __init__(self, child: Child, to: int, out: int, errors: int) -> None:
        super().__init__(child)
        self._to, self._out, self._errors = to, out, errors

    async def read(self) -> bytes:
        return await descriptors.read(self._out)

    async def read_errors(self) -> bytes:
        return await descriptors.read(self._errors)

    async def write(self, data: bytes) -> None:
        await descriptors.write(self._to, data)

    def close_input(self) -> None:
        if self._to >= 0:
            os.close(self._to)
        self._to = -1

    def resize(self, size: Size) -> None:
        """There is no terminal."""

    def close(self) -> None:
        self.close_input()
        os.close(self._out)
        os.close(self._errors)


class Posix:
    """`machine.Machine`, for the process of a session, whose event loop runs.

    channel: its other end orders `Close`; when that end is gone, so is the agent.
    """

    def __init__(self, var: Path, channel: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        os.umask(UMASK)
        self._login: Login = login(var)
        os.chdir(self._login.home)
        self._reaper = Reaper(self._loop)

    @property
    def login(self) -> Login:
        return self._login

    def listen(self, told: Callable[[bytes], None], stop: Callable[[], None]) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, stop)
        self._loop.add_reader(self._channel, self._hear, told)

    def _hear(self, told: Callable[[bytes], None]) -> None:
        try:
            received = self._channel.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._loop.remove_reader(self._channel)
        told(received)

    def in_terminal(
        self,
        command: Optional[str],
        wanted: Mapping[str, str],
        own: Mapping[str, str],
        size: Size,
        modes: Mapping[int, int],
    ) -> _InTerminal:
        pair = terminal.opened(size, modes)
        try:
            program = self._login.program(command, wanted, own)
            child = self._reaper.start(program, [pair.theirs] * 3, True)
        except BaseException:
            os.close(pair.ours)
            raise
        finally:
            os.close(pair.theirs)
        return _InTerminal(child, pair.ours)

    def in_pipes(
        self, command: Optional[str], wanted: Mapping[str, str], own: Mapping[str, str]
    ) -> _InPipes:
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = (
            descriptors.big_pipe() for _ in range(3)
        )
        ours = [our_in, our_out, our_err]
        theirs = [their_in, their_out, their_err]
        for descriptor in ours:
            os.set_blocking(descriptor, False)
        try:
            child = self._reaper.start(self._login.program(command, wanted, own), theirs)
        except BaseException:
            _close(ours)
            raise
        finally:
            _close(theirs)
        return _InPipes(child, *ours)

    def show_notice(self, text: str) -> None:
        show_notice(text, self._reaper)

    async def end_all(self) -> None:
        await self._reaper.end_all()


def _close(opened: List[int]) -> None:
    for descriptor in opened:
        os.close(descriptor)


def run(shared: session.Resources, order: orders.Open, channel: socket.socket) -> None:
    """Serve a session to its end in this process, and say on `channel` how it ended."""
    channel.setblocking(False)
    ended = session.run(shared, order, lambda: Posix(shared.var, channel))
    channel.setblocking(True)
    with suppress(OSError):
        channel.sendall(orders.encode(ended))
