"""Sessions through a real server on SQLite: two ends, what joins and what ends them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
import pytest
from tremplin_agent import wire
from tremplin_agent.terms import Terms
from websockets.asyncio.client import ClientConnection

from tests.integration.test_gateway import HEARTBEAT, eventually, run
from tests.serving import Server, servers
from tests.session_agent import STREAM_PATH, SessionAgent, Technician, end_of, refusal


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


class Ends:
    """Both ends of a session that is open: what the agent and what the program hold."""

    def __init__(self, session_id: str, near: ClientConnection, far: ClientConnection) -> None:
        self.session_id, self.near, self.far = session_id, near, far


async def opened(technician: Technician, agent: SessionAgent, **values: Any) -> Ends:
    """Start a session and bring both its ends."""
    started = await technician.start(agent.client_id, **values)
    opening = asyncio.ensure_future(technician.stream(started))
    near = await agent.bring(await agent.ordered())
    ends = Ends(started["session_id"], near, await opening)
    await state(technician, ends.session_id, "open")
    return ends


def audited(server: Server, session_id: str) -> list[tuple[str, str]]:
    """Return action and code or fault of what the audit log tells of a session."""
    return [
        (event["action"], event["detail"].get("code") or event["detail"].get("fault", ""))
        for event in reversed(server.api("GET", "/audit?per_page=100")[1])
        if event["detail"].get("session_id") == session_id
    ]


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


def test_a_ticket_is_good_once_and_for_its_session_only(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            started = await technician.start(agent.client_id)
            other = await technician.start(agent.client_id)
            path = STREAM_PATH + started["session_id"]
            for ticket in ("", "x" * 43, other["ticket"]):
                assert (await refusal(server, path, ticket))[0] == 401
            opening = asyncio.ensure_future(technician.stream(started))
            near = await agent.bring(await agent.ordered())
            await opening
            status, body = await refusal(server, path, started["ticket"])
            assert (status, json.loads(body)["code"]) == (401, "session.ticket")
            faults = [fault for _, fault in audited(server, started["session_id"])]
            assert faults.count("unknown") == 3
            assert faults.count("used") == 1
            await near.close()
            assert (await refusal(server, STREAM_PATH + "f" * 32, "x"))[0] == 401
            assert (await refusal(server, STREAM_PATH + "../etc", "x"))[0] == 404

    run(scenario())


def test_an_agent_s_socket_needs_the_token_of_its_order_and_is_taken_once(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            started = await technician.start(agent.client_id)
            path = wire.SESSION_PATH + started["session_id"]
            opening = asyncio.ensure_future(technician.stream(started))
            order = await agent.ordered()
            for token in ("", "x" * 43, started["ticket"]):
                assert (await refusal(server, path, token))[0] == 401
            near = await agent.bring(order)
            far = await opening
            assert (await refusal(server, path, order.token))[0] == 409
            await far.close()
            assert await end_of(near) == (1000, "")
            await state(technician, order.session_id, "ended")
            assert (await refusal(server, path, order.token))[0] == 409
            faults = [fault for _, fault in audited(server, started["session_id"])]
            assert faults.count("token") == 3
            assert faults.count("late") == 2

    run(scenario())


def test_a_session_is_stopped_from_the_server(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            words = ("session", "end", ends.session_id, "--reason", "enough")
            await asyncio.to_thread(server.command, *words)
            assert await end_of(ends.far) == (1000, "session.stopped")
            assert await end_of(ends.near) == (1000, "session.stopped")
            assert (await agent.closing()).code == "session.stopped"
            over = await technician.session(ends.session_id)
            assert (over["state"], over["end_code"]) == ("ended", "session.stopped")
            assert ("session.ended", "session.stopped") in audited(server, ends.session_id)
            again = server.api("POST", f"/session/{ends.session_id}/end", {})
            assert (again[0], again[1]["end_code"]) == (200, "session.stopped")

    run(scenario())


def test_either_end_that_is_cut_ends_the_other(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            ends.near.transport.abort()
            assert await end_of(ends.far) == (1000, "session.host_lost")
            over = await state(technician, ends.session_id, "ended")
            assert over["end_code"] == "session.host_lost"

            ends = await opened(technician, agent)
            ends.far.transport.abort()
            assert await end_of(ends.near) == (1000, "")
            over = await state(technician, ends.session_id, "ended")
            assert over["end_code"] == "session.ended"

    run(scenario())


def test_an_end_that_falls_silent_is_noticed(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            ends.near.transport.pause_reading()
            assert await end_of(ends.far) == (1000, "session.host_lost")

    run(scenario())


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("disabled", "session.disabled"),
        ("deleted", "session.removed"),
        ("uninstalled", "session.removed"),
    ],
)
def test_a_session_does_not_outlive_its_client(server: Server, what: str, code: str) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            if what == "disabled":
                await agent.send(wire.Disabled())
            elif what == "deleted":
                assert server.api("DELETE", f"/jump-client/{agent.client_id}")[0] == 204
            else:
                await agent.send(wire.Uninstalled("by_hand"))
            assert await end_of(ends.far) == (1000, code)
            over = await state(technician, ends.session_id, "ended")
            assert over["end_code"] == code

    run(scenario())


def test_a_session_lives_on_while_the_control_channel_comes_back(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            await agent.hang_up()
            await agent.connect()
            await ends.near.send(b"still here")
            assert await ends.far.recv() == b"still here"
            await ends.far.close()

    run(scenario())


def test_what_the_agent_refuses_reaches_the_technician(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent, agent_of(server) as other:
            agent.listen()
            started = await technician.start(agent.client_id)
            path = STREAM_PATH + started["session_id"]
            opening = asyncio.ensure_future(refusal(server, path, started["ticket"]))
            order = await agent.ordered()
            # Nobody ends the sessions of another.
            await other.send(wire.SessionEnded(order.session_id, "session.idle"))
            await agent.send(wire.SessionEnded(order.session_id, "jump.host_busy"))
            status, body = await opening
            assert (status, json.loads(body)["code"]) == (503, "jump.host_busy")
            over = await state(technician, order.session_id, "ended")
            assert over["end_code"] == "jump.host_busy"

    run(scenario())


def test_the_host_may_say_a_moment_later_why_it_ended_a_session(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent, agent_of(server) as other:
            agent.listen()
            ends = await opened(technician, agent)
            await ends.far.close()
            assert await end_of(ends.near) == (1000, "")
            await other.send(wire.SessionEnded(ends.session_id, "session.time_up"))
            await agent.send(wire.SessionEnded(ends.session_id, "session.idle"))

            def explained() -> bool:
                found = server.api("GET", f"/session/{ends.session_id}")[1]
                return bool(found["end_code"] == "session.idle")

            await eventually(explained, "the reason")
            codes = [code for action, code in audited(server, ends.session_id) if "end" in action]
            assert codes == ["session.ended", "session.idle"]

    run(scenario())


def test_an_agent_that_does_not_come_is_waited_for_ten_seconds(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            started = await technician.start(agent.client_id)
            path = STREAM_PATH + started["session_id"]
            opening = asyncio.ensure_future(refusal(server, path, started["ticket"]))
            order = await agent.ordered()
            status, body = await opening
            assert (status, json.loads(body)["code"]) == (504, "jump.timeout_internal")
            assert (await agent.closing()).session_id == order.session_id
            assert (await refusal(server, wire.SESSION_PATH + order.session_id, order.token))[
                0
            ] == 409

    run(scenario())


def test_a_client_that_goes_offline_meanwhile_is_told_at_once(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            started = await technician.start(agent.client_id)
            path = STREAM_PATH + started["session_id"]
            opening = asyncio.ensure_future(refusal(server, path, started["ticket"]))
            await agent.ordered()
            await agent.hang_up()
            status, body = await asyncio.wait_for(opening, 5)
            assert (status, json.loads(body)["code"]) == (409, "client.offline")

    run(scenario())


def test_a_passive_client_is_waited_for(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server, connection_type="passive") as agent:
            await agent.hang_up()
            started = await technician.start(agent.client_id)
            opening = asyncio.ensure_future(technician.stream(started))
            await agent.connect()
            agent.listen()
            near = await agent.bring(await agent.ordered())
            far = await opening
            await near.send(b"here I am")
            assert await far.recv() == b"here I am"
            await far.close()
            await agent.hang_up()

            started = await technician.start(agent.client_id)
            path = STREAM_PATH + started["session_id"]
            status, body = await refusal(server, path, started["ticket"])
            assert (status, json.loads(body)["code"]) == (504, "jump.timeout_connect")

    run(scenario())


def test_a_reader_that_stands_still_holds_the_writer_back(server: Server) -> None:
    """Both ways; the server holds windows, not what is on its way."""

    async def fill(connection: ClientConnection) -> int:
        """Send until nothing more goes for a while; return how much went."""
        sent, part = 0, b"x" * 128 * 1024
        while sent < 256 * 1024 * 1024:
            try:
                await asyncio.wait_for(connection.send(part), 2)
            except TimeoutError:
                break
            sent += len(part)
        return sent

    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            for toward_host in (True, False):
                ends = await opened(technician, agent)
                source, target = (ends.far, ends.near) if toward_host else (ends.near, ends.far)
                sent = await fill(source)
                assert sent < 64 * 1024 * 1024
                received = 0
                while received < sent:
                    received += len(await asyncio.wait_for(target.recv(), 10))
                await source.send(b"the end")
                while await asyncio.wait_for(target.recv(), 10) != b"the end":
                    pass
                await ends.far.close()
                await state(technician, ends.session_id, "ended")

    run(scenario())


def test_a_stopping_server_ends_its_sessions(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def scenario(server: Server) -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            assert await end_of(ends.far) == (1000, "session.draining")
            assert await end_of(ends.near) == (1000, "session.draining")
            await stopping
            await asyncio.to_thread(server.start)
            over = await technician.session(ends.session_id)
            assert (over["state"], over["end_code"]) == ("ended", "session.draining")

    with servers(tmp_path_factory.mktemp("stopping")) as made:
        run(scenario(made.start()))


def test_the_sessions_of_a_killed_server_are_ended_at_its_next_start(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def scenario(server: Server) -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            waiting = await technician.start(agent.client_id)
            server.kill()
            assert (await end_of(ends.far))[0] == 1006
            await asyncio.to_thread(server.start)
            over = await technician.session(ends.session_id)
            assert (over["state"], over["end_code"]) == ("ended", "session.worker_lost")
            # Its ticket is still good, for whoever comes in time.
            assert (await technician.session(waiting["session_id"]))["state"] == "starting"

    with servers(tmp_path_factory.mktemp("killed")) as made:
        run(scenario(made.start()))


def test_a_session_ends_when_its_technician_is_disabled(server: Server) -> None:
    async def scenario() -> None:
        technician = Technician(server)
        async with agent_of(server) as agent:
            agent.listen()
            ends = await opened(technician, agent)
            with sqlite3.connect(server.directory / "tremplin.db") as raw:
                raw.execute(
                    "INSERT INTO user (username, password_hash, public_display_name,"
                    " private_display_name, email_address, preferred_email_language, role,"
                    " enabled, failed_logins, password_reset_next_login, two_factor_required,"
                    " created_at, session_epoch) VALUES"
                    " (?, '', '', '', '', 'en-us', 'technician', 0, 0, 0, 0, '2026-01-01', 0)",
                    (ends.session_id,),
                )
                raw.execute(
                    "UPDATE jump_session SET actor_kind = 'user', user_id ="
                    " (SELECT id FROM user WHERE username = id) WHERE id = ?",
                    (ends.session_id,),
                )
            raw.close()
            assert await end_of(ends.far) == (1000, "session.revoked")

    run(scenario())
