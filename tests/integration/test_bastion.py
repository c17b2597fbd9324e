"""The bastion of a real server, asked by the real ssh; the host's end is the tests' agent."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest

from tests import postgres
from tests.integration.openssh import Person
from tests.integration.test_gateway import HEARTBEAT, eventually, run
from tests.serving import PASSWORD, Server, Servers, free_port, servers
from tests.session_agent import SessionAgent

FORWARDED = free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("bastion")) as made:
        yield made.start(heartbeat_seconds=HEARTBEAT, session_ports=str(FORWARDED))


@pytest.fixture(scope="module")
def zoe(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A technician with a registered key."""
    person = Person(server, tmp_path_factory.mktemp("zoe"), "zoe")
    person.register()
    return person


@asynccontextmanager
async def host(server: Server, name: str, **values: Any) -> AsyncIterator[SessionAgent]:
    """Give a Jump Client of that name that serves SSH."""
    agent = SessionAgent(server)
    await agent.enrol(server.installer(name=name, **values))
    agent.serve()
    try:
        yield agent
    finally:
        await agent.rest()


def audited(server: Server, action: str) -> list[dict[str, Any]]:
    """Return the events of one kind, oldest first."""
    events: list[dict[str, Any]] = server.api("GET", f"/audit?action={action}&per_page=100")[1]
    return events[::-1]


# --- the way through ------------------------------------------------------------------


WORDS = ["many-names", "MANY-Names", "declared.key", "{id}", "id-{id}", "0.0.0.{id}"]


def test_a_jump_client_is_reached_by_all_its_names(server: Server, zoe: Person) -> None:
    async def scenario() -> None:
        async with host(server, "many-names", external_id="declared.key") as agent:
            await zoe.configure()
            for word in WORDS:
                chosen = word.format(id=agent.client_id)
                # ssh's own patterns are for one case of letters only.
                files = ["-o", f"UserKnownHostsFile={zoe.known_hosts}", "-i", str(zoe.key)]
                done = await zoe.run(*files, "-J", "tremplin-bastion", chosen, "exit 7")
                assert done.status == 7, (word, done.err)

    run(scenario())


def test_a_name_that_several_hosts_report_means_none_of_them(server: Server, zoe: Person) -> None:
    async def scenario() -> None:
        # Every agent of these tests says that its host is called test-host.
        async with host(server, "first") as first, host(server, "second") as second:
            await zoe.configure()
            done = await zoe.run("-J", "tremplin-bastion", "test-host", "exit 0")
            assert done.status == 255
            assert "several Jump Clients are called test-host; take an id:" in done.err
            everybody = await zoe.run("tremplin-bastion")
            for agent, name in ((first, "first"), (second, "second")):
                assert f"{agent.client_id}  online     {name}\n" in everybody.out.decode()

    run(scenario())


def test_bytes_pass_unharmed_both_ways(server: Server, zoe: Person) -> None:
    async def scenario() -> None:
        async with host(server, "pipe"):
            await zoe.configure()
            sent = bytes(range(256)) * 40_000
            done = await zoe.run("pipe", "cat", given=sent)
            assert done.status == 0, done.err
            assert hashlib.sha256(done.out).digest() == hashlib.sha256(sent).digest()
            session = server.api("GET", "/session?state=ended")[1][0]
            assert session["front"] == "bastion"
            assert session["user"] == "zoe"
            assert session["bytes_to_host"] > len(sent)
            assert session["bytes_from_host"] > len(sent)

    run(scenario())


def test_the_host_key_is_checked(server: Server, zoe: Person) -> None:
    async def scenario() -> None:
        async with host(server, "real") as real:
            await zoe.configure()
            async with host(server, "other") as other:
                # The server sends the technician to another host than the one he knows.
                for agent, name in ((real, "spare"), (other, "real")):
                    path = f"/jump-client/{agent.client_id}"
                    await asyncio.to_thread(server.api, "PATCH", path, {"name": name})
                done = await zoe.run("-o", "HostName=real", "real", "exit 0")
                assert done.status == 255
                assert "Host key verification failed" in done.err

    run(scenario())


def test_a_port_is_forwarded_to_when_it_is_granted(server: Server, zoe: Person) -> None:
    async def scenario() -> None:
        async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"from the port")
            writer.close()

        listener = await asyncio.start_server(greet, "127.0.0.1", FORWARDED)
        async with listener, host(server, "ports"):
            await zoe.configure()
            for _ in range(2):
                done = await zoe.run("-W", f"ports:{FORWARDED}", "tremplin-bastion")
                assert done.out == b"from the port", done.err
            refused = await zoe.run("-W", "ports:1", "tremplin-bastion")
            assert refused.status == 255
            assert "port 1 of Jump Clients may not be forwarded to" in refused.err

    run(scenario())


def test_asked_for_a_shell_it_tells_how_to_use_it(server: Server, zoe: Person) -> None:
    async def scenario() -> None:
        async with host(server, "shown") as agent:
            await zoe.configure()
            done = await zoe.run("tremplin-bastion")
            assert done.status == 1
            text = done.out.decode()
            assert "has no shell of its own" in text
            assert f"{agent.client_id}  online     shown" in text

    run(scenario())


# --- who is let in --------------------------------------------------------------------


def test_a_key_that_nobody_registered_is_refused_and_audited(
    server: Server, tmp_path: Path
) -> None:
    async def scenario() -> None:
        person = Person(server, tmp_path / "max", "max")
        await person.configure()
        done = await person.run("-o", "BatchMode=yes", "tremplin-bastion")
        assert done.status == 255
        assert "Permission denied (publickey,keyboard-interactive)" in done.err

        def told() -> bool:
            return any(
                event["subject_name"] == "max" for event in audited(server, "bastion.refused")
            )

        await eventually(told, "the refusal is audited")

    run(scenario())


def test_a_password_needs_a_second_factor_and_opens_hosts_without_a_key(
    server: Server, tmp_path: Path
) -> None:
    async def scenario() -> None:
        person = Person(server, tmp_path / "ada", "ada")
        async with host(server, "vouched"):
            await person.configure()
            wrong = await _by_password(person, "000000")
            assert wrong.status != 0
            assert b"this account has no second factor" in wrong.out
            secret = _second_factor(server, "ada")
            done = await _by_password(person, pyotp.TOTP(secret).now(), "-W", "vouched:22")
            assert b"SSH-2.0-" in done.out, done.out

    run(scenario())


def test_the_user_name_brings_what_a_jump_policy_asks(server: Server, tmp_path: Path) -> None:
    policy = server.made("/jump-policy", {"display_name": "Tickets", "ticket_id_required": True})
    strict = {"display_name": "Factor", "two_factor_challenge_required": True}
    factor = server.made("/jump-policy", strict)

    async def scenario() -> None:
        person = Person(server, tmp_path / "kim", "kim")
        person.register()
        async with host(server, "ticketed") as agent, host(server, "proven") as other:
            for one, ruled in ((agent, policy), (other, factor)):
                change = {"jump_policy_id": ruled["id"]}
                path = f"/jump-client/{one.client_id}"
                await asyncio.to_thread(server.api, "PATCH", path, change)
            await person.configure()
            refused = await person.run("-J", "tremplin-bastion", "ticketed", "exit 7")
            assert "asks for a ticket id; sign in to the bastion as kim+ticket=ID" in refused.err
            name = "kim+reason=new=20disk+ticket=INC-7@tremplin-bastion"
            done = await person.run("-J", name, "ticketed", "exit 7")
            assert done.status == 7, done.err
            (event,) = [e for e in audited(server, "session.started") if e["actor_name"] == "kim"]
            assert (event["reason"], event["detail"]["ticket_id"]) == ("new disk", "INC-7")
            secret = _second_factor(server, "kim")
            refused = await person.run("-J", "tremplin-bastion", "proven", "exit 7")
            assert "sign in to the bastion as kim+factor" in refused.err
            words = ["-W", "proven:22", "kim+factor@tremplin-bastion"]
            code = pyotp.TOTP(secret).now()
            replies = [("Password:", PASSWORD), ("authenticator app:", code)]
            opened = await _until_banner(person, words, replies)
            assert b"SSH-2.0-" in opened.out, opened.out

    run(scenario())


async def _by_password(person: Person, code: str, *words: str) -> Any:
    replies = [("Password:", PASSWORD), ("authenticator app:", code), ("Password:", "\x03")]
    options = ["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=2"]
    if words:
        return await _until_banner(person, [*options, *words, "tremplin-bastion"], replies[:2])
    return await person.answers(*options, "tremplin-bastion", replies=replies)


async def _until_banner(person: Person, words: list[str], replies: list[tuple[str, str]]) -> Any:
    # -W shows what the host's SSH server says first; an answer that is none ends it.
    return await person.answers(*words, replies=[*replies, ("SSH-2.0-", "goodbye")])


def _second_factor(server: Server, name: str) -> str:
    """Give a person a second factor on the running server's database."""
    from tremplin_server import config
    from tremplin_server.accounts import service, totp
    from tremplin_server.app import create_app
    from tremplin_server.db import Database
    from tremplin_server.permissions import system_actor

    app = create_app(config.load(server.environment))
    database: Database = app.extensions["tremplin"]
    with database.work(system_actor()) as work:
        user = service.named(work, name)
        work.actor = service.actor_of_user(user, "")
        secret = totp.begin(work).secret
        # The code of half a minute ago confirms; the one of now is left for the test.
        totp.confirm(work, pyotp.TOTP(secret).at(time.time() - 30))
    database.engine.dispose()
    return secret


def test_whoever_is_outside_the_group_is_refused_and_audited(
    server: Server, tmp_path: Path
) -> None:
    async def scenario() -> None:
        outsider = Person(server, tmp_path / "eve", "eve", member=False)
        outsider.register()
        async with host(server, "secret") as agent:
            await outsider.configure()
            for word in ("secret", f"id-{agent.client_id}"):
                done = await outsider.run("-J", "tremplin-bastion", word, "exit 0")
                assert done.status == 255
                assert "does not exist" in done.err
            events = [e for e in audited(server, "session.refused") if e["actor_name"] == "eve"]
            assert {event["detail"]["code"] for event in events} == {"client.missing"}
            assert {event["source_ip"] for event in events} == {"127.0.0.1"}
            listing = await outsider.run("tremplin-bastion")
            assert b"secret" not in listing.out

    run(scenario())


def test_errors_come_in_the_language_of_the_account(server: Server, tmp_path: Path) -> None:
    async def scenario() -> None:
        person = Person(server, tmp_path / "luc", "luc")
        person.register()
        path = f"/user/{person.id}"
        await asyncio.to_thread(server.api, "PATCH", path, {"preferred_email_language": "fr"})
        await person.configure()
        done = await person.run("-J", "tremplin-bastion", "nowhere", "exit 0")
        assert "le Jump Client nowhere n'existe pas" in done.err
        async with host(server, "twin"), host(server, "twin"):
            done = await person.run("-J", "tremplin-bastion", "twin", "exit 0")
            assert "plusieurs Jump Clients repondent a twin ; prenez un id" in done.err

    run(scenario())


def test_a_disabled_user_loses_connection_and_way_in(server: Server, tmp_path: Path) -> None:
    async def scenario() -> None:
        person = Person(server, tmp_path / "kai", "kai")
        person.register()
        async with host(server, "left") as agent:
            await person.configure()
            process = await asyncio.create_subprocess_exec(
                *person.ssh("left", "cat"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"here")
            assert await asyncio.wait_for(process.stdout.readexactly(4), 30) == b"here"
            path = f"/user/{person.id}"
            await asyncio.to_thread(server.api, "PATCH", path, {"enabled": False})
            assert await asyncio.wait_for(process.wait(), 30) == 255
            assert (await agent.closing()).code == "session.revoked"
            done = await person.run("-o", "BatchMode=yes", "left", "exit 0")
            assert done.status == 255

    run(scenario())


# --- the life of the listener ---------------------------------------------------------


@pytest.fixture
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("own")) as made:
        yield made


def test_the_host_key_of_the_bastion_outlives_a_restart(
    own_servers: Servers, tmp_path: Path
) -> None:
    async def scenario() -> None:
        server = own_servers.start(heartbeat_seconds=HEARTBEAT)
        person = Person(server, tmp_path / "zoe", "zoe")
        person.register()
        await person.configure()
        assert (await person.run("tremplin-bastion")).status == 1
        server.stop()
        server.start()
        assert (await person.run("tremplin-bastion")).status == 1

    run(scenario())


def test_a_site_can_do_without_a_bastion(own_servers: Servers) -> None:
    server = own_servers.start(bastion="false")
    status, answer = server.api("GET", "/bastion")
    assert (status, answer["code"]) == (409, "bastion.off")
    assert "[localhost]" not in server.command("known-hosts")
    done = server.run("ssh-config")
    assert done.returncode == 3
    assert "no SSH bastion" in done.stderr


def test_the_command_line_handles_keys_and_prints_what_the_api_gives(
    server: Server, tmp_path: Path
) -> None:
    person = Person(server, tmp_path / "bob", "bob")
    said = server.command("user", "key", "add", "bob", f"{person.key}.pub", "--comment", "desk")
    fingerprint = said.split()[2]
    listed = server.command("user", "key", "list", "bob")
    assert fingerprint in listed
    assert "desk" in listed
    assert server.command("known-hosts") == server.text("/known-hosts")
    printed = server.command("ssh-config", "--user", "bob", "--known-hosts", "/x y/known")
    assert "    User bob\n" in printed
    assert '    UserKnownHostsFile "/x y/known"\n' in printed
    server.command("user", "key", "remove", "bob", fingerprint)
    assert fingerprint not in server.command("user", "key", "list", "bob")
    assert server.run("user", "key", "remove", "bob", "99").returncode == 4
    assert "had none" in server.command("user", "remove-second-factor", "bob")


@pytest.mark.postgres
def test_every_worker_answers_at_the_one_port(
    own_servers: Servers, postgres_cluster: postgres.Cluster, tmp_path: Path
) -> None:
    async def scenario(server: Server) -> None:
        person = Person(server, tmp_path / "zoe", "zoe")
        person.register()
        async with host(server, "shared") as agent:
            await person.configure()
            done = await asyncio.gather(*(person.run("shared", "exit 7") for _ in range(12)))
            assert [one.status for one in done] == [7] * 12, [one.err for one in done]
            over = server.api("GET", f"/session?client_id={agent.client_id}")[1]
            assert len(over) == 12

    postgres_cluster.create("bastion")
    settings = {"heartbeat_seconds": HEARTBEAT, "workers": 2}
    server = own_servers.start(database_url=postgres_cluster.url("bastion"), **settings)
    run(scenario(server))
    server.kill()
    postgres_cluster.drop("bastion")
