"""What runs in a session: shells and commands, in a terminal or with three pipes."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Awaitable, Callable, Dict, Optional, Sequence

import asyncssh

from tremplin_agent.recordings import DIRECTORY, recording_name
from tremplin_agent.ssh.machine import Machine, Running, Size
from tremplin_agent.ssh.recording import Recording
from tremplin_agent.terms import Capability, Terms

REFUSED_STATUS = 126
NO_FILES = "this session may not transfer files"
_LINGER_SECONDS = 0.1
"""How long a terminal whose program has ended may be silent before it is closed, where
something in the background holds it open."""
_CHUNK = 128 * 1024
_GONE = (OSError, asyncssh.Error)
"""What a write to a channel or a program that is gone raises."""

Process = asyncssh.SSHServerProcess[bytes]
Drained = Callable[[], Awaitable[None]]

log = logging.getLogger("tremplin.session")


def refuse(channel: asyncssh.SSHServerChannel[bytes], why: str) -> None:
    """Say why nothing comes of what a channel asks for, and end it."""
    channel.write(f"Tremplin: {why}\n".encode(), asyncssh.EXTENDED_DATA_STDERR)
    channel.exit(REFUSED_STATUS)


class Commands:
    """Runs what one session asks for.

    var: the agent's own directory. drained: returns once the way to the technician takes
    more, so that a program's output waits in the program.
    """

    def __init__(
        self, session_id: str, terms: Terms, machine: Machine, var: Path, drained: Drained,
    ) -> None:  # fmt: skip
        self._session_id = session_id
        self._terms = terms
        self._machine = machine
        self._recordings = var / DIRECTORY
        self._drained = drained
        self._terminals = 0
        self._running: Dict[asyncio.Future[None], Process] = {}

    async def serve(self, process: Process) -> None:
        """Run what a channel asks for to its end."""
        refusal = self._refusal(process)
        if refusal:
            refuse(process.channel, refusal)
            return
        running = asyncio.ensure_future(self._run(process))
        self._running[running] = process
        running.add_done_callback(self._running.pop)
        # A connection that is gone cancels its tasks; this one has a recording to finish.
        await asyncio.shield(running)

    async def finished(self) -> None:
        """Return once nothing runs any more and the recordings are complete."""
        if self._running:
            await asyncio.wait(set(self._running))

    def say(self, words: str) -> None:
        """Show the technician a line, wherever something runs."""
        for process in self._running.values():
            with suppress(*_GONE):
                if process.term_type is None:
                    process.stderr.write(f"Tremplin: {words}\n".encode())
                else:
                    process.stdout.write(f"\r\nTremplin: {words}\r\n".encode())

    def _refusal(self, process: Process) -> str:
        """Return why the session may not do this, or nothing."""
        granted = self._terms.capabilities
        if process.subsystem is not None:
            return f"there is no subsystem {process.subsystem}"
        if process.command is None:
            may = Capability.SHELL.value in granted
            return "" if may else "this session may not open a shell"
        may = Capability.EXEC.value in granted
        return "" if may else "this session may not run commands"

    async def _run(self, process: Process) -> None:
        try:
            if process.term_type is None:
                await self._in_pipes(process)
            else:
                await self._in_terminal(process)
        except _GONE as error:
            log.info("a program could not be run: %s", error)
            with suppress(*_GONE):
                refuse(process.channel, str(error))

    def _environment(self, process: Process) -> Dict[str, str]:
        own = {
            "TREMPLIN_SESSION": self._session_id,
            "TREMPLIN_TECHNICIAN": self._terms.technician.replace("\0", ""),
        }
        if process.term_type is not None:
            own["TERM"] = process.term_type or "dumb"
        return own

    # --- in a terminal ----------------------------------------------------------------

    async def _in_terminal(self, process: Process) -> None:
        size = Size(*process.term_size)
        running = self._machine.in_terminal(
            process.command, process.env, self._environment(process), size, process.term_modes
        )
        try:
            recording = self._recording(size, process.term_type or "")
            try:
                await self._until_over(process, running, recording)
            finally:
                if recording is not None:
                    recording.finish()
        finally:
            running.close()
        await _tell_exit(process, running)

    async def _until_over(
        self, process: Process, running: Running, recording: Optional[Recording]
    ) -> None:
        """Return once the program, the terminal or the channel is over."""

        def resized(size: Size) -> None:
            running.resize(size)
            if recording is not None:
                recording.resized(size)

        screen = _Screen(running, recording)
        feeding = asyncio.ensure_future(_feed(process, running, resized))
        showing = asyncio.ensure_future(screen.show(lambda data: self._send(process.stdout, data)))
        closed = asyncio.ensure_future(process.wait_closed())
        try:
            await _first_of(running.ended, closed)
            while not (showing.done() or closed.done() or screen.is_quiet()):
                await asyncio.wait({showing, closed}, timeout=_LINGER_SECONDS)
        finally:
            await _stopped(feeding, showing, closed)

    def _recording(self, size: Size, term: str) -> Optional[Recording]:
        if self._terms.record_bytes <= 0:
            return None
        self._terminals += 1
        path = self._recordings / recording_name(self._session_id, self._terminals)
        environment = {"TERM": term, "SHELL": self._machine.login.shell}
        try:
            self._recordings.mkdir(mode=0o700, exist_ok=True)
            return Recording(path, size, self._terms.record_bytes, environment)
        except OSError as error:
            log.warning("a terminal is not recorded: %s", error)
            return None

    # --- with pipes -------------------------------------------------------------------

    async def _in_pipes(self, process: Process) -> None:
        running = self._machine.in_pipes(process.command, process.env, self._environment(process))
        try:
            feeding = asyncio.ensure_future(_feed(process, running))
            reading = [
                asyncio.ensure_future(self._copy(running.read, process.stdout)),
                asyncio.ensure_future(self._copy(running.read_errors, process.stderr)),
            ]
            # As with sshd, what holds the pipes open keeps the channel open.
            done = asyncio.ensure_future(_both(reading, running.ended, process))
            closed = asyncio.ensure_future(process.wait_closed())
            try:
                await _first_of(done, closed)
            finally:
                await _stopped(feeding, done, closed, *reading)
        finally:
            running.close()
        await _tell_exit(process, running)

    async def _copy(self, read: Callable[[], Awaitable[bytes]], to: Any) -> None:
        while True:
            output = await read()
            if not output:
                return
            await self._send(to, output)

    async def _send(self, to: Any, output: bytes) -> None:
        to.write(output)
        await to.drain()
        await self._drained()


class _Screen:
    """Shows what a terminal puts out."""

    def __init__(self, running: Running, recording: Optional[Recording]) -> None:
        self._running = running
        self._recording = recording
        self._waiting_since = float("inf")

    async def show(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Record and send all output until the terminal is hung up."""
        while True:
            self._waiting_since = time.monotonic()
            output = await self._running.read()
            self._waiting_since = float("inf")
            if not output:
                return
            if self._recording is not None:
                self._recording.shown(output)
            await send(output)

    def is_quiet(self) -> bool:
        """Return whether all was sent, and nothing more came for a while."""
        return time.monotonic() - self._waiting_since >= _LINGER_SECONDS


async def _both(
    reading: Sequence[asyncio.Future[None]], ended: asyncio.Future[int], process: Process
) -> None:
    await asyncio.wait(reading)
    for each in reading:
        each.result()
    if not ended.done():
        process.stdout.write_eof()
    await asyncio.shield(ended)


async def _feed(
    process: Process, running: Running, resized: Optional[Callable[[Size], None]] = None
) -> None:
    """Give the program its input, signals and sizes until the channel says that is all.

    resized: set for a terminal.
    """
    taken = True
    try:
        while True:
            data = await _next_input(process, running, resized)
            if not data:
                return
            if taken:
                # What a program does not want to read must not stop its signals.
                taken = await _is_taken(running, data)
    finally:
        running.close_input()


async def _next_input(
    process: Process, running: Running, resized: Optional[Callable[[Size], None]]
) -> bytes:
    """Return the next input, signals and sizes before it carried out; nothing at the end."""
    while True:
        try:
            data: bytes = await process.stdin.read(_CHUNK)
            return data
        except asyncssh.TerminalSizeChanged as change:
            if resized is not None:
                resized(Size(change.width, change.height, change.pixwidth, change.pixheight))
        except asyncssh.SignalReceived as wanted:
            running.signal(str(wanted.signal))
        except asyncssh.BreakReceived:
            continue
        except _GONE:
            return b""


async def _is_taken(running: Running, data: bytes) -> bool:
    try:
        await running.write(data)
    except OSError:
        return False
    return True


async def _tell_exit(process: Process, running: Running) -> None:
    """Send the exit status, or the signal that ended the program."""
    if not running.ended.done():
        return
    status = running.ended.result()
    with suppress(*_GONE):
        if status >= 0:
            process.exit(status)
            return
        try:
            name = signal.Signals(-status).name[len("SIG") :]
        except ValueError:
            name = str(-status)
        process.exit_with_signal(name)


async def _first_of(*waited: asyncio.Future[Any]) -> None:
    await asyncio.wait(set(waited), return_when=asyncio.FIRST_COMPLETED)


async def _stopped(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
