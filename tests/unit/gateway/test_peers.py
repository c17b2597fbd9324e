"""Workers that ask one another who holds a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tremplin_server.gateway.bus import Dispatcher, pack
from tremplin_server.gateway.hub import Hub
from tremplin_server.gateway.peers import BusPeers

from tests.unit.gateway.test_hub import Connection


class Wire:
    """Carries every notice to every bus, as PostgreSQL does."""

    def __init__(self) -> None:
        self.buses: list[WiredBus] = []


class WiredBus(Dispatcher):
    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire
        wire.buses.append(self)

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        pack(topic, body)
        loop = asyncio.get_running_loop()
        for bus in self._wire.buses:
            loop.call_soon(bus.deliver, topic, dict(body))

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None


def workers(*names: str) -> list[Hub]:
    """Return the hubs of workers that know one another."""
    wire, hubs = Wire(), []
    for name in names:
        peers = BusPeers(name, WiredBus(wire))
        hub = Hub(peers)
        peers.listen(hub)
        peers.start(set(names))
        hubs.append(hub)
    return hubs


def test_a_worker_learns_that_another_holds_a_live_connection() -> None:
    async def scenario() -> None:
        here, there, _ = workers("a", "b", "c")
        await there.claim(Connection(client_id=1))
        await there.claim(Connection(client_id=2, alive=False))
        async with asyncio.timeout(1):
            assert await here.live([1, 2, 3]) == {1}

    asyncio.run(scenario())


def test_a_key_that_was_replaced_here_is_closed_there() -> None:
    async def scenario() -> None:
        here, there = workers("a", "b")
        old = Connection(b"old key bytes")
        await there.claim(old)
        await here.claim(Connection(b"new key bytes"))
        assert old.told == ["enrol.key_replaced"]

    asyncio.run(scenario())


def test_of_two_copies_at_two_workers_in_the_same_moment_one_gets_in() -> None:
    async def scenario() -> None:
        hubs = workers("a", "b", "c")
        results = await asyncio.gather(
            *(hub.claim(Connection()) for hub in hubs), return_exceptions=True
        )
        assert sum(result is None for result in results) == 1
        assert sum(len(hub) for hub in hubs) == 1

    asyncio.run(scenario())


def test_hundreds_of_questions_fit_the_bus() -> None:
    async def scenario() -> None:
        here, there = workers("a" * 64, "b" * 64)
        await there.claim(Connection(client_id=2_000_000_399))
        ids = range(2_000_000_000, 2_000_000_400)
        assert await here.live(ids) == {2_000_000_399}

    asyncio.run(scenario())


def test_a_worker_that_came_while_the_living_were_counted_is_known() -> None:
    async def scenario() -> None:
        here, there = workers("a", "b")
        await there.claim(Connection(client_id=1))
        await asyncio.sleep(0)
        assert isinstance(here.peers, BusPeers)
        here.peers.living({"a"})
        assert await here.peers.hold(1, None)
        here.peers.living({"a"})
        assert not await here.peers.hold(1, None)

    asyncio.run(scenario())


def test_a_worker_that_leaves_is_not_waited_for() -> None:
    async def scenario() -> None:
        here, there = workers("a", "b")
        assert isinstance(there.peers, BusPeers)
        there.peers.stop()
        for _ in range(3):
            await asyncio.sleep(0)
        async with asyncio.timeout(0.5):
            assert not await here.peers.hold(1, None)

    asyncio.run(scenario())
