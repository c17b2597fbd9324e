"""What time does: purging, expiring, wiping."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tremplin_agent import wire
from tremplin_server.clients import housekeeping, reporting, service
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.presence import identity_of
from tremplin_server.errors import Denied, Invalid
from tremplin_server.installers.models import Installer
from tremplin_server.permissions import system_actor

from tests.conftest import MovableClock
from tests.personas import People
from tests.stage import MACHINE, Agent, Stage


def purge(stage: Stage, *, dry_run: bool = False) -> list[int]:
    with stage.database.work(system_actor()) as work:
        return [gone.id for gone in housekeeping.purge(work, dry_run)]


def away(stage: Stage, number: int, **values: object) -> Agent:
    agent = stage.online(stage.installer(**values), fingerprint=f"{number:064x}")
    stage.disconnect(agent)
    return agent


def test_records_go_when_their_limit_has_passed(stage: Stage, clock: MovableClock) -> None:
    ephemeral = away(stage, 1, ephemeral=True)
    hour = away(stage, 2, max_offline_minutes=60)
    usual = away(stage, 3)
    pinned = away(stage, 4, ephemeral=True)
    connected = stage.online(stage.installer(ephemeral=True), fingerprint="5" * 64)
    with stage.database.work(system_actor()) as work:
        service.update(work, pinned.client_id, {"pinned_forever": True})
    assert purge(stage) == []
    clock.forward(minutes=6)
    assert purge(stage, dry_run=True) == [ephemeral.client_id]
    assert purge(stage) == [ephemeral.client_id]
    clock.forward(minutes=60)
    assert purge(stage) == [hour.client_id]
    clock.forward(days=181)
    assert purge(stage) == [usual.client_id]
    assert {r.id for r in stage.records()} == {pinned.client_id, connected.client_id}
    assert stage.actions().count("client.purged") == 3


def test_a_purged_agent_that_lives_on_is_told_to_go(stage: Stage, clock: MovableClock) -> None:
    agent = away(stage, 1, ephemeral=True)
    clock.forward(minutes=6)
    purge(stage)
    assert [order.kind for order in stage.pending(agent)] == ["uninstall"]


def test_an_uninstalled_record_is_kept_as_long_as_the_site_keeps_absent_ones(
    stage: Stage, clock: MovableClock
) -> None:
    agent = stage.online(stage.installer(ephemeral=True))
    stage.farewell(agent)
    stage.disconnect(agent)
    clock.forward(days=179)
    assert purge(stage) == []
    clock.forward(days=2)
    assert purge(stage) == [agent.client_id]
    assert stage.tombstones()[0].closed_by == "uninstalled"


def test_a_sweep_expires_tombstones_forgets_keys_and_wipes_secrets(
    stage: Stage, clock: MovableClock
) -> None:
    made = stage.installer(ephemeral=True)
    agent = stage.online(made)
    hello = wire.Hello(1, "1.0.0", "linux-64", MACHINE, client_id=77)
    with stage.database.work(system_actor()) as work:
        service.delete(work, agent.client_id)
        reporting.unknown_key(work, hello, "203.0.113.9")
    assert stage.tombstones()[0].closed_at is None
    clock.forward(days=181)
    with stage.database.work(system_actor()) as work:
        assert housekeeping.sweep(work) == 0
        installer = work.session.get(Installer, made.installer.id)
        assert installer is not None
        work.session.refresh(installer)
        assert installer.sealed_secret is None
    assert stage.tombstones()[0].closed_by == "expired"
    assert stage.unknown_keys() == []
    assert [order.kind for order in stage.pending(agent)] == ["uninstall"], "should it live on"


def test_purging_is_for_those_who_see_everything(stage: Stage, people: People) -> None:
    for actor in (people.technician, people.auditor, people.outsider):
        with pytest.raises(Denied), stage.database.work(actor) as work:
            housekeeping.purge(work, dry_run=True)


def test_what_an_agent_is_told(stage: Stage) -> None:
    agent = away(stage, 1, max_offline_minutes=60)
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.state == State.OFFLINE
    assert housekeeping.settings_for(stage.database.config, identity_of(record)) == {
        "heartbeat_seconds": 15,
        "statistics_seconds": 300,
        "offline_limit_minutes": 60,
        "connection_type": "active",
        "check_in_seconds": 900,
        "wake_port": 8024,
    }


def test_a_date_removes_host_and_record(stage: Stage, clock: MovableClock) -> None:
    dated = stage.online(stage.installer(), fingerprint="1" * 64)
    stays = stage.online(stage.installer(), fingerprint="2" * 64)
    with stage.database.work(system_actor()) as work:
        service.update(work, dated.client_id, {"remove_at": clock.now() + timedelta(days=3)})
    for days, gone in ((2, False), (2, True)):
        clock.forward(days=days)
        with stage.database.work(system_actor()) as work:
            housekeeping.sweep(work)
        assert (stage.record(dated.client_id) is None) is gone
    assert stage.record(stays.client_id) is not None
    assert [order.kind for order in stage.pending(dated)] == [wire.CommandKind.UNINSTALL.value]
    assert "client.expired" in stage.actions()


def test_a_date_is_in_the_future(stage: Stage, clock: MovableClock) -> None:
    agent = stage.online(stage.installer())
    with pytest.raises(Invalid), stage.database.work(system_actor()) as work:
        service.update(work, agent.client_id, {"remove_at": clock.now()})
