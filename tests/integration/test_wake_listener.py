"""The port of a passive agent, over real sockets: the server's call, and everything else."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from tremplin_agent import wire
from tremplin_agent.core.identity import Identity, verify
from tremplin_agent.core.wake import SOURCE_BURST
from tremplin_agent.listener import AT_ONCE, Listener
from tremplin_agent.wire.wake import CHALLENGE_BYTES, COMING, GREETING, WAKE_UP_BYTES

from tests.serving import free_port

SERVER = Identity.generate()
CLIENT = 7


class Agent:
    """A listener, and how often it was woken."""

    def __init__(self, port: int) -> None:
        self.port, self.woken = port, 0
        self.listener = Listener(self._count, verify)

    def _count(self) -> None:
        self.woken += 1


@asynccontextmanager
async def agent() -> AsyncIterator[Agent]:
    made = Agent(free_port())
    await made.listener.listen(made.port, CLIENT, SERVER.public_key)
    try:
        yield made
    finally:
        await made.listener.close()


class Call:
    """One call at a listener's port; `challenge` is empty when it hung up at once."""

    def __init__(self, port: int, host: str = "127.0.0.1", source: str = "") -> None:
        self._place = (host, port)
        self._source = (source, 0) if source else None
        self.challenge = b""

    async def __aenter__(self) -> Call:
        self.reader, self.writer = await asyncio.open_connection(
            *self._place, local_addr=self._source
        )
        size = len(GREETING) + CHALLENGE_BYTES
        with suppress(OSError, asyncio.IncompleteReadError):
            greeting = await asyncio.wait_for(self.reader.readexactly(size), 5)
            assert greeting.startswith(GREETING)
            self.challenge = greeting[len(GREETING) :]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def says(self, said: bytes) -> bytes:
        """Say something; return all that is answered until the listener hangs up."""
        try:
            self.writer.write(said)
            return await asyncio.wait_for(self.reader.read(), 8)
        except OSError:
            return b""


def signed(challenge: bytes) -> bytes:
    nonce = os.urandom(16)
    return wire.WakeUp(
        CLIENT, 0, nonce, SERVER.sign(wire.wake_bytes(CLIENT, 0, nonce, challenge))
    ).pack()


async def answer(port: int, said: bytes | None, host: str = "127.0.0.1") -> bytes:
    """Return all that the listener says to `said`; None for a genuine wake-up."""
    async with Call(port, host) as call:
        return await call.says(signed(call.challenge) if said is None else said)


def run(work: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_server_wakes_it_over_ipv4_and_ipv6(host: str) -> None:
    if host == "::1" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")

    async def scenario() -> None:
        async with agent() as made:
            assert await answer(made.port, None, host) == COMING
            assert made.woken == 1

    run(scenario())


def test_a_replayed_wake_up_does_nothing() -> None:
    async def scenario() -> None:
        async with agent() as made:
            async with Call(made.port) as call:
                genuine = signed(call.challenge)
                assert await call.says(genuine) == COMING
            for _ in range(3):
                assert await answer(made.port, genuine) == b""
            assert made.woken == 1

    run(scenario())


GARBAGE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": b"\0" * WAKE_UP_BYTES,
    "the greeting, then noise": GREETING + b"\xff" * (WAKE_UP_BYTES - len(GREETING)),
    "more than it takes": GREETING + b"x" * 200_000,
}


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_hung_up_on_without_a_word(said: bytes) -> None:
    async def scenario() -> None:
        async with agent() as made:
            began = time.monotonic()
            assert await answer(made.port, said) == b""
            assert time.monotonic() - began < 3, "it is not waited for"
            assert await answer(made.port, None) == COMING
            assert made.woken == 1

    run(scenario())


def test_a_flood_costs_little_and_the_server_still_gets_through() -> None:
    async def scenario() -> None:
        async with agent() as made:
            made.listener.gate.knows("127.0.0.2", time.monotonic())
            forged = GREETING + os.urandom(WAKE_UP_BYTES - len(GREETING))
            heard = 0
            for _ in range(200):
                async with Call(made.port) as call:
                    if call.challenge:
                        heard += 1
                        assert await call.says(forged) == b""
            assert heard <= SOURCE_BURST + 3
            assert made.woken == 0
            assert len(made.listener.callers) <= AT_ONCE
            async with Call(made.port, source="127.0.0.2") as call:
                assert await call.says(signed(call.challenge)) == COMING
            assert made.woken == 1

    run(scenario())


def test_connections_that_say_nothing_are_bounded() -> None:
    async def scenario() -> None:
        async with agent() as made, AsyncExitStack() as stack:
            made.listener.gate.knows("127.0.0.1", time.monotonic())
            calls = [await stack.enter_async_context(Call(made.port)) for _ in range(AT_ONCE + 4)]
            assert [bool(call.challenge) for call in calls].count(True) == AT_ONCE

    run(scenario())


def test_a_port_that_is_taken_is_told_and_tried_again() -> None:
    async def scenario() -> None:
        made = Agent(free_port())
        with socket.socket() as other:
            other.bind(("0.0.0.0", made.port))
            other.listen()
            await made.listener.listen(made.port, CLIENT, SERVER.public_key)
            facts = made.listener.facts(["10.0.0.1"])
            assert facts["port"] == 0
            assert str(made.port) in facts["fault"]
            assert "in use" in facts["fault"]
        await made.listener.listen(made.port, CLIENT, SERVER.public_key)
        assert made.listener.facts([]) == {"port": made.port, "addresses": [], "fault": ""}
        await made.listener.listen(0, CLIENT, SERVER.public_key)
        assert made.listener.port == 0
        await made.listener.close()

    run(scenario())
