"""What a terminal's page and its room say to each other, over whatever lies in between."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tremplin_server.gateway.stream import CHUNK, Stream

MAX_MESSAGE = 1024 * 1024
LEFT = (1000, 1001)
"""Close codes of a page that was left; any other end is a broken link."""

_HEAD = struct.Struct("!BI")
_TEXT, _BINARY, _LEFT, _BROKEN = range(4)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Line(Protocol):
    """Messages both ways: text is JSON, bytes are the terminal's."""

    left: bool
    """Whether the page was left, once `receive` has returned None."""

    async def receive(self) -> str | bytes | None:
        """Return the next message; None once the other end is gone."""

    async def send(self, message: str | bytes) -> None:
        """Send a message; return once there is room again. Nothing happens after the end."""

    async def close(self) -> None:
        """End the line."""


class SocketLine:
    """The WebSocket of a page, already accepted."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._open = True
        self.left = False

    async def receive(self) -> str | bytes | None:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._open = False
            self.left = message.get("code") in LEFT
            return None
        text: str | None = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def send(self, message: str | bytes) -> None:
        if self._open:
            kind = "text" if isinstance(message, str) else "bytes"
            await self._send({"type": "websocket.send", kind: message})

    async def close(self) -> None:
        if self._open:
            self._open = False
            await self._send({"type": "websocket.close", "code": 1000})


class PeerLine:
    """The same messages through another worker: kind, length, content."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self.left = False

    async def receive(self) -> str | bytes | None:
        while True:
            if len(self._buffer) >= _HEAD.size:
                kind, length = _HEAD.unpack_from(self._buffer)
                past = _HEAD.size + length
                if length > MAX_MESSAGE or kind in (_LEFT, _BROKEN):
                    self.left = kind == _LEFT
                    return None
                if len(self._buffer) >= past:
                    content = bytes(self._buffer[_HEAD.size : past])
                    del self._buffer[:past]
                    return content.decode() if kind == _TEXT else content
            data = await self._stream.read()
            if not data:
                return None
            self._buffer += data

    async def send(self, message: str | bytes) -> None:
        kind = _TEXT if isinstance(message, str) else _BINARY
        content = message.encode() if isinstance(message, str) else message
        await self._stream.write(_HEAD.pack(kind, len(content)) + content)

    async def hang_up(self, *, left: bool) -> None:
        """Tell the other worker how the page went, and end."""
        await self._stream.write(_HEAD.pack(_LEFT if left else _BROKEN, 0))
        await self.close()

    async def close(self) -> None:
        await self._stream.close()


assert MAX_MESSAGE > CHUNK, "a piece of output is one message"
