"""Ordering updates, on both databases: who may, who is due, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_server.clients import service as clients
from tremplin_server.clients.models import ClientUpdate, JumpClient
from tremplin_server.db import Database
from tremplin_server.errors import Denied, NotFound
from tremplin_server.permissions import system_actor
from tremplin_server.settings import service as settings
from tremplin_server.updates import download, service

from tests.conftest import MovableClock
from tests.personas import People, api_of
from tests.stage import Agent, Stage

NOTHING: frozenset[str] = frozenset()


def make_payload(directory: Path, version: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    text = f'#!/bin/sh\nTREMPLIN_VERSION="{version}"\n'
    (directory / "tremplin-scc-linux-64.bin").write_text(text)


@pytest.fixture
def payloads(tmp_path: Path) -> Path:
    directory = tmp_path / "payloads"
    make_payload(directory, "2.0.0")
    return directory


@pytest.fixture
def app(make_app: Callable[..., Flask], payloads: Path) -> Flask:
    return make_app(payload_dir=payloads)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def change(app: Flask, database: Database, **values: Any) -> None:
    with database.work(system_actor()) as work:
        settings.change(work, values, NOTHING)
    app.extensions["tremplin-settings"].forget()


def tick(database: Database) -> int:
    with database.work(system_actor("gateway")) as work:
        return service.tick(work)


def row(database: Database, agent: Agent) -> ClientUpdate:
    with database.work(system_actor(), read_only=True) as work:
        found = work.session.get(ClientUpdate, agent.client_id)
    assert found is not None
    return found


def machine(stage: Stage, number: int) -> Agent:
    made = stage.installer(external_id=f"host-{number}")
    return stage.online(made, fingerprint=f"{number:064x}", hostname=f"host-{number}")


def test_off_updates_nobody_and_always_everybody(
    app: Flask, database: Database, stage: Stage
) -> None:
    agent = machine(stage, 1)
    assert tick(database) == 0
    change(app, database, update_mode="always")
    assert tick(database) == 1
    [command] = stage.pending(agent)
    order = wire.UpgradeOrder.of(command.body)
    assert (order.version, order.platform, order.downgrade) == ("2.0.0", "linux-64", False)
    assert command.signature
    # Ordered once: the next ticks leave it alone.
    assert tick(database) == 0
    stage.acknowledge(agent, command.id)
    assert row(database, agent).state == "done"
    assert stage.actions()[-1] == "client.updated"


def test_this_version_goes_back_as_well_where_that_payload_is_kept(
    app: Flask, database: Database, stage: Stage, payloads: Path
) -> None:
    agent = machine(stage, 1)
    change(app, database, update_mode="this_version", update_version="0.9.0")
    assert tick(database) == 0
    make_payload(payloads / "0.9.0", "0.9.0")
    assert tick(database) == 1
    [command] = stage.pending(agent)
    assert wire.UpgradeOrder.of(command.body).downgrade


def test_a_host_that_is_held_follows_its_own_version(
    app: Flask, database: Database, stage: Stage, payloads: Path
) -> None:
    change(app, database, update_mode="always")
    held, other = machine(stage, 1), machine(stage, 2)
    with database.work(system_actor()) as work:
        clients.update(work, held.client_id, {"update_version": "1.0.0"})
        clients.update(work, other.client_id, {"update_version": "1.0.0"})
        clients.update(work, other.client_id, {"update_version": "follow"})
    with database.work(system_actor(), read_only=True) as work:
        # The agents of the stage say version 1.0.0.
        work.session.execute(select(JumpClient.id))
    set_version(database, held, "1.0.0")
    assert tick(database) == 1
    assert [command.kind for command in stage.pending(other)] == ["upgrade"]
    assert stage.pending(held) == []


def set_version(database: Database, agent: Agent, version: str) -> None:
    with database.work(system_actor()) as work:
        client = work.session.get(JumpClient, agent.client_id)
        assert client is not None
        client.agent_version = version


def test_only_so_many_at_once_and_only_those_that_are_there(
    app: Flask, database: Database, stage: Stage, clock: MovableClock
) -> None:
    change(app, database, update_mode="always", update_concurrent=2)
    agents = [machine(stage, number) for number in range(4)]
    stage.disconnect(agents[0])
    assert tick(database) == 2
    assert tick(database) == 0
    [command] = stage.pending(agents[1])
    stage.acknowledge(agents[1], command.id)
    set_version(database, agents[1], "2.0.0")
    assert tick(database) == 1
    # One that went away in the middle holds its place for a while only.
    stage.disconnect(agents[2])
    stage.connect(agents[0])
    assert tick(database) == 0
    clock.forward(minutes=16)
    assert tick(database) == 1


def test_what_failed_waits_and_is_given_up_until_somebody_asks(
    app: Flask, database: Database, stage: Stage, people: People, clock: MovableClock
) -> None:
    change(app, database, update_mode="always")
    agent = machine(stage, 1)
    for hours in (2, 7, 100):
        assert tick(database) == 1
        [command] = stage.pending(agent)
        stage.acknowledge(agent, command.id, Code.UPDATE_ROLLED_BACK.value)
        assert row(database, agent).code == "update.rolled_back"
        assert tick(database) == 0
        clock.forward(hours=hours)
        stage.connect(agent)
    assert row(database, agent).attempts == 3
    assert tick(database) == 0
    with database.work(people.administrator) as work:
        [asked] = service.order_now(work, [agent.client_id])
    assert (asked.version, asked.code) == ("2.0.0", "")
    assert tick(database) == 1


def test_a_payload_that_went_away_is_nobodys_failure(
    app: Flask, database: Database, stage: Stage, payloads: Path
) -> None:
    change(app, database, update_mode="always")
    agent = machine(stage, 1)
    tick(database)
    [command] = stage.pending(agent)
    make_payload(payloads, "3.0.0")
    stage.acknowledge(agent, command.id, Code.UPDATE_GONE.value)
    found = row(database, agent)
    assert (found.state, found.attempts) == ("wanted", 0)
    assert tick(database) == 1
    [again] = stage.pending(agent)
    assert again.body["version"] == "3.0.0"


def test_silence_is_given_up(
    app: Flask, database: Database, stage: Stage, clock: MovableClock
) -> None:
    change(app, database, update_mode="always")
    agent = machine(stage, 1)
    tick(database)
    clock.forward(hours=7)
    assert tick(database) == 0
    assert row(database, agent).code == "update.no_answer"
    assert stage.pending(agent) == []


def test_the_window_is_for_the_policy_not_for_people(
    app: Flask, database: Database, stage: Stage, people: People, clock: MovableClock
) -> None:
    day = (clock.now().weekday() + 2) % 7
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    change(app, database, update_mode="always", update_days=names[day])
    agent = machine(stage, 1)
    assert tick(database) == 0
    with database.work(people.administrator) as work:
        service.order_now(work, [agent.client_id])
    assert tick(database) == 1


def test_what_cannot_be_updated_is_told_one_by_one(
    app: Flask, database: Database, stage: Stage, people: People
) -> None:
    good, windows, current, held = (machine(stage, number) for number in range(4))
    with database.work(system_actor()) as work:
        work.session.get(JumpClient, windows.client_id).platform = "windows-64"  # type: ignore[union-attr]
    set_version(database, current, "2.0.0")
    with database.work(system_actor()) as work:
        clients.update(work, held.client_id, {"update_version": "7.7"})
    numbers = [agent.client_id for agent in (good, windows, current, held)]
    with database.work(people.administrator) as work:
        codes = [one.code for one in service.order_now(work, numbers)]
        assert codes == ["", "update.unsupported", "update.current", "update.no_payload"]
        with pytest.raises(NotFound):
            service.order_now(work, [9999])


def test_who_may_order(app: Flask, database: Database, stage: Stage, people: People) -> None:
    agent = machine(stage, 1)
    for actor, error in ((people.auditor, Denied), (people.outsider, NotFound)):
        with database.work(actor) as work, pytest.raises(error):
            service.order_now(work, [agent.client_id])
        with database.work(replace(actor, permissions=NOTHING)) as work, pytest.raises(Denied):
            service.fleet(work)
    with database.work(people.outsider, read_only=True) as work:
        assert service.fleet(work).versions == {}
        assert work.session.scalars(service.outdated(work)).all() == []
    with database.work(people.auditor, read_only=True) as work:
        assert service.fleet(work).versions == {"1.0.0": 1}


def test_the_api(app: Flask, database: Database, stage: Stage) -> None:
    api = api_of(app)
    agent = machine(stage, 1)
    body = api.get("/update").json
    assert (body["mode"], body["versions"]) == ("off", {"1.0.0": 1})
    assert [one["version"] for one in body["payloads"]] == ["2.0.0"]
    assert [one["id"] for one in api.get("/update/outdated").json] == [agent.client_id]
    for wrong in ({}, {"client_ids": []}, {"client_ids": [1], "all_outdated": True}):
        assert api.post("/update/order", wrong).status_code == 422
    answer = api.post("/update/order", {"all_outdated": True})
    assert (answer.status_code, answer.json[0]["version"]) == (202, "2.0.0")
    assert [one["state"] for one in api.get("/update/client?state=wanted").json] == ["wanted"]
    assert api.get("/update/client?state=done").json == []


def test_a_download_is_for_who_signed_for_it(
    app: Flask, database: Database, stage: Stage, payloads: Path
) -> None:
    change(app, database, update_mode="always", update_bandwidth=5000)
    agent, other = machine(stage, 1), machine(stage, 2)
    tick(database)
    [command] = stage.pending(agent)
    digest = str(command.body["sha256"])
    good = agent.key.sign(wire.payload_bytes(command.id, agent.client_id, digest))
    with database.work(system_actor(), read_only=True) as work:
        found = download.find(work, agent.client_id, command.id, digest, good)
        assert found.bytes_per_second == 5000
        assert found.path.stat().st_size == found.size
        stolen = other.key.sign(wire.payload_bytes(command.id, other.client_id, digest))
        for client_id, command_id, sha256, signature in (
            (other.client_id, command.id, digest, stolen),
            (agent.client_id, command.id, digest, stolen),
            (agent.client_id, "none", digest, good),
            (agent.client_id, command.id, "0" * 64, good),
            (9999, command.id, digest, good),
        ):
            with pytest.raises(Exception, match="signature"):
                download.find(work, client_id, command_id, sha256, signature)
    make_payload(payloads, "3.0.0")
    with (
        database.work(system_actor(), read_only=True) as work,
        pytest.raises(Exception, match="replaced"),
    ):
        download.find(work, agent.client_id, command.id, digest, good)
