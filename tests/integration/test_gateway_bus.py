"""The buses over what really carries them: a unix socket, and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from tremplin_server.gateway.bus import Bus, LocalBus, SocketPublisher
from tremplin_server.gateway.postgres_bus import NotifyPublisher, PostgresBus

from tests import postgres

_numbers = count(1)


class Ear:
    """Collects what a bus delivers."""

    def __init__(self, bus: Bus, topic: str = "t") -> None:
        self.heard: list[int] = []
        self.gaps = 0
        bus.subscribe(topic, lambda body: self.heard.append(body["n"]))
        bus.on_gap(self._gap)

    def _gap(self) -> None:
        self.gaps += 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_command_leaves_notices_at_the_socket_of_a_server(tmp_path: Path) -> None:
    async def scenario() -> None:
        # Deeper than a socket's address is long.
        path = tmp_path / ("d" * 100) / ("e" * 100) / "bus.sock"
        bus = LocalBus(path)
        ear = Ear(bus)
        await bus.start()
        assert path.stat().st_mode & 0o777 == 0o600
        publisher = SocketPublisher(path)
        for number in range(3):
            await asyncio.to_thread(publisher.publish, "t", {"n": number})
        await until(lambda: len(ear.heard) == 3)
        assert ear.heard == [0, 1, 2]
        await bus.stop()
        publisher.publish("t", {"n": 4})
        assert not path.exists()

    asyncio.run(scenario())


def test_a_server_takes_the_place_of_one_that_was_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "run" / "bus.sock"
        killed, bus = LocalBus(path), LocalBus(path)
        await killed.start()
        ear = Ear(bus)
        await bus.start()
        SocketPublisher(path).publish("t", {"n": 1})
        await until(lambda: ear.heard == [1])
        await bus.stop()
        await killed.stop()

    asyncio.run(scenario())


@pytest.fixture
def url(postgres_cluster: postgres.Cluster) -> Iterator[str]:
    name = f"bus_{next(_numbers)}"
    postgres_cluster.create(name)
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.mark.postgres
def test_notices_reach_every_worker_once_and_in_order(url: str) -> None:
    async def scenario() -> None:
        buses = [PostgresBus(url) for _ in range(3)]
        ears = [Ear(bus) for bus in buses]
        await asyncio.gather(*(bus.start() for bus in buses))
        for number in range(1000):
            buses[0].publish("t", {"n": number})
        await until(lambda: all(len(ear.heard) == 1000 for ear in ears))
        await asyncio.to_thread(NotifyPublisher(url).publish, "t", {"n": 1000})
        await until(lambda: all(len(ear.heard) == 1001 for ear in ears))
        assert all(ear.heard == list(range(1001)) for ear in ears)
        assert all(ear.gaps == 0 for ear in ears)
        await asyncio.gather(*(bus.stop() for bus in buses))

    asyncio.run(scenario())


@pytest.mark.postgres
def test_a_bus_that_was_cut_off_comes_back_and_tells_of_the_gap(
    url: str, postgres_cluster: postgres.Cluster
) -> None:
    async def scenario() -> None:
        first, second = PostgresBus(url), PostgresBus(url)
        ear = Ear(second)
        await asyncio.gather(first.start(), second.start())
        await asyncio.to_thread(postgres_cluster.cut, url.partition("@/")[2].partition("?")[0])
        await until(lambda: ear.gaps == 1)
        first.publish("t", {"n": 5})
        await until(lambda: ear.heard == [5])
        await asyncio.gather(first.stop(), second.stop())

    asyncio.run(scenario())


def test_notices_from_a_command_without_a_database_are_dropped(
    capfd: pytest.CaptureFixture[str],
) -> None:
    publisher = NotifyPublisher("postgresql+psycopg://nobody@/none?host=/nonexistent")
    publisher.publish("client.changed", {"client_id": 1})
    assert "bus.lost" in capfd.readouterr().err
