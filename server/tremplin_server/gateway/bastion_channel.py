"""The channels of the bastion: the bytes of a session, and the text for who wants a shell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import asyncssh

from tremplin_server.gateway.stream import Gate, Inbox, Stream, splice

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class ChannelStream(asyncssh.SSHTCPSession[bytes]):
    """A direct-tcpip channel as a `Stream`; joined with another one as soon as it is open.

    What the inner SSH sends passes through unread. The channel's window holds the technician
    back while the host does not keep up, and the other way round.
    """

    def __init__(self, other: Stream, spawn: Spawn) -> None:
        self._other = other
        self._spawn = spawn
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._gate = Gate()
        self._inbox = Inbox(self._hold, self._release)
        self._code = ""

    # --- what asyncssh calls ----------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan
        chan.set_write_buffer_limits(high=0)

    def session_started(self) -> None:
        self._spawn(splice(self, self._other))

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._inbox.put(data)

    def eof_received(self) -> bool:
        # An inner SSH that says no more has nothing to hear either.
        self._inbox.end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self._inbox.end()
        self._gate.open()

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    # --- Stream -----------------------------------------------------------------------------

    async def read(self) -> bytes:
        return await self._inbox.get()

    async def write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)
            await self._gate.passed()

    async def close(self, code: str = "") -> None:
        self._code = self._code or code
        self._inbox.end(drop=True)
        if self._channel is not None:
            self._channel.close()
        self._gate.open()

    @property
    def end_code(self) -> str:
        return self._code

    def _hold(self) -> None:
        if self._channel is not None:
            self._channel.pause_reading()

    def _release(self) -> None:
        if self._channel is not None:
            self._channel.resume_reading()


class Half(asyncssh.SSHTCPSession[bytes]):
    """One of two channels that are joined, each end of file on its own.

    other: the half that is open already. It reads nothing before this one is open too, so
    that a service which speaks first is heard from its first byte.
    """

    def __init__(self, other: Half | None = None) -> None:
        self._other = other
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._ended = False
        if other is not None:
            other._other = self

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan
        if self._other is None:
            chan.pause_reading()

    def session_started(self) -> None:
        if self._other is not None and self._other._channel is not None:
            self._other._channel.resume_reading()
        elif self._other is not None:
            self.close()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        channel = self._other._channel if self._other is not None else None
        if channel is not None and not channel.is_closing():
            channel.write(data)

    def eof_received(self) -> bool:
        self._ended = True
        if self._other is None or self._other._channel is None:
            return False
        if self._other._ended:
            self._other.close()
            self.close()
        else:
            self._other._channel.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        if self._other is not None:
            self._other.close()

    def pause_writing(self) -> None:
        if self._other is not None and self._other._channel is not None:
            self._other._channel.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None and self._other._channel is not None:
            self._other._channel.resume_reading()

    def close(self) -> None:
        """Close the channel, once everything in it is sent."""
        if self._channel is not None:
            self._channel.close()


class Notice(asyncssh.SSHServerSession[str]):
    """A session that shows a text and ends with status 1, whatever it was asked to run."""

    def __init__(self, text: Callable[[], Awaitable[str]], spawn: Spawn) -> None:
        self._text = text
        self._spawn = spawn
        self._terminal = False
        self._channel: asyncssh.SSHServerChannel[str] | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        self._channel = chan

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        self._terminal = True
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        return True

    def eof_received(self) -> bool:
        # Whoever has nothing to say still wants to read.
        return True

    def session_started(self) -> None:
        self._spawn(self._show())

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None

    async def _show(self) -> None:
        text = await self._text()
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(text.replace("\n", "\r\n") if self._terminal else text)
            self._channel.exit(1)
