"""A session's WebSocket as a `Stream`: binary frames are its bytes, in both directions.

It leaves ASGI as an agent's control channel does (decision 0081): between the socket and
whoever reads stand one queue of bounded size and no task.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import struct
from contextlib import suppress
from typing import Any

from tremplin_agent import wire
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol as FrameProtocol
from websockets.protocol import Side, State

from tremplin_server.gateway.stream import CHUNK, Gate, Inbox

CLOSE_SECONDS = 5.0
"""How long the other end may take to answer a closing handshake."""

DEAD_SECONDS = 30
"""After so long without an answer to what was sent, the kernel drops a connection."""

_CODE = re.compile(r"[a-z_.]{1,64}", re.ASCII)
_LOG = logging.getLogger("websockets.server")


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the kernel notice a peer that is gone while nobody reads or writes."""
    found = transport.get_extra_info("socket")
    if found is None or found.family == socket.AF_UNIX:
        return
    # A front that stands still may keep us from reading pongs; the kernel still sees acks.
    with suppress(OSError):
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_SECONDS // 2)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_SECONDS * 1000)


class WebSocketStream(asyncio.Protocol):
    """An open WebSocket without ASGI.

    lost: the code for an end without a closing handshake. It is dropped when the peer
    answers nothing (`ping`), and ends by itself when the server stops.
    """

    def __init__(self, transport: asyncio.Transport, lost: str) -> None:
        self._core = FrameProtocol(
            Side.SERVER, state=State.OPEN, max_size=wire.MAX_FRAME, logger=_LOG
        )
        self._transport = transport
        self._lost = lost
        self._inbox = Inbox(self._hold, self._read_on)
        self._gate = Gate()
        self._connections: set[Any] = set()
        self._is_text = False
        self._closing = False
        self._code: str | None = None
        self._pings = 0
        self.heard_at = asyncio.get_running_loop().time()
        self.pinged_at = 0.0
        transport.set_write_buffer_limits(high=CHUNK)
        keep_alive(transport)

    def keep_in(self, connections: set[Any]) -> None:
        """Leave this set when the connection ends."""
        self._connections = connections

    # --- Stream ---------------------------------------------------------------------------

    async def read(self) -> bytes:
        return await self._inbox.get()

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            await self._gate.passed()
            if self._closing:
                return
            part = data if len(data) <= CHUNK else data[start : start + CHUNK]
            self._core.send_binary(part)
            self._flush()
        await self._gate.passed()

    async def close(self, code: str = "") -> None:
        if self._closing:
            return
        self._end(code, drop=True)
        self._core.send_close(CloseCode.NORMAL_CLOSURE, code)
        self._flush()
        if not self._transport.is_closing():
            # The answer to our close stands behind what was not read.
            self._transport.resume_reading()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)

    @property
    def end_code(self) -> str:
        return self._code or ""

    # --- watching -------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether neither end has closed it."""
        return not self._closing

    @property
    def held(self) -> bool:
        """Whether nothing is read now, not even pongs."""
        return self._inbox.held

    def ping(self) -> None:
        """Ask the peer for a sign of life; it shows in `heard_at`."""
        if self.open:
            self._pings = (self._pings + 1) % 2**32
            self._core.send_ping(struct.pack("!I", self._pings))
            self._flush()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._transport.abort()

    def shutdown(self) -> None:
        """Close because the server stops; uvicorn calls it."""
        if self.open:
            self._end("session.draining", drop=True)
            self._core.send_close(CloseCode.NORMAL_CLOSURE, "session.draining")
            self._flush()
        self._transport.close()

    # --- what the transport says ----------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self._core.receive_data(data)
        for event in self._core.events_received():
            assert isinstance(event, Frame), "the handshake is over"
            self._take(event)
        self._flush()
        if self._core.close_rcvd is not None or self._core.parser_exc is not None:
            self._end(self._lost)
            self._transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._end(self._lost)
        self._gate.open()

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    # --- inside -----------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.BINARY, Opcode.TEXT):
            self._is_text = frame.opcode is Opcode.TEXT
        if frame.opcode is Opcode.CLOSE:
            self._closed_by_peer()
        elif frame.opcode in (Opcode.BINARY, Opcode.CONT) and not self._is_text:
            # Where a message ends is of no interest: the bytes are a stream.
            self._inbox.put(bytes(frame.data))

    def _closed_by_peer(self) -> None:
        close = self._core.close_rcvd
        plain = close is not None and close.code in (
            CloseCode.NORMAL_CLOSURE,
            CloseCode.GOING_AWAY,
            CloseCode.NO_STATUS_RCVD,
        )
        if close is not None and _CODE.fullmatch(close.reason):
            self._end(close.reason)
        else:
            self._end("" if plain else self._lost)

    def _end(self, code: str, *, drop: bool = False) -> None:
        """Note the end, once. drop: nobody shall read what is left."""
        if self._code is None:
            self._code = code
        if not self._closing:
            self._closing = True
            self._inbox.end(drop=drop)
        self._gate.open()

    def _hold(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _read_on(self) -> None:
        # Silence was our own doing.
        self.heard_at = asyncio.get_running_loop().time()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _flush(self) -> None:
        data = b"".join(self._core.data_to_send())
        if data and not self._transport.is_closing():
            self._transport.write(data)
