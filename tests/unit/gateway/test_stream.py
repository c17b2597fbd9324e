"""Streams: order, ends, and that nobody holds more than a window."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from tremplin_server.gateway.session_ends import SessionStream, error_of
from tremplin_server.gateway.stream import CHUNK, WINDOW, Gate, Inbox, StreamTransport, splice


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 20))


class End:
    """A stream in memory. `feed` is what its other end sends; `out` is what it got."""

    def __init__(self) -> None:
        self.held = False
        self.out = bytearray()
        self.room = Gate()
        self.closed: list[str] = []
        self._code = ""
        self._inbox = Inbox(self._hold, self._release)

    def _hold(self) -> None:
        self.held = True

    def _release(self) -> None:
        self.held = False

    def feed(self, data: bytes) -> None:
        self._inbox.put(data)

    def leave(self, code: str = "") -> None:
        self._code = code
        self._inbox.end()

    async def read(self) -> bytes:
        return await self._inbox.get()

    async def write(self, data: bytes) -> None:
        self.out += data
        await self.room.passed()

    async def close(self, code: str = "") -> None:
        self.closed.append(code)
        self._inbox.end(drop=True)
        self.room.open()

    @property
    def end_code(self) -> str:
        return self._code


def test_bytes_keep_their_order_and_are_joined() -> None:
    async def scenario() -> None:
        end = End()
        for part in (b"one ", b"", b"two ", b"three"):
            end.feed(part)
        assert await end.read() == b"one two three"
        end.leave()
        end.feed(b"too late")
        assert await end.read() == b""

    run(scenario())


def test_what_was_sent_before_the_end_is_read_unless_it_is_dropped() -> None:
    async def scenario() -> None:
        for drop, wanted in ((False, b"last"), (True, b"")):
            inbox = Inbox(lambda: None, lambda: None)
            inbox.put(b"last")
            inbox.end(drop=drop)
            assert await inbox.get() == wanted

    run(scenario())


def test_a_sender_is_held_back_and_let_go() -> None:
    async def scenario() -> None:
        end = End()
        part = b"x" * 64 * 1024
        for _ in range(WINDOW // len(part)):
            assert not end.held
            end.feed(part)
        assert end.held
        assert len(await end.read()) == CHUNK
        assert not end.held
        large = b"y" * (CHUNK + 1)
        while await _some(end):
            pass
        end.feed(large)
        assert await end.read() == large

    async def _some(end: End) -> bytes:
        return b"" if end._inbox._size == 0 else await end.read()

    run(scenario())


def test_splicing_carries_both_ways_and_tells_why_it_ends() -> None:
    async def scenario() -> None:
        a, b = End(), End()
        joined = asyncio.ensure_future(splice(a, b))
        a.feed(b"to b")
        b.feed(b"to a")
        while not (a.out and b.out):
            await asyncio.sleep(0)
        a.feed(b", and more")
        a.leave("session.idle")
        await joined
        assert (bytes(a.out), bytes(b.out)) == (b"to a", b"to b, and more")
        assert a.closed == b.closed == ["session.idle"]

    run(scenario())


def test_a_writer_without_room_does_not_keep_a_splice_from_ending() -> None:
    async def scenario() -> None:
        a, b = End(), End()
        b.room.shut()
        joined = asyncio.ensure_future(splice(a, b))
        a.feed(b"x")
        while not b.out:
            await asyncio.sleep(0)
        a.feed(b"y")
        b.leave()
        await joined
        assert bytes(b.out) == b"x"

    run(scenario())


def test_a_cancelled_splice_closes_both() -> None:
    async def scenario() -> None:
        a, b = End(), End()
        joined = asyncio.ensure_future(splice(a, b))
        await asyncio.sleep(0)
        joined.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joined
        assert a.closed == b.closed == [""]

    run(scenario())


class Above(asyncio.Protocol):
    """A protocol on a StreamTransport, such as asyncssh's."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.told: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_a_stream_as_a_transport() -> None:
    async def scenario() -> None:
        end, above = End(), Above()
        transport = StreamTransport(end, above)
        end.feed(b"in")
        transport.write(b"out")
        await until(lambda: above.heard and end.out)
        transport.pause_reading()
        end.feed(b"side")
        await asyncio.sleep(0.01)
        assert bytes(above.heard) == b"in"
        transport.resume_reading()
        await until(lambda: bytes(above.heard) == b"inside")
        end.leave()
        await until(lambda: "lost" in above.told)
        assert above.told == ["made", "eof", "lost"]
        assert transport.is_closing()
        assert end.closed

    run(scenario())


def test_a_transport_tells_its_protocol_to_pause() -> None:
    async def scenario() -> None:
        end, above = End(), Above()
        end.room.shut()
        transport = StreamTransport(end, above)
        for _ in range(3 * WINDOW // CHUNK):
            transport.write(b"x" * CHUNK)
        assert above.told == ["made", "pause"]
        assert transport.get_write_buffer_size() == 3 * WINDOW
        transport.close()
        await asyncio.sleep(0.01)
        assert "lost" not in above.told
        end.room.open()
        await until(lambda: "lost" in above.told)
        assert above.told == ["made", "pause", "resume", "lost"]
        assert len(end.out) == 3 * WINDOW

    run(scenario())


@pytest.mark.parametrize("limit_code", ["session.time_up", "session.policy_closed"])
def test_a_session_ends_when_its_time_is_up(limit_code: str) -> None:
    opening: Any = SimpleNamespace(limit_code=limit_code)

    async def scenario() -> None:
        agent, over = End(), []
        tasks: set[asyncio.Task[None]] = set()

        def spawn(work: Any) -> None:
            tasks.add(asyncio.ensure_future(work))

        stream = SessionStream(opening, agent, over.append, spawn)
        agent.feed(b"12345")
        assert await stream.read() == b"12345"
        await stream.write(b"678")
        stream.limit(0.01)
        assert await stream.read() == b""
        await asyncio.gather(*tasks)
        await stream.close("session.stopped")
        assert over == [stream]
        assert (stream.end_code, agent.closed) == (limit_code, [limit_code])
        assert (stream.from_host, stream.to_host) == (5, 3)

    run(scenario())


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("session.idle", "session.idle"),
        ("jump.version", "jump.version"),
        ("client.missing", "client.missing"),
        ("auth.required", "jump.internal"),
        ("nonsense", "jump.internal"),
        ("", "jump.internal"),
    ],
)
def test_an_agent_s_code_is_one_of_ours(code: str, known: str) -> None:
    assert error_of(code, "0.0.1").code == known
