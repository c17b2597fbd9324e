"""Sessions over several workers and servers: wherever the three connections land."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from itertools import product

import psutil
import pytest
from tremplin_agent import wire

from tests import postgres
from tests.integration.test_gateway import eventually, run
from tests.integration.test_sessions import agent_of, opened, state
from tests.serving import Server, Servers, servers
from tests.session_agent import STREAM_PATH, Technician, end_of, refusal

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module", params=["unix", "tcp"])
def site(
    request: pytest.FixtureRequest,
    postgres_cluster: postgres.Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[Server]]:
    """Two servers with one worker each: every session knows where it lands."""
    name = f"sessions_{request.param}"
    postgres_cluster.create(name)
    settings = {"peer_bind": "127.0.0.1", "peer_port": "17000"} if request.param == "tcp" else {}
    with servers(tmp_path_factory.mktemp("site")) as made:
        yield _site(made, postgres_cluster.url(name), **settings)
    postgres_cluster.drop(name)


def _site(made: Servers, url: str, **settings: str) -> list[Server]:
    first = made.start(database_url=url, heartbeat_seconds=2, **settings)
    second = made.make(database_url=url, heartbeat_seconds=2, **settings)
    # Agents pin one authority, whichever server they reach.
    shutil.copytree(first.directory / "tls", second.directory / "tls")
    second.start()
    return [first, second]


def test_the_ends_meet_wherever_they_land(site: list[Server]) -> None:
    """The control channel, the agent's socket and the program, each at either server."""

    async def scenario() -> None:
        for control, socket_at, program_at in product(site, repeat=3):
            technician = Technician(site[0])
            async with agent_of(control) as agent:
                agent.dial_at = socket_at
                agent.serve()
                async with technician.ssh(agent.client_id, program_at) as ssh:
                    done = await ssh.run("cat", input=b"\0over", encoding=None)
                    assert done.stdout == b"\0over"
                    much = await ssh.run("yes 3000000", encoding=None)
                    assert len(much.stdout or b"") == 3_000_000
                closing = await agent.closing()
                over = await state(technician, closing.session_id, "ended")
                assert over["end_code"] == "session.ended"
                assert over["bytes_from_host"] > 3_000_000

    run(scenario())


def test_codes_reach_both_ends_over_a_relay(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        technician = Technician(first)
        async with agent_of(second) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            await ends.near.close(1000, "session.idle")
            assert await end_of(ends.far) == (1000, "session.idle")

            ends = await opened(technician, agent)
            status, _ = await asyncio.to_thread(
                second.api, "POST", f"/session/{ends.session_id}/end", {}
            )
            assert status == 200
            assert await end_of(ends.far) == (1000, "session.stopped")
            assert await end_of(ends.near) == (1000, "session.stopped")

            ends = await opened(technician, agent)
            ends.near.transport.abort()
            assert await end_of(ends.far) == (1000, "session.host_lost")

            ends = await opened(technician, agent)
            ends.far.transport.abort()
            assert await end_of(ends.near) == (1000, "")

    run(scenario())


def test_what_an_agent_refuses_reaches_another_worker(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        technician = Technician(first)
        async with agent_of(second) as agent:
            agent.listen()
            started = await technician.start(agent.client_id)
            path = STREAM_PATH + started["session_id"]
            opening = asyncio.ensure_future(refusal(first, path, started["ticket"]))
            order = await agent.ordered()
            await agent.send(wire.SessionEnded(order.session_id, "jump.disabled"))
            assert (await opening)[0] == 423

    run(scenario())


def test_a_token_is_good_once_at_any_worker(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        technician = Technician(first)
        async with agent_of(first) as agent:
            agent.listen()
            started = await technician.start(agent.client_id)
            opening = asyncio.ensure_future(technician.stream(started))
            order = await agent.ordered()
            path = wire.SESSION_PATH + order.session_id
            assert (await refusal(second, path, "x" * 43))[0] == 401
            agent.dial_at = second
            near = await agent.bring(order)
            far = await opening
            for server in site:
                assert (await refusal(server, path, order.token))[0] == 409
            await far.close()
            await end_of(near)

    run(scenario())


def test_a_stalled_reader_holds_the_writer_back_over_a_relay(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        technician = Technician(first)
        async with agent_of(second) as agent:
            agent.listen()
            for source_is_host in (True, False):
                ends = await opened(technician, agent)
                source, target = (ends.near, ends.far) if source_is_host else (ends.far, ends.near)
                sent, part = 0, b"x" * 128 * 1024
                while sent < 256 * 1024 * 1024:
                    try:
                        await asyncio.wait_for(source.send(part), 2)
                    except TimeoutError:
                        break
                    sent += len(part)
                assert sent < 64 * 1024 * 1024
                received = 0
                while received < sent:
                    received += len(await asyncio.wait_for(target.recv(), 10))
                await ends.far.close()

    run(scenario())


def test_a_killed_worker_ends_its_sessions_clearly(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        technician = Technician(first)
        async with agent_of(second) as agent:
            agent.listen()
            # The technician is at the worker that dies; the agent's socket at the other.
            started = await technician.start(agent.client_id)
            opening = asyncio.ensure_future(technician.stream(started, first))
            near = await agent.bring(await agent.ordered())
            far = await opening
            await state(technician, started["session_id"], "open")
            for worker in psutil.Process(first.pid).children():
                os.kill(worker.pid, signal.SIGKILL)
            assert (await end_of(far))[0] == 1006
            assert await end_of(near) == (1000, "session.worker_lost")

            def over() -> bool:
                answer = second.api("GET", f"/session/{started['session_id']}")[1]
                return bool(answer["end_code"] == "session.worker_lost")

            await eventually(over, "the dead worker's session", 40)
            await eventually(lambda: first.http("GET", "/readyz")[0] == 200, "a new worker")

    run(scenario())


def test_the_worker_between_dies(site: list[Server]) -> None:
    async def scenario() -> None:
        first, second = site
        technician = Technician(first)
        async with agent_of(second) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            for worker in psutil.Process(second.pid).children():
                os.kill(worker.pid, signal.SIGKILL)
            assert await end_of(ends.far) == (1000, "session.worker_lost")
            over = await state(technician, ends.session_id, "ended")
            assert over["end_code"] == "session.worker_lost"
            await eventually(lambda: second.http("GET", "/readyz")[0] == 200, "a new worker")

    run(scenario())
