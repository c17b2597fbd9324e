"""The control channel of a real server on SQLite, with real WebSockets over TLS."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tremplin_agent import wire

from tests import control_agent
from tests.control_agent import ControlAgent
from tests.serving import Server, Servers, servers

HEARTBEAT = 2
Scenario = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("gateway")) as made:
        yield made.start(heartbeat_seconds=HEARTBEAT)


@pytest.fixture
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers that a test may kill."""
    with servers(tmp_path_factory.mktemp("own")) as made:
        yield made


async def eventually(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Wait until `condition`, which may block, is true."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(0.02)


def state_of(server: Server, agent: ControlAgent) -> str:
    found = server.client(agent.client_id)
    return str(found["state"]) if found else "gone"


async def state(server: Server, agent: ControlAgent, wanted: str, seconds: float = 15.0) -> None:
    await eventually(lambda: state_of(server, agent) == wanted, wanted, seconds)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario, within bounds, and let no connection outlive it."""

    async def bounded() -> None:
        try:
            await asyncio.wait_for(scenario, 100)
        finally:
            await control_agent.cut_all()

    asyncio.run(bounded())


def test_an_agent_enrols_and_is_online_until_it_hangs_up(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer(name="first"))
        assert agent.welcome is not None
        assert agent.welcome.settings["heartbeat_seconds"] == HEARTBEAT
        assert len(wire.b64decode(agent.welcome.server_key)) == 32
        assert state_of(server, agent) == "online"
        await agent.hang_up()
        await state(server, agent, "offline", 2)
        await agent.connect()
        assert state_of(server, agent) == "online"

    run(scenario())


def test_what_an_agent_reports_is_written_down(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        await agent.send(wire.Statistics({"fqdn": "a.example.org", "uptime_seconds": 7}))
        await agent.send(wire.UserChanged("zoe"))
        await agent.send(wire.Log("warning", "agent.test", "a line"))

        def written() -> bool:
            found = server.client(agent.client_id)
            return bool(found.get("fqdn") == "a.example.org" and found.get("console_user") == "zoe")

        await eventually(written, "statistics")
        await agent.send(wire.Disabled())
        await state(server, agent, "disabled")
        await agent.send(wire.Enabled())
        await state(server, agent, "online")
        events = server.api("GET", "/audit?action=client.log")[1]
        assert events[0]["detail"]["code"] == "agent.test"

    run(scenario())


@pytest.mark.parametrize(
    ("frame", "code", "close"),
    [
        ("{", "protocol.error", 1002),
        (
            '{"type": "proof", "client_id": 1, "signature": "", "ca_pin": ""}',
            "protocol.error",
            1002,
        ),
        (b"\x00", "protocol.error", 1002),
        (
            json.dumps(
                {"type": "hello", "protocol": 99, "version": "", "platform": "", "fingerprint": ""}
            ),
            "protocol.version",
            1002,
        ),
    ],
    ids=["no JSON", "proof before hello", "binary", "another version"],
)
def test_bad_first_frames_are_refused(
    server: Server, frame: str | bytes, code: str, close: int
) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.dial()
        await agent.socket.send(frame)
        assert (await agent.receive(wire.Refused)).code == code
        assert await agent.closed() == close

    run(scenario())


def test_a_frame_that_is_too_large_ends_the_connection(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.dial()
        await agent.socket.send("x" * (wire.MAX_FRAME + 1))
        assert await agent.closed() == 1009

    run(scenario())


def test_unknown_messages_are_ignored(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.dial()
        await agent.socket.send('{"type": "of tomorrow", "x": 1}')
        await agent.send(wire.Hello(wire.PROTOCOL_VERSION, "1", "linux-64", "f"))
        await agent.receive(wire.Challenge)

    run(scenario())


def test_a_wrong_proof_a_foreign_pin_and_an_unknown_id_are_refused(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        await agent.hang_up()
        await agent.ask_to_connect(Ed25519PrivateKey.generate())
        assert (await agent.refused()).code == "enrol.bad_proof"

        nonce, pin = await agent.greet(), secrets.token_bytes(32)
        signature = agent.key.sign(wire.proof_bytes(agent.client_id, nonce, pin))
        await agent.send(
            wire.Proof(agent.client_id, wire.b64encode(signature), wire.b64encode(pin))
        )
        assert (await agent.refused()).code == "enrol.bad_proof"

        stranger = ControlAgent(server)
        stranger.client_id = 987_654
        await stranger.ask_to_connect()
        refusal = await stranger.refused()
        assert (refusal.code, refusal.retry_after) == ("client.missing", 3600)

    run(scenario())


def test_a_refused_enrolment_says_why(server: Server) -> None:
    async def scenario() -> None:
        key = server.installer(max_uses=1)
        first, second = ControlAgent(server), ControlAgent(server)
        await first.enrol(key)
        await second.ask_to_enrol(key)
        assert (await second.refused()).code == "install.key_exhausted"

    run(scenario())


def test_a_clone_is_refused_while_the_original_lives(server: Server) -> None:
    async def scenario() -> None:
        original = ControlAgent(server)
        await original.enrol(server.installer())
        copy = original.clone()
        await copy.ask_to_connect()
        refusal = await copy.refused()
        assert refusal.code == "enrol.clone"
        assert refusal.retry_after > 0
        assert state_of(server, original) == "online"
        await (await original.socket.ping())
        events = server.api(
            "GET", f"/audit?action=client.clone_refused&subject_id={original.client_id}"
        )
        assert events[1][0]["detail"]["fingerprint"] == copy.fingerprint

    run(scenario())


def test_a_dead_original_makes_room(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        agent.fall_silent()
        again = agent.clone()
        again.fingerprint = agent.fingerprint
        began = time.monotonic()
        await again.connect()
        assert time.monotonic() - began < 3
        assert state_of(server, again) == "online"

    run(scenario())


def test_a_silent_agent_is_offline_within_two_heartbeats(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        began = time.monotonic()
        agent.fall_silent()
        await state(server, agent, "offline", 2 * HEARTBEAT + 1)
        assert time.monotonic() - began > HEARTBEAT

    run(scenario())


def test_an_idle_agent_that_answers_pings_stays(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(agent.socket.recv(), 3 * HEARTBEAT)
        assert state_of(server, agent) == "online"

    run(scenario())


def test_commands_wait_for_an_agent_that_is_away(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer(max_offline_minutes=60))
        await agent.hang_up()
        await state(server, agent, "offline")
        path = f"/jump-client/{agent.client_id}"
        status, answer = server.api("PATCH", path, {"max_offline_minutes": 90})
        assert status == 200, answer
        await agent.connect()
        command = await agent.receive(wire.Command)
        assert (command.kind, command.client_id) == ("properties", agent.client_id)
        await agent.hang_up()
        await agent.connect()
        again = await agent.receive(wire.Command)
        assert again.id == command.id
        await agent.send(wire.Ack(again.id))
        await agent.send(wire.UserChanged("after the ack"))
        await eventually(
            lambda: server.client(agent.client_id).get("console_user") == "after the ack", "ack"
        )
        await agent.hang_up()
        await agent.connect()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(agent.socket.recv(), 0.5)

    run(scenario())


def verify(agent: ControlAgent, command: wire.Command) -> None:
    """Check the signature of a command as the agent does."""
    assert agent.welcome is not None
    key = Ed25519PublicKey.from_public_bytes(wire.b64decode(agent.welcome.server_key))
    signed = wire.command_bytes(command.id, command.kind, command.client_id, command.body)
    key.verify(wire.b64decode(command.signature), signed)


def tombstone(server: Server, agent: ControlAgent) -> Any:
    found = server.api("GET", "/jump-client/tombstone")[1]
    return next(t for t in found if t["client_id"] == agent.client_id)


def test_deleting_an_online_client_reaches_it_at_once(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        assert server.api("DELETE", f"/jump-client/{agent.client_id}")[0] == 204
        assert server.client(agent.client_id) is None
        order = await agent.receive(wire.Command)
        assert order.kind == "uninstall"
        verify(agent, order)
        await agent.send(wire.Ack(order.id))
        await eventually(lambda: tombstone(server, agent)["closed_at"] is not None, "closed")
        await agent.hang_up()
        await agent.ask_to_connect()
        assert (await agent.refused()).code == "client.uninstalled"

    run(scenario())


def test_deleting_an_offline_client_reaches_it_at_its_return(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        await agent.hang_up()
        await state(server, agent, "offline")
        server.api("DELETE", f"/jump-client/{agent.client_id}")
        await agent.connect()
        order = await agent.receive(wire.Command)
        verify(agent, order)
        assert tombstone(server, agent)["closed_at"] is None
        await agent.send(wire.Ack(order.id))
        await agent.send(wire.Uninstalled("command"))
        assert await agent.closed() == 1000
        assert tombstone(server, agent)["closed_at"] is not None

    run(scenario())


def test_a_command_of_the_tremplin_program_reaches_a_connected_agent(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer(name="by-command"))
        command = partial(server.command, "client", "delete", str(agent.client_id))
        await asyncio.to_thread(command)
        order = await asyncio.wait_for(agent.receive(wire.Command), 5)
        assert order.kind == "uninstall"

    run(scenario())


def test_a_farewell_is_confirmed_by_a_normal_close(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        await agent.send(wire.Uninstalled("by_hand"))
        assert await agent.closed() == 1000
        assert state_of(server, agent) == "uninstalled"

    run(scenario())


def test_enrolling_anew_replaces_the_record_and_ends_the_old_connection(server: Server) -> None:
    async def scenario() -> None:
        key = server.installer(external_id="machine-7")
        old = ControlAgent(server)
        await old.enrol(key)
        new = ControlAgent(server)
        await new.enrol(key)
        assert new.client_id == old.client_id
        assert (await old.refused()).code == "enrol.key_replaced"
        assert state_of(server, new) == "online"
        await old.ask_to_connect()
        assert (await old.refused()).code == "enrol.key_replaced"
        assert state_of(server, new) == "online"

    run(scenario())


def test_a_handshake_that_does_not_come_to_an_end_is_ended(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        began = time.monotonic()
        await agent.greet()
        refusal = await asyncio.wait_for(agent.socket.recv(), 13)
        assert json.loads(refusal)["code"] == "protocol.error"
        assert 9 < time.monotonic() - began < 13

    run(scenario())


def test_a_killed_server_is_found_again(own_servers: Servers) -> None:
    async def scenario() -> None:
        server = await asyncio.to_thread(own_servers.start)
        agents = [ControlAgent(server) for _ in range(5)]
        key = server.installer()
        await asyncio.gather(*(agent.enrol(key) for agent in agents))
        server.kill()
        await asyncio.gather(*(agent.closed() for agent in agents))
        gone = agents.pop()
        await asyncio.to_thread(server.start)
        assert state_of(server, gone) == "offline"
        await asyncio.gather(*(agent.connect() for agent in agents))
        assert all(state_of(server, agent) == "online" for agent in agents)

    run(scenario())


def test_a_server_that_stops_drains_and_leaves_everybody_offline(own_servers: Servers) -> None:
    async def scenario() -> None:
        server = await asyncio.to_thread(own_servers.start)
        agent = ControlAgent(server)
        await agent.enrol(server.installer())
        began = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert (await agent.receive(wire.Drain)).spread > 0
        assert await agent.closed() == 1012
        await stopping
        assert time.monotonic() - began < 10
        shown = json.loads(server.command("client", "list", "--json"))
        assert shown[0]["state"] == "offline"

    run(scenario())


def test_enrolments_that_come_too_fast_are_told_to_wait(own_servers: Servers) -> None:
    async def scenario() -> None:
        server = await asyncio.to_thread(own_servers.start, enrolments_per_second=2)
        key = server.installer()
        agents = [ControlAgent(server) for _ in range(6)]
        await asyncio.gather(*(agent.ask_to_enrol(key) for agent in agents))
        frames = await asyncio.gather(*(agent.socket.recv() for agent in agents))
        answers = [json.loads(frame) for frame in frames]
        busy = [answer for answer in answers if answer["type"] == "refused"]
        assert 1 <= len(busy) <= 4
        assert all(a["code"] == "enrol.busy" and a["retry_after"] >= 1 for a in busy)

    run(scenario())


def test_the_address_behind_a_trusted_proxy_is_the_agents_own(own_servers: Servers) -> None:
    async def scenario() -> None:
        server = await asyncio.to_thread(own_servers.start, trusted_proxies=1)
        agent = ControlAgent(server)
        forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.4"}
        dial = agent.dial
        agent.dial = partial(dial, **forwarded)  # type: ignore[method-assign]
        await agent.enrol(server.installer())
        assert server.client(agent.client_id)["public_ip"] == "198.51.100.4"

    run(scenario())


@pytest.mark.parametrize(
    ("settings", "words", "code"),
    [
        ({"workers": 2}, "SQLite serves one worker only", 78),
        ({"database_url": "sqlite:////nonexistent/x.db"}, "not initialised", 78),
    ],
)
def test_a_server_that_cannot_serve_says_why(
    own_servers: Servers, settings: dict[str, Any], words: str, code: int
) -> None:
    server = own_servers.make()
    broken = Server(server.directory, **settings)
    done = broken.run("serve")
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
