"""A shell on a host and the page that shows it. The page may lose its link and come back.

What the shell writes is kept until the page has confirmed it, and the shell is held back
when that is `WINDOW` bytes; a page that comes back says how much it got, and nothing is
lost or shown twice. The other way round the room says how much it took.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import asyncssh

from tremplin_server.errors import CATALOGUE, TremplinError
from tremplin_server.gateway.stream import Gate, Stream
from tremplin_server.gateway.terminal_line import Line
from tremplin_server.gateway.unconfirmed import Unconfirmed
from tremplin_server.logging import logger

WINDOW = 512 * 1024
PIECE = 64 * 1024
KEEP_SECONDS = 60.0
"""How long a shell waits for its page to come back."""

_TELL_TAKEN = 4096
_log = logger(__name__)
_MAX_SIZE = 1000
TERM = "xterm-256color"
ENVIRONMENT: tuple[tuple[bytes | str, bytes | str], ...] = (("LC_CTYPE", "C.UTF-8"),)
"""The page speaks UTF-8, whatever the host's language is."""


class TerminalRoom(asyncssh.SSHClientSession[bytes]):
    """One session. technician: the id of the user whose it is."""

    def __init__(self, session_id: str, technician: int, stream: Stream) -> None:
        self.session_id, self.technician = session_id, technician
        self.web_session = 0
        """The browser's sign-in by which it is shown; the shell ends with that."""
        self.used: set[str] = set()
        """Tickets that pages came back with."""
        self._stream = stream
        self._connection: asyncssh.SSHClientConnection | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._output = Unconfirmed()
        self._held = False
        self._more = asyncio.Event()
        self._gate = Gate()
        self._taken = 0
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._status: int | None = None
        self._signal = ""
        self.over = asyncio.Event()

    async def begin(
        self, connection: asyncssh.SSHClientConnection, columns: int, rows: int
    ) -> None:
        """Start the shell. Raises TremplinError."""
        self._connection = connection
        try:
            await connection.create_session(
                lambda: self,
                term_type=TERM,
                term_size=(bounded(columns), bounded(rows)),
                env=ENVIRONMENT,
                encoding=None,
            )
        except (OSError, asyncssh.Error) as error:
            connection.abort()
            raise TremplinError(self._stream.end_code or "jump.internal") from error

    def end(self) -> None:
        """End the shell and the session."""
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            self._connection.close()

    # --- what the shell does ----------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._output.put(data)
        if len(self._output) >= WINDOW and not self._held and self._channel is not None:
            self._held = True
            self._channel.pause_reading()
        self._more.set()

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._signal = signal

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self.over.set()
        self._more.set()
        self._gate.open()
        self.end()

    # --- the page -----------------------------------------------------------------------------

    async def show(self, line: Line, language: str, received: int | None = None) -> None:
        """Serve a page until its link ends, another page takes over, or the shell is over.

        received: how many bytes a page that comes back has got. Raises TremplinError
        (session.ended) when that cannot be.
        """
        if received is not None and not self._output.confirm(received):
            raise TremplinError("session.ended")
        if self._line is not None:
            await self._leave(self._line, "moved")
        if self._timer is not None:
            self._timer.cancel()
        self._line = line
        self._release()
        begun = {"type": "opened" if received is None else "attached", "taken": self._taken}
        await line.send(json.dumps({**begun, "session_id": self.session_id}))
        sending = asyncio.ensure_future(self._send_output(line, language))
        hearing = asyncio.ensure_future(self._hear(line))
        try:
            await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, hearing):
                task.cancel()
            for end in await asyncio.gather(sending, hearing, return_exceptions=True):
                if isinstance(end, Exception):
                    _log.error("terminal.failed", exc_info=end)
            self._page_went(line)

    def _page_went(self, line: Line) -> None:
        if self._line is not line:
            return
        self._line = None
        if line.left or self.over.is_set():
            self.end()
        else:
            self._timer = asyncio.get_running_loop().call_later(KEEP_SECONDS, self.end)

    async def _leave(self, line: Line, why: str) -> None:
        self._line = None
        await line.send(json.dumps({"type": why}))
        await line.close()

    async def _send_output(self, line: Line, language: str) -> None:
        sent = self._output.start
        while self._line is line:
            sent = max(sent, self._output.start)
            if data := self._output.after(sent, PIECE):
                sent += len(data)
                await line.send(data)
            elif self.over.is_set():
                await line.send(json.dumps(self._farewell(language)))
                await line.close()
                return
            else:
                self._more.clear()
                await self._more.wait()

    def _farewell(self, language: str) -> dict[str, Any]:
        code = self._stream.end_code
        if not code and self._status is None and not self._signal:
            code = "session.host_lost"
        told = TremplinError(code).text(language) if code in CATALOGUE else ""
        how = {"status": self._status, "signal": self._signal}
        return {"type": "ended", "code": code, "message": told, **how}

    async def _hear(self, line: Line) -> None:
        told = self._taken
        while (message := await line.receive()) is not None:
            if isinstance(message, str):
                await self._order(line, message)
                continue
            if self._channel is not None:
                # A shell that has ended takes nothing more; its end is told in a moment.
                with suppress(BrokenPipeError):
                    self._channel.write(message)
                await self._gate.passed()
            self._taken += len(message)
            if self._taken - told >= _TELL_TAKEN:
                told = self._taken
                await line.send(json.dumps({"type": "taken", "bytes": told}))

    async def _order(self, line: Line, text: str) -> None:
        order = parsed(text)
        kind = order.get("type")
        if kind == "received" and isinstance(order.get("bytes"), int):
            if self._output.confirm(order["bytes"]):
                self._release()
        elif kind == "resize" and self._channel is not None:
            columns, rows = bounded(order.get("columns")), bounded(order.get("rows"))
            self._channel.change_terminal_size(columns, rows)
        elif kind == "ping":
            await line.send(json.dumps({"type": "pong"}))

    def _release(self) -> None:
        if self._held and len(self._output) <= WINDOW // 2:
            self._held = False
            if self._channel is not None:
                self._channel.resume_reading()


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object, empty when it is none."""
    try:
        order = json.loads(text)
    except ValueError:
        return {}
    return order if isinstance(order, dict) else {}


def bounded(value: object) -> int:
    """Return a number of columns or rows that a terminal can have."""
    return min(max(value, 1), _MAX_SIZE) if isinstance(value, int) else 1
