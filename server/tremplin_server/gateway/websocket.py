"""uvicorn's WebSocket protocol, with what a control channel needs beyond ASGI.

ASGI has no ping, no send without a task, and nothing that says when a peer was last
heard. This subclass adds them and hands itself to the application in the scope, under
`extensions["tremplin.link"]`. Only `serve.py` names this class; the application sees the
`Link` protocol.

ASGI also holds a task, three queues and the opening request for as long as a connection
lasts, 14 KiB that an idle agent never needs. An agent that is in therefore leaves it:
`settle` puts a `SettledLink` on the transport in place of uvicorn's protocol. So does
`carry` with the `WebSocketStream` of a session.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from tremplin_server.gateway.link import Link, Receiver, SettledLink
from tremplin_server.gateway.socket_stream import WebSocketStream

EXTENSION = "tremplin.link"


class ControlWebSocket(WebSocketsSansIOProtocol):
    """A server-side WebSocket that is also a `Link`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heard_at = self.loop.time()
        self._pings = 0
        self._pong: asyncio.Future[bool] | None = None

    @property
    def open(self) -> bool:
        return self.handshake_complete and not (
            self.close_sent or self.disconnected or self.transport.is_closing()
        )

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        super().data_received(data)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The task that runs the application was only scheduled: it will see this.
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[EXTENSION] = self

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._answered(False)

    def handle_pong(self, event: Frame) -> None:
        if bytes(event.data) == self._payload():
            self._answered(True)

    def ping(self) -> asyncio.Future[bool]:
        if not self.open:
            lost: asyncio.Future[bool] = self.loop.create_future()
            lost.set_result(False)
            return lost
        if self._pong is None:
            self._pings = (self._pings + 1) % 2**32
            self._pong = self.loop.create_future()
            self.conn.send_ping(self._payload())
            self._flush()
        return self._pong

    def post(self, text: str) -> None:
        if self.open:
            self.conn.send_text(text.encode())
            self._flush()

    def end(self, code: int, reason: str = "") -> None:
        if not self.open:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self._flush()
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def abort(self) -> None:
        self.transport.abort()

    def slim(self) -> None:
        self.scope["headers"] = []
        del self.request, self.response

    def pause(self) -> None:
        self.transport.pause_reading()

    def resume(self) -> None:
        self.transport.resume_reading()

    def settle(self, receiver: Receiver) -> Link:
        settled = SettledLink(self.transport, receiver, self.config.ws_max_size)
        self._move_to(settled)
        return settled

    def carry(self, lost: str) -> WebSocketStream:
        stream = WebSocketStream(self.transport, lost)
        self._move_to(stream)
        return stream

    def _move_to(self, successor: SettledLink | WebSocketStream) -> None:
        self._answered(False)
        self.transport.set_protocol(successor)
        # The server closes what is in this set when it stops.
        self.connections.discard(self)
        self.connections.add(successor)  # type: ignore[arg-type]
        successor.keep_in(self.connections)
        if self.read_paused:
            self.transport.resume_reading()
        # uvicorn closes the transport when the ASGI call ends.
        self.transport = _MovedOn()

    def _payload(self) -> bytes:
        return struct.pack("!I", self._pings)

    def _answered(self, answered: bool) -> None:
        if self._pong is not None and not self._pong.done():
            self._pong.set_result(answered)
        self._pong = None

    def _flush(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))


class _MovedOn(asyncio.Transport):
    """What uvicorn may close when its connection has gone elsewhere."""

    def close(self) -> None:
        return None

    def is_closing(self) -> bool:
        return True
