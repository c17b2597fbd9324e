"""Several workers and several servers on one PostgreSQL: they act as one site."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator

import pytest
from tremplin_agent import wire

from tests import postgres
from tests.control_agent import ControlAgent
from tests.integration.test_gateway import eventually, run, state, state_of, verify
from tests.serving import Server, Servers, servers

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def site(
    postgres_cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    """Two servers with two workers each, on one database, with one CA."""
    postgres_cluster.create("site")
    with servers(tmp_path_factory.mktemp("site")) as made:
        yield _site(made, postgres_cluster.url("site"))
    postgres_cluster.drop("site")


def _site(made: Servers, url: str) -> list[Server]:
    first = made.start(database_url=url, workers=2)
    second = made.make(database_url=url, workers=2)
    # Agents pin one authority, whichever server they reach.
    shutil.copytree(first.directory / "tls", second.directory / "tls")
    second.start()
    return [first, second]


async def spread_out(server: Server, count: int) -> list[ControlAgent]:
    """Connect agents until both workers of a server hold some."""
    key = server.installer()
    agents = [ControlAgent(server) for _ in range(count)]
    for agent in agents:
        await agent.enrol(key)
    return agents


def test_a_command_reaches_agents_of_every_worker_and_server(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        agents = await spread_out(second, 8)
        for agent in agents:
            assert first.api("DELETE", f"/jump-client/{agent.client_id}")[0] == 204
        for agent in agents:
            order = await agent.receive(wire.Command)
            assert order.kind == "uninstall"
            verify(agent, order)

    run(scenario())


def test_a_clone_is_refused_whichever_worker_it_reaches(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        original = ControlAgent(second)
        await original.enrol(second.installer())
        for server in (first, second, first, second):
            copy = original.clone()
            copy.server = server
            await copy.ask_to_connect()
            assert (await copy.refused()).code == "enrol.clone"
        assert state_of(first, original) == "online"
        await (await original.socket.ping())

    run(scenario())


def test_a_dead_original_at_another_server_makes_room(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        agent = ControlAgent(second)
        await agent.enrol(second.installer())
        agent.fall_silent()
        again = agent.clone()
        again.server, again.fingerprint = first, agent.fingerprint
        began = time.monotonic()
        await again.connect()
        assert time.monotonic() - began < 5
        # The first connection's end comes late, and must not mark the second one offline.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(again.socket.recv(), 1)
        assert state_of(first, again) == "online"

    run(scenario())


def test_a_record_taken_over_at_another_server_ends_the_old_connection(
    site: list[Server],
) -> None:
    async def scenario() -> None:
        first, second = site
        key = first.installer(external_id="wanderer")
        old, new = ControlAgent(first), ControlAgent(second)
        await old.enrol(key)
        await new.enrol(key)
        assert new.client_id == old.client_id
        assert (await old.refused()).code == "enrol.key_replaced"
        assert state_of(first, new) == "online"

    run(scenario())


def test_the_clients_of_a_server_that_died_are_taken_over(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        agents = await spread_out(second, 4)
        second.kill()
        await asyncio.gather(*(agent.closed() for agent in agents))
        back, gone = agents[0], agents[1:]
        back.server = first
        began = time.monotonic()
        await back.connect()
        assert time.monotonic() - began < 5
        for agent in gone:
            await state(first, agent, "offline", 40)
        assert state_of(first, back) == "online"
        await asyncio.to_thread(second.start)
        await gone[0].connect()
        assert state_of(first, gone[0]) == "online"

    run(scenario())


def test_the_bus_comes_back_when_the_database_cut_it_off(
    site: list[Server], postgres_cluster: postgres.Cluster
) -> None:
    async def scenario() -> None:
        first, second = site
        agent = ControlAgent(second)
        await agent.enrol(second.installer())
        await asyncio.to_thread(postgres_cluster.cut, "site")
        await eventually(
            lambda: first.api("DELETE", f"/jump-client/{agent.client_id}")[0] in (204, 404),
            "delete",
        )
        order = await asyncio.wait_for(agent.receive(wire.Command), 20)
        assert order.kind == "uninstall"

    run(scenario())
