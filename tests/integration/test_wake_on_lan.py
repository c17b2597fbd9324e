"""Waking a host through a neighbour: who is asked, what it is told, who may; both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tremplin_agent import wire
from tremplin_server.clients import reporting, wake_on_lan
from tremplin_server.db import Database
from tremplin_server.errors import Conflict, Denied, NotFound
from tremplin_server.permissions import Actor, system_actor

from tests.control_agent import ControlAgent, cut_all
from tests.personas import Api, People
from tests.serving import Server, servers
from tests.stage import AGENT, Agent, Stage

LAN = "10.77.0.0/24"
OTHER_LAN = "10.78.0.0/24"


def card(number: int, network: str = LAN) -> dict[str, str]:
    return {"mac": f"02{number:010x}", "network": network}


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def host(stage: Stage, number: int, *cards: dict[str, str], online: bool = True) -> Agent:
    made = stage.online(
        stage.installer(), hostname=f"host{number}", fingerprint=f"{number:064x}",
        facts={"networks": list(cards)},
    )  # fmt: skip
    if not online:
        stage.disconnect(made)
    return made


def wake(stage: Stage, agent: Agent, actor: Actor | None = None) -> list[str]:
    with stage.database.work(actor or system_actor()) as work:
        return [one.name for one in wake_on_lan.wake(work, agent.client_id)]


def test_neighbours_of_the_same_network_are_asked(stage: Stage) -> None:
    asleep = host(stage, 1, card(1), card(10, OTHER_LAN), online=False)
    near = host(stage, 2, card(2))
    host(stage, 3, card(3, "10.99.0.0/24"))
    host(stage, 4, card(4), online=False)
    assert wake(stage, asleep) == ["host2"]
    with stage.database.work(system_actor(), read_only=True) as work:
        told = wake_on_lan.targets(work, asleep.client_id, near.client_id)
    assert told == {card(1)["mac"]: LAN}
    assert "client.wake_on_lan" in stage.actions()


def test_the_same_numbers_behind_another_address_are_another_network(stage: Stage) -> None:
    asleep = host(stage, 1, card(1), online=False)
    far = host(stage, 2, card(2))
    with stage.database.work(AGENT) as work:
        work.session.get_one(reporting.JumpClient, far.client_id).public_ip = "198.51.100.7"
    with pytest.raises(Conflict) as refused:
        wake(stage, asleep)
    assert refused.value.code == "wake.nobody"
    assert LAN in str(refused.value)


@pytest.mark.parametrize(("address", "asked"), [("10.77.0.3", ["host2"]), ("10.78.0.3", [])])
def test_without_a_router_the_server_sees_who_stands_together(
    stage: Stage, address: str, asked: list[str]
) -> None:
    asleep = host(stage, 1, card(1), online=False)
    near = host(stage, 2, card(2))
    with stage.database.work(AGENT) as work:
        for agent, seen in ((asleep, "10.77.0.2"), (near, address)):
            work.session.get_one(reporting.JumpClient, agent.client_id).public_ip = seen
    if asked:
        assert wake(stage, asleep) == asked
        return
    with pytest.raises(Conflict):
        wake(stage, asleep)


def test_who_is_awake_or_never_told_its_cards_is_not_woken(stage: Stage) -> None:
    awake = host(stage, 1, card(1))
    silent = host(stage, 2, online=False)
    for agent, code in ((awake, "wake.awake"), (silent, "wake.unknown")):
        with pytest.raises(Conflict) as refused:
            wake(stage, agent)
        assert refused.value.code == code


def test_who_may_not_jump_may_not_wake(stage: Stage, people: People) -> None:
    asleep = host(stage, 1, card(1), online=False)
    host(stage, 2, card(2))
    with pytest.raises(Denied):
        wake(stage, asleep, people.auditor)
    with pytest.raises(NotFound):
        wake(stage, asleep, people.outsider)


@pytest.mark.parametrize(
    "told",
    [
        "10.77.0.0/24",
        [7, None, {}, {"mac": "02:00:00:00:00:01", "network": LAN}],
        [{"mac": "020000000001", "network": "10.77.0.9/24"}],
        [{"mac": "020000000001", "network": ["x"]}],
    ],
)
def test_nonsense_about_network_cards_is_left_out(stage: Stage, told: Any) -> None:
    agent = host(stage, 1, card(1))
    with stage.database.work(AGENT) as work:
        reporting.statistics(work, {agent.client_id: {"networks": told}})
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.networks == []


def test_statistics_that_say_nothing_of_cards_leave_them(stage: Stage) -> None:
    agent = host(stage, 1, card(1))
    with stage.database.work(AGENT) as work:
        reporting.statistics(work, {agent.client_id: {"cpu_percent": 3.0}})
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.networks == [card(1)]


def test_by_the_api(stage: Stage, api: Api) -> None:
    asleep = host(stage, 1, card(1), online=False)
    near = host(stage, 2, card(2))
    answer = api.post(f"/jump-client/{asleep.client_id}/wake")
    assert answer.status_code == 202
    assert answer.json == {"through": [{"id": near.client_id, "name": "host2"}]}
    assert api.post(f"/jump-client/{near.client_id}/wake").json["code"] == "wake.awake"


# --- a real server and its control channels -------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("waking")) as made:
        yield made.start(heartbeat_seconds=2)


def test_the_neighbour_hears_whom_to_wake(server: Server) -> None:
    asyncio.run(_heard(server))


async def _heard(server: Server) -> None:
    asleep, near = ControlAgent(server), ControlAgent(server)
    try:
        for number, agent in enumerate((asleep, near), 1):
            await agent.enrol(server.installer(max_uses=1))
            await agent.send(wire.Statistics({"networks": [card(number)]}))
        await _known(server, asleep, near)
        await asleep.hang_up()
        assert await _woken(server, asleep) == [near.client_id]
        order = await near.receive(wire.WakeOnLan)
        assert order.targets == {card(1)["mac"]: LAN}
    finally:
        await cut_all()


async def _woken(server: Server, asleep: ControlAgent) -> list[int]:
    """Have a host woken as soon as the server knows that it is away; return who was asked."""
    async with asyncio.timeout(10):
        while True:
            path = f"/jump-client/{asleep.client_id}/wake"
            status, answer = await asyncio.to_thread(server.api, "POST", path)
            if status == 202:
                return [one["id"] for one in answer["through"]]
            assert answer["code"] == "wake.awake", answer


async def _known(server: Server, *agents: ControlAgent) -> None:
    """Wait until the server has written what the agents told."""
    async with asyncio.timeout(10):
        for agent in agents:
            path = f"/jump-client/{agent.client_id}"
            while not (await asyncio.to_thread(server.api, "GET", path))[1].get("networks"):
                await asyncio.sleep(0.02)
