"""What the gateway answers besides the control channel, and `tremplin doctor`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from tremplin_agent import wire
from tremplin_server.config import Config
from tremplin_server.gateway import live
from tremplin_server.gateway.bus import LocalBus
from tremplin_server.gateway.live import LIVE_PATH, issue_ticket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests import postgres
from tests.control_agent import ControlAgent
from tests.integration.test_gateway import run
from tests.integration.test_pages import BASE, Browser
from tests.personas import People
from tests.serving import Server, servers, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("http")) as made:
        yield made.start()


def ticket(server: Server, **changes: object) -> str:
    key = (server.directory / "secret_key").read_text().strip()
    return issue_ticket(str(changes.get("key", key)), 1)


def page(server: Server, with_ticket: str) -> connect:
    url = server.base_url.replace("https", "wss") + f"{LIVE_PATH}?ticket={quote(with_ticket)}"
    return connect(url, ssl=server.tls())


async def close_code(socket: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(socket.recv(), 5)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def test_health_and_readiness(server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        status, body = server.http("GET", path)
        assert (status, json.loads(body)) == (200, {"status": "ok"})


def test_the_ca_that_is_handed_out_is_the_pinned_one(server: Server) -> None:
    status, pem = server.http("GET", wire.CA_PATH)
    assert status == 200
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).digest()
    assert pin == server.installer().ca_pin


def test_only_tls_of_today_is_spoken(server: Server) -> None:
    context = server.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.version() == "TLSv1.2"
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.version() == "TLSv1.3"


def test_a_connection_that_asks_for_nothing_is_ended(server: Server) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=40) as plain,
        server.tls().wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        began = time.monotonic()
        assert secured.recv(1) == b""
        assert 5 < time.monotonic() - began < 35


def test_a_websocket_elsewhere_is_refused(server: Server) -> None:
    async def scenario() -> None:
        for path in ("/", "/agent/v1/other", "/healthz"):
            with pytest.raises(InvalidStatus) as caught:
                await connect(server.base_url.replace("https", "wss") + path, ssl=server.tls())
            assert caught.value.response.status_code == 403

    run(scenario())


def test_a_page_is_told_that_something_changed(server: Server) -> None:
    async def scenario() -> None:
        async with page(server, ticket(server)) as socket:
            agent = ControlAgent(server)
            await agent.enrol(server.installer())
            told = json.loads(await asyncio.wait_for(socket.recv(), 5))
            assert told == {"type": "client.changed"}
            await agent.hang_up()
            assert await asyncio.wait_for(socket.recv(), 5)

    run(scenario())


def test_a_ticket_is_good_once(server: Server) -> None:
    async def scenario() -> None:
        mine = ticket(server)
        async with page(server, mine), page(server, mine) as again:
            assert await close_code(again) == 1008

    run(scenario())


@pytest.mark.parametrize("forged", ["", "x.y.z", "key"])
def test_a_ticket_that_is_none_is_refused(server: Server, forged: str) -> None:
    async def scenario() -> None:
        sent = ticket(server, key="another key") if forged == "key" else forged
        async with page(server, sent) as socket:
            assert await close_code(socket) == 1008

    run(scenario())


def test_a_ticket_is_for_who_is_signed_in_only(app: Flask, people: People) -> None:
    browser = Browser(app.test_client())
    path = "/console/live-ticket"
    assert browser.client.post(path, base_url=BASE).location.startswith("/login")
    assert browser.sign_in(people.technician.name).status_code == 302
    assert "ticket" in browser.post(path, page="/console").get_json()
    assert browser.client.post(path, base_url=BASE).status_code != 200


def test_an_old_ticket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TICKET_SECONDS", -1)

    async def scenario() -> None:
        pages = live.LivePages(LocalBus(), Config(secret_key="k"))
        assert not pages.admits(issue_ticket("k", 1))

    asyncio.run(scenario())


# --- certificates -------------------------------------------------------------------------


def test_a_given_certificate_is_used(server: Server, tmp_path: Path) -> None:
    given = server.directory / "tls"
    with servers(tmp_path) as made:
        chain = tmp_path / "chain.pem"
        chain.write_bytes((given / "server.pem").read_bytes() + server.ca_path.read_bytes())
        other = made.make(tls_certificate=chain, tls_key=given / "server.key")
        (other.directory / "tls").mkdir()
        (other.directory / "tls" / "ca.pem").write_bytes(server.ca_path.read_bytes())
        other.start()
        assert other.http("GET", wire.CA_PATH)[1] == server.ca_path.read_bytes()


# --- doctor -------------------------------------------------------------------------------


def findings(server: Server) -> tuple[int, dict[str, list[tuple[str, str]]]]:
    done = server.run("doctor", "--json")
    found: dict[str, list[tuple[str, str]]] = {}
    for row in json.loads(done.stdout):
        found.setdefault(row["check"], []).append((row["verdict"], row["detail"]))
    return done.returncode, found


def payload_in(directory: Path) -> Path:
    directory.mkdir()
    for platform in ("linux-64", "linux-arm64"):
        slot = b'#!/bin/sh\nTREMPLIN_KEY_INFO="' + b"@" * 1536 + b'"\n'
        (directory / f"tremplin-scc-{platform}.bin").write_bytes(slot)
    return directory


def test_the_doctor_finds_a_healthy_site_healthy(tmp_path: Path) -> None:
    with servers(tmp_path) as made:
        server = made.start(payload_dir=payload_in(tmp_path / "payload"))
        status, found = findings(server)
        assert status == 0, found
        for check in ("configuration", "certificate", "database", "workers", "differences"):
            assert [verdict for verdict, _ in found[check]] == ["ok"], found
        authority = ssl.PEM_cert_to_DER_cert(
            (server.directory / "tls" / "ca.pem").read_text("ascii")
        )
        assert found["authority"] == [("ok", f"ca_pin {hashlib.sha256(authority).hexdigest()}")]
        server.stop()
        status, found = findings(server)
        assert status == 0
        assert found["workers"] == [("note", "the server does not run")]


def test_the_doctor_names_what_is_not_in_step(server: Server) -> None:
    async def scenario() -> None:
        agent = ControlAgent(server)
        await agent.enrol(server.installer(name="forgotten"))
        await agent.hang_up()
        until(lambda: server.client(agent.client_id)["state"] == "offline", "offline")
        server.api("DELETE", f"/jump-client/{agent.client_id}")

    run(scenario())
    found = findings(server)[1]["differences"]
    assert any("forgotten" in detail for _, detail in found)


def test_the_doctor_fails_on_a_site_that_cannot_serve(tmp_path: Path) -> None:
    with servers(tmp_path) as made:
        server = made.make(payload_dir=tmp_path / "nothing")
        engine = create_engine(f"sqlite:///{server.directory / 'tremplin.db'}")
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        engine.dispose()
        status, found = findings(server)
        assert status == 1
        assert found["database"][0][0] == "failed"
        done = server.run("serve")
        assert done.returncode == 78
        assert "tremplin db upgrade" in done.stderr


def test_a_port_that_is_taken_is_one_clear_error(tmp_path: Path) -> None:
    with servers(tmp_path) as made, socket.create_server(("127.0.0.1", 0)) as taken:
        server = made.make()
        done = server.run("serve", "--port", str(taken.getsockname()[1]))
        assert done.returncode == 78
        (line,) = done.stderr.splitlines()
        assert "cannot listen on 127.0.0.1:" in line
        assert "--port" in line


# --- metrics ------------------------------------------------------------------------------


def metric(server: Server, name: str) -> float:
    lines = server.http("GET", "/metrics")[1].decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.mark.postgres
def test_metrics_of_several_workers_are_one(
    postgres_cluster: postgres.Cluster, tmp_path: Path
) -> None:
    async def scenario(server: Server) -> None:
        key = server.installer()
        agents = [ControlAgent(server) for _ in range(6)]
        for agent in agents:
            await agent.enrol(key)
        for _ in range(6):
            assert metric(server, "tremplin_agent_connections") == 6
        assert metric(server, 'tremplin_agents_admitted_total{how="enrolment"') == 6

    postgres_cluster.create("metrics")
    with servers(tmp_path) as made:
        run(scenario(made.start(database_url=postgres_cluster.url("metrics"), workers=2)))
    postgres_cluster.drop("metrics")


def test_metrics_are_nobody_elses_business(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/metrics").status_code == 200
    away = client.get("/metrics", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert away.status_code == 403
