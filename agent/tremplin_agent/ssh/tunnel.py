"""The session's WebSocket, as the transport of an SSH connection.

`websockets` does the handshake and takes the server's frames apart, without I/O; the bytes
go between its state machine, the TLS connection and asyncssh without queues in between.
What asyncssh does not do for its transport is done here: while the server does not take
what is written, nothing more is read, and `drained` waits. Nothing then asks for more.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import time
from contextlib import suppress
from typing import Any, Callable, Optional, Protocol, Tuple
from urllib.parse import urlsplit, urlunsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from tremplin_agent import wire
from tremplin_agent.dialling import dial

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0
LARGEST_FRAME = 256 * 1024
_HIGH_WATER = 1024 * 1024
_LOW_WATER = 256 * 1024
_MASK = b"\0\0\0\0"
"""Masking keeps a browser's script from speaking to a proxy in words of its choice. These
frames are ciphertext inside TLS, and masking them in Python would cost more than both."""


class SessionOff(Exception):
    """The server does not want this session any more."""


class Above(Protocol):
    """What an SSH connection is to its transport."""

    def connection_made(self, transport: Any) -> None: ...
    def data_received(self, data: bytes) -> Any: ...
    def connection_lost(self, error: Optional[Exception]) -> None: ...


class Tunnel(asyncio.Protocol):
    """One session's WebSocket; `opened` makes them.

    As asyncssh's `tunnel` it makes one connection, `create_connection`; to that connection
    it is the transport (`write`, `close`, `abort`, `is_closing`, `get_extra_info`).
    """

    def __init__(self, protocol: ClientProtocol) -> None:
        loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._transport: Optional[asyncio.Transport] = None
        self._above: Optional[Above] = None
        self._early = b""
        self._in_message = False
        self.answered: asyncio.Future[None] = loop.create_future()
        """Done when the server has let the session in; else SessionOff or OSError."""
        self.over: asyncio.Future[None] = loop.create_future()
        """Done when the server has closed, or the connection is gone."""
        self.closed: asyncio.Future[None] = loop.create_future()
        self._writable = asyncio.Event()
        self._writable.set()
        self.heard_at = self.used_at = time.monotonic()

    # --- towards the server -----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(_HIGH_WATER, _LOW_WATER)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        self._protocol.receive_data(data)
        self._flush()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            elif not self.answered.done():
                self._answer()
        if self._protocol.close_rcvd is not None:
            self._gone(None)

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, error: Optional[Exception]) -> None:
        if self._protocol.state is not State.CLOSED:
            with suppress(EOFError):
                self._protocol.receive_eof()
        if not self.answered.done():
            self.answered.set_exception(error or ConnectionResetError("it hung up"))
        self._gone(error)
        if not self.closed.done():
            self.closed.set_result(None)

    def _gone(self, error: Optional[Exception]) -> None:
        """Tell everyone that the server takes and gives no more."""
        self._writable.set()
        if not self.over.done():
            self.over.set_result(None)
        above, self._above = self._above, None
        if above is not None:
            above.connection_lost(error)

    def pause_writing(self) -> None:
        self._writable.clear()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._writable.set()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _answer(self) -> None:
        """Take the server's answer to the handshake."""
        fault = self._protocol.handshake_exc
        if fault is None:
            self.answered.set_result(None)
        elif isinstance(fault, InvalidStatus) and fault.response.status_code in (401, 404, 409):
            self.answered.set_exception(SessionOff(str(fault)))
        else:
            self.answered.set_exception(OSError(str(fault)))

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._in_message = True
        elif frame.opcode is Opcode.TEXT:
            self._in_message = False
        if not self._in_message or frame.opcode not in (Opcode.BINARY, Opcode.CONT):
            return
        self.used_at = self.heard_at
        if self._above is None:
            self._early += frame.data
        else:
            self._above.data_received(bytes(frame.data))

    def _flush(self) -> None:
        """Send what the state machine has to say: handshake, pongs, close."""
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def ping(self) -> None:
        """Ask for a sign of life."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()

    @property
    def end_code(self) -> Optional[str]:
        """The code that the server closed with, empty for a plain end; None without any."""
        close = self._protocol.close_rcvd
        return None if close is None else close.reason

    async def drained(self) -> None:
        """Return once the server takes what is written."""
        await self._writable.wait()

    async def end(self, code: str) -> None:
        """Close with that code, in two seconds at most."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000, code)
            self._flush()
        if self._protocol.close_sent is not None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.closed), CLOSE_SECONDS)
        self.drop()

    def drop(self) -> None:
        """Drop the connection without another word: nobody is listening."""
        if self._transport is not None:
            self._transport.abort()

    # --- towards SSH ------------------------------------------------------------------

    async def create_connection(
        self, factory: Callable[[], Above], host: str, port: int
    ) -> Tuple[Tunnel, Above]:
        """Connect an SSH connection to this transport."""
        self._above = factory()
        self._above.connection_made(self)
        early, self._early = self._early, b""
        if early:
            self._above.data_received(early)
        if self.over.done():
            self._above.connection_lost(None)
        return self, self._above

    def write(self, data: bytes) -> None:
        """Send bytes of SSH."""
        if self._transport is None or self._protocol.state is not State.OPEN:
            return
        self.used_at = time.monotonic()
        for start in range(0, len(data), LARGEST_FRAME):
            piece = data if len(data) <= LARGEST_FRAME else data[start : start + LARGEST_FRAME]
            self._transport.write(_head(len(piece)) + piece)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Say nothing of the socket below, which is nothing that SSH should touch."""
        return default

    def is_closing(self) -> bool:
        return self._protocol.state is not State.OPEN

    def close(self) -> None:
        """SSH is done. `end` closes the WebSocket, once what SSH said last is out."""
        self._above = None

    def abort(self) -> None:
        """The same as `close`."""
        self._above = None


def _head(size: int) -> bytes:
    """Return the head of a binary frame (RFC 6455, section 5.2)."""
    if size < 126:
        return struct.pack("!BB4s", 0x82, 0x80 | size, _MASK)
    if size < 65536:
        return struct.pack("!BBH4s", 0x82, 0xFE, size, _MASK)
    return struct.pack("!BBQ4s", 0x82, 0xFF, size, _MASK)


async def opened(url: str, session_id: str, token: str, tls: Optional[ssl.SSLContext]) -> Tunnel:
    """Return the tunnel of a session to the server at the base URL `url`.

    tls: None for a server without TLS, which tests have. Raises SessionOff when the server
    knows no such session, OSError when the way to it does not stand.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    path = parts.path.rstrip("/") + wire.SESSION_PATH + session_id
    target = urlunsplit(("wss" if tls else "ws", parts.netloc, path, "", ""))
    protocol = ClientProtocol(parse_uri(target), max_size=None)
    request = protocol.connect()
    request.headers["Authorization"] = f"Bearer {token}"
    protocol.send_request(request)
    sock = await dial(host, parts.port or (443 if tls else 80))
    loop = asyncio.get_running_loop()
    try:
        _, tunnel = await loop.create_connection(
            lambda: Tunnel(protocol),
            sock=sock,
            ssl=tls,
            server_hostname=host if tls else None,
        )
    except BaseException:
        sock.close()
        raise
    try:
        await tunnel.answered
    except BaseException:
        tunnel.drop()
        raise
    return tunnel
