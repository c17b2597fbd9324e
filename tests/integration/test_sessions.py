"""Sessions through a real server on SQLite: two ends, what joins and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
import pytest
from tremplin_agent.terms import Terms

from tests.integration.test_gateway import HEARTBEAT, eventually, run
from tests.serving import Server, servers
from tests.session_agent import (
    SessionAgent,
    Technician,
    end_of,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("sessions")) as made:
        yield made.start(heartbeat_seconds=HEARTBEAT, session_ports="5432 6000")


@asynccontextmanager
async def agent_of(server: Server, **values: object) -> AsyncIterator[SessionAgent]:
    """Give an agent that has enrolled and takes orders."""
    agent = SessionAgent(server)
    await agent.enrol(server.installer(**values))
    try:
        yield agent
    finally:
        await agent.rest()


async def state(technician: Technician, session_id: str, wanted: str) -> dict[str, Any]:
    """Wait until a session is in a state, and return it."""
    found: dict[str, Any] = {}

    def reached() -> bool:
        found.update(technician.server.api("GET", f"/session/{session_id}")[1])
        return bool(found["state"] == wanted)

    await eventually(reached, f"session {wanted}")
    return found


def test_commands_run_over_a_session(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.serve()
            async with technician.ssh(agent.client_id, reason="a try") as ssh:
                done = await ssh.run("cat", input=b"\0\xff binary", encoding=None)
                assert done.stdout == b"\0\xff binary"
                assert (await ssh.run("exit 3")).exit_status == 3
            found = server.api("GET", f"/session?client_id={agent.client_id}")[1]
            assert len(found) == 1
            over = await state(technician, found[0]["id"], "ended")
            assert over["end_code"] == "session.ended"
            assert over["reason"] == "a try"
            assert over["front"] == "stream"
            assert over["bytes_to_host"] > 500
            assert over["bytes_from_host"] > 500
            assert over["opened_at"] is not None
            assert (await agent.closing()).session_id == found[0]["id"]

    run(scenario())


def test_a_stranger_s_key_is_not_let_in(server: Server) -> None:
    async def scenario() -> None:
        technician, stranger = Technician(server), Technician(server)
        async with agent_of(server) as agent:
            agent.serve()
            with pytest.raises(asyncssh.PermissionDenied):
                async with stranger.ssh(agent.client_id, public_keys=[technician.public_key]):
                    pass

    run(scenario())


def test_the_agent_gets_the_terms(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            started = await technician.start(
                agent.client_id, capabilities=["shell", "forward"], ports=[6000]
            )
            opening = asyncio.ensure_future(technician.stream(started))
            order = await agent.ordered()
            assert order.session_id == started["session_id"]
            terms = Terms.from_json(order.terms)
            assert terms.keys == (technician.public_key,)
            assert terms.capabilities == ("shell", "forward")
            assert terms.ports == (6000,)
            assert not terms.open
            assert terms.technician.startswith("tests-")
            assert terms.record_bytes == 32 * 1024 * 1024
            near = await agent.bring(order)
            far = await opening
            await near.send(b"from the host")
            assert await far.recv() == b"from the host"
            await far.send("text frames are ignored")
            await far.send(b"from the technician")
            assert await near.recv() == b"from the technician"
            await near.close(1000, "session.idle")
            assert await end_of(far) == (1000, "session.idle")
            assert (await state(technician, order.session_id, "ended"))["end_code"] == (
                "session.idle"
            )

    run(scenario())
