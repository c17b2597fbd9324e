"""A WebSocket as the gateway uses it, and the small form of it that agents stay on."""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import TYPE_CHECKING, Any, Protocol

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol as FrameProtocol
from websockets.protocol import Side, State

if TYPE_CHECKING:
    from tremplin_server.gateway.socket_stream import WebSocketStream

CLOSE_SECONDS = 10.0
"""How long a peer may take to answer a closing handshake."""

_LOG = logging.getLogger("websockets.server")


class Link(Protocol):
    """One WebSocket, as the gateway uses it. Times are those of the event loop's clock."""

    heard_at: float
    """When any bytes came in last."""

    @property
    def open(self) -> bool:
        """Whether something can still be sent."""

    def ping(self) -> asyncio.Future[bool]:
        """Send a ping; the future gets True with its pong, False when the peer is lost."""

    def post(self, text: str) -> None:
        """Send a text frame now; nothing happens on a link that is not open."""

    def end(self, code: int, reason: str = "") -> None:
        """Start the closing handshake; nothing happens on a link that is not open."""

    def abort(self) -> None:
        """Drop the connection without a word."""

    def slim(self) -> None:
        """Let go of what only the opening handshake needed."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read on."""

    def settle(self, receiver: Receiver) -> Link:
        """Leave ASGI: frames go to `receiver` from now on, over the link that is returned.

        The peer must be waiting for an answer, so that no frame of it is on its way; the
        ASGI call has to end without another `receive`.
        """


class Carrier(Protocol):
    """A WebSocket whose handshake was just accepted, and that will carry a session."""

    @property
    def open(self) -> bool:
        """Whether something can still be sent."""

    def carry(self, lost: str) -> WebSocketStream:
        """Leave ASGI, as `Link.settle` does, right after accepting: nothing came in yet.

        lost: the stream's `end_code` when it breaks.
        """


class Receiver(Protocol):
    """Who takes what comes over a settled link."""

    def received(self, text: str | None) -> None:
        """Take a text message, or None in place of a binary one."""

    def ended(self) -> None:
        """Take note that the connection is gone or being closed; called once."""


class SettledLink(asyncio.Protocol):
    """An open WebSocket without ASGI, as small as it can be: a server holds thousands."""

    __slots__ = (
        "_closing", "_connections", "_core", "_parts", "_pings", "_pong", "_receiver",
        "_transport", "heard_at",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, receiver: Receiver, max_size: int | None
    ) -> None:
        # A core of its own, already open: the one of the handshake holds on to the request.
        self._core = FrameProtocol(Side.SERVER, state=State.OPEN, max_size=max_size, logger=_LOG)
        self._transport = transport
        self._receiver: Receiver | None = receiver
        self._connections: set[Any] = set()
        self._parts: list[bytes] | None = None
        self._pings = 0
        self._pong: asyncio.Future[bool] | None = None
        self._closing = False
        self.heard_at = asyncio.get_running_loop().time()

    def keep_in(self, connections: set[Any]) -> None:
        """Leave this set when the connection ends."""
        self._connections = connections

    # --- what the transport says ----------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self._core.receive_data(data)
        for event in self._core.events_received():
            assert isinstance(event, Frame), "the handshake is over"
            self._take(event)
        self._flush()
        if self._core.close_rcvd is not None or self._core.parser_exc is not None:
            self._transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._connections.discard(self)
        self._settle_ping(False)
        self._tell_end()

    # --- Link -------------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        return not (self._closing or self._transport.is_closing())

    def ping(self) -> asyncio.Future[bool]:
        if self._pong is not None:
            return self._pong
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self.open:
            pong.set_result(False)
            return pong
        self._pings = (self._pings + 1) % 2**32
        self._pong = pong
        self._core.send_ping(self._payload())
        self._flush()
        return pong

    def post(self, text: str) -> None:
        if self.open:
            self._core.send_text(text.encode())
            self._flush()

    def end(self, code: int, reason: str = "") -> None:
        if not self.open:
            return
        self._closing = True
        self._core.send_close(code, reason)
        self._flush()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._transport.abort)
        self._tell_end()

    def abort(self) -> None:
        self._closing = True
        self._transport.abort()

    def slim(self) -> None:
        return None

    def settle(self, receiver: Receiver) -> Link:
        self._receiver = receiver
        return self

    def pause(self) -> None:
        if self.open:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.open:
            self._transport.resume_reading()

    def shutdown(self) -> None:
        """Close because the server stops; uvicorn calls it."""
        self.end(CloseCode.SERVICE_RESTART)
        self._transport.close()

    # --- inside -----------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.CONT, Opcode.BINARY):
            self._assemble(frame)
        elif frame.opcode is Opcode.PONG and bytes(frame.data) == self._payload():
            self._settle_ping(True)
        elif frame.opcode is Opcode.CLOSE:
            self._closing = True

    def _assemble(self, frame: Frame) -> None:
        """Hand up a message once it is whole; agents send theirs in one frame."""
        if self._closing or self._receiver is None:
            return
        if frame.opcode is Opcode.BINARY:
            self._receiver.received(None)
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._hand_up(bytes(frame.data))
        else:
            self._parts = [*(self._parts or ()), bytes(frame.data)]
            if frame.fin:
                parts, self._parts = self._parts, None
                self._hand_up(b"".join(parts))

    def _hand_up(self, message: bytes) -> None:
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self.end(CloseCode.INVALID_DATA)
            return
        if self._receiver is not None:
            self._receiver.received(text)

    def _tell_end(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.ended()

    def _payload(self) -> bytes:
        return struct.pack("!I", self._pings)

    def _settle_ping(self, answered: bool) -> None:
        if self._pong is not None and not self._pong.done():
            self._pong.set_result(answered)
        self._pong = None

    def _flush(self) -> None:
        data = b"".join(self._core.data_to_send())
        if data and not self._transport.is_closing():
            self._transport.write(data)
