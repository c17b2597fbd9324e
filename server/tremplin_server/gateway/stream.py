"""The bytes of a session between its two ends, and joining two of them.

A `Stream` is what everything that carries a session's bytes looks like: the WebSocket of
an agent or a technician's program, the link to another worker, an SSH channel. None of
them holds more than `WINDOW` bytes that were not read yet: a reader that stands still
makes the writer at the other end wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

WINDOW = 512 * 1024
"""Bytes that may wait to be read before the sender is held back."""

CHUNK = 256 * 1024
"""Bytes that are handed on at once, at most."""


class Stream(Protocol):
    """The bytes between a technician's end and an agent's, with back-pressure both ways."""

    async def read(self) -> bytes:
        """Return the next bytes, b"" once the other end is gone and all was read."""

    async def write(self, data: bytes) -> None:
        """Send `data`; return once there is room again. What nobody can get is dropped."""

    async def close(self, code: str = "") -> None:
        """End the stream, telling the other end why: a code of the catalogue or nothing.

        A second call changes nothing. Returns without waiting for the other end.
        """

    @property
    def end_code(self) -> str:
        """Why it ended, once it has; empty for a plain end."""


async def splice(a: Stream, b: Stream) -> None:
    """Carry bytes both ways until either end is gone; then close both, with its reason."""
    there, back = (
        asyncio.ensure_future(_carry(source, target)) for source, target in ((a, b), (b, a))
    )
    try:
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
    finally:
        code = a.end_code or b.end_code
        await asyncio.gather(a.close(code), b.close(code))
        there.cancel()
        back.cancel()
        await asyncio.gather(there, back, return_exceptions=True)


async def _carry(source: Stream, target: Stream) -> None:
    while data := await source.read():
        await target.write(data)


class Inbox:
    """What came in and was not read yet; holds the sender back when it is `WINDOW` bytes.

    hold, release: called to stop and to go on with taking in.
    """

    __slots__ = ("_ended", "_held", "_hold", "_parts", "_release", "_size", "_waiter")

    def __init__(self, hold: Callable[[], None], release: Callable[[], None]) -> None:
        self._hold, self._release = hold, release
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._held = self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def held(self) -> bool:
        """Whether the sender is held back."""
        return self._held

    def put(self, data: bytes) -> None:
        """Take bytes that came in."""
        if not data or self._ended:
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size >= WINDOW and not self._held:
            self._held = True
            self._hold()
        self._wake()

    def end(self, *, drop: bool = False) -> None:
        """Nothing more comes. drop: what was not read yet is lost, too."""
        self._ended = True
        if drop:
            self._parts.clear()
            self._size = 0
        self._wake()

    async def get(self) -> bytes:
        """Return what is there, up to about CHUNK bytes, or wait; b"" at the end."""
        while not self._parts:
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._take()

    def _take(self) -> bytes:
        taken = [self._parts.popleft()]
        size = len(taken[0])
        while self._parts and size + len(self._parts[0]) <= CHUNK:
            taken.append(self._parts.popleft())
            size += len(taken[-1])
        self._size -= size
        if self._held and self._size <= WINDOW // 2:
            self._held = False
            self._release()
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Gate:
    """Whether there is room to write; made for `pause_writing` and `resume_writing`."""

    __slots__ = ("_closed", "_waiters")

    def __init__(self) -> None:
        self._closed = False
        self._waiters: list[asyncio.Future[None]] = []

    def shut(self) -> None:
        """Let writers wait."""
        self._closed = True

    def open(self) -> None:
        """Let writers go on."""
        self._closed = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def passed(self) -> None:
        """Return once the gate is open."""
        while self._closed:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter


class StreamTransport(asyncio.Transport):
    """A stream in the form of an asyncio transport, for asyncssh and its like.

    `StreamTunnel` hands it out. The protocol's `pause_reading` holds the stream back;
    it is told to pause when `WINDOW` bytes wait to be written.
    """

    def __init__(self, stream: Stream, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("tremplin", 0), "sockname": ("tremplin", 0)})
        self._stream, self._protocol = stream, protocol
        self._out: deque[bytes] = deque()
        self._out_size = 0
        self._more = asyncio.Event()
        self._reading = Gate()
        self._closing = self._paused = False
        self._lost = False
        protocol.connection_made(self)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._read()), loop.create_task(self._write())]

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        if self._closing or not data:
            return
        self._out.append(bytes(data))
        self._out_size += len(data)
        self._more.set()
        if self._out_size >= WINDOW and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._more.set()
            self._reading.open()

    def abort(self) -> None:
        self._closing = True
        self._out.clear()
        self._more.set()
        self._reading.open()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading.shut()

    def resume_reading(self) -> None:
        self._reading.open()

    def is_reading(self) -> bool:
        return not self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self._out_size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return None

    async def _read(self) -> None:
        try:
            while not self._closing and (data := await self._stream.read()):
                await self._reading.passed()
                if not self._closing:
                    self._protocol.data_received(data)
        finally:
            if not self._closing:
                self._protocol.eof_received()
            self.close()

    async def _write(self) -> None:
        try:
            while self._out or not self._closing:
                if not self._out:
                    self._more.clear()
                    await self._more.wait()
                    continue
                parts = self._next()
                await self._stream.write(parts)
        finally:
            self._closing = True
            with suppress(Exception):
                await self._stream.close()
            self._tell_lost()

    def _next(self) -> bytes:
        parts = [self._out.popleft()]
        size = len(parts[0])
        while self._out and size + len(self._out[0]) <= CHUNK:
            parts.append(self._out.popleft())
            size += len(parts[-1])
        self._out_size -= size
        if self._paused and self._out_size <= WINDOW // 2:
            self._paused = False
            self._protocol.resume_writing()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _tell_lost(self) -> None:
        if not self._lost:
            self._lost = True
            self._tasks[0].cancel()
            self._protocol.connection_lost(None)


class StreamTunnel:
    """What `asyncssh.connect(host, tunnel=StreamTunnel(stream))` runs over.

    One connection per stream; the host's name is only what asyncssh looks up among the
    known hosts.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def create_connection(
        self, protocol_factory: Callable[..., asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Return a transport over the stream and the protocol on it."""
        protocol = protocol_factory()
        return StreamTransport(self._stream, protocol), protocol
