"""The small link that agents stay on, against the frames of a real WebSocket client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tremplin_server.gateway.link import SettledLink
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol as FrameProtocol
from websockets.protocol import Side, State

LIMIT = 1_000


class Wire(asyncio.Transport):
    """Hands what the server writes to a client's frame protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.client = FrameProtocol(Side.CLIENT, state=State.OPEN)
        self.reading = True
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.client.receive_data(bytes(data))

    def frames(self) -> list[Frame]:
        return [event for event in self.client.events_received() if isinstance(event, Frame)]

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Agent:
    """A settled link with a client on the wire and a receiver that writes down."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []
        self.ends = 0
        self.wire = Wire()
        self.all: set[Any] = set()
        self.link = SettledLink(self.wire, self, LIMIT)
        self.all.add(self.link)
        self.link.keep_in(self.all)

    def received(self, text: str | None) -> None:
        self.heard.append(text)

    def ended(self) -> None:
        self.ends += 1

    def says(self, *frames: Frame) -> None:
        for frame in frames:
            self.link.data_received(frame.serialize(mask=True))


def run(story: Callable[[Agent], Coroutine[Any, Any, None]]) -> None:
    async def with_agent() -> None:
        await story(Agent())

    asyncio.run(with_agent())


def test_messages_come_whole_and_in_order() -> None:
    async def story(agent: Agent) -> None:
        agent.says(
            Frame(Opcode.TEXT, b"one"),
            Frame(Opcode.TEXT, b"tw", fin=False),
            Frame(Opcode.CONT, b"", fin=False),
            Frame(Opcode.CONT, b"o"),
            Frame(Opcode.BINARY, b"\0"),
        )
        assert agent.heard == ["one", "two", None]

    run(story)


def test_a_frame_that_comes_in_pieces_is_one() -> None:
    async def story(agent: Agent) -> None:
        for byte in Frame(Opcode.TEXT, b"slow").serialize(mask=True):
            agent.link.data_received(bytes([byte]))
        assert agent.heard == ["slow"]

    run(story)


def test_a_ping_is_answered_once_for_all_who_ask() -> None:
    async def story(agent: Agent) -> None:
        first, second = agent.link.ping(), agent.link.ping()
        (ping,) = agent.wire.frames()
        assert ping.opcode is Opcode.PING
        agent.says(Frame(Opcode.PONG, b"other"))
        assert not first.done()
        agent.says(Frame(Opcode.PONG, bytes(ping.data)))
        assert await first is True
        assert await second is True

    run(story)


def test_a_ping_of_the_agent_is_answered() -> None:
    async def story(agent: Agent) -> None:
        agent.says(Frame(Opcode.PING, b"?"))
        (pong,) = agent.wire.frames()
        assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"?")

    run(story)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff"), 1007),
        (Frame(Opcode.TEXT, b"x" * (LIMIT + 1)), 1009),
        (Frame(Opcode.CONT, b"of nothing"), 1002),
    ],
)
def test_a_frame_that_must_not_be_ends_the_connection(frame: Frame, code: int) -> None:
    async def story(agent: Agent) -> None:
        agent.says(frame)
        agent.wire.frames()
        assert agent.wire.client.close_rcvd is not None
        assert agent.wire.client.close_rcvd.code == code
        assert agent.heard == []
        agent.link.connection_lost(None)
        assert agent.ends == 1
        assert not agent.all

    run(story)


def test_the_agent_hangs_up() -> None:
    async def story(agent: Agent) -> None:
        waiting = agent.link.ping()
        agent.says(Frame(Opcode.CLOSE, b"\x03\xe8"), Frame(Opcode.TEXT, b"late"))
        assert agent.wire.closed
        agent.link.connection_lost(None)
        assert await waiting is False
        assert await agent.link.ping() is False
        assert agent.heard == []
        assert agent.ends == 1

    run(story)


def test_the_server_hangs_up_and_the_agent_answers() -> None:
    async def story(agent: Agent) -> None:
        agent.link.post("last")
        agent.link.pause()
        agent.link.end(1008, "why")
        agent.link.post("too late")
        assert agent.ends == 1
        assert agent.wire.reading
        assert [frame.opcode for frame in agent.wire.frames()] == [Opcode.TEXT, Opcode.CLOSE]
        agent.says(Frame(Opcode.TEXT, b"crossed on the way"))
        assert not agent.wire.closed
        agent.says(Frame(Opcode.CLOSE, b"\x03\xf0"))
        assert agent.wire.closed
        agent.link.connection_lost(None)
        assert agent.ends == 1
        assert agent.heard == []

    run(story)


def test_a_server_that_stops_says_so() -> None:
    async def story(agent: Agent) -> None:
        agent.link.shutdown()
        agent.wire.frames()
        assert agent.wire.client.close_rcvd is not None
        assert agent.wire.client.close_rcvd.code == 1012
        assert agent.wire.closed
        assert agent.ends == 1

    run(story)
