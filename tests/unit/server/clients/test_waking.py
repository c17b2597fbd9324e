"""Passive clients at the server: at rest, overdue, where they are woken, and for which orders."""

from __future__ import annotations

from typing import Any

import pytest
from tremplin_server.clients import drift, housekeeping, reporting, service, waking
from tremplin_server.clients.lifecycle import (
    Event,
    State,
    check_in_seconds,
    overdue_after,
)
from tremplin_server.clients.presence import take_over_dead_workers
from tremplin_server.permissions import system_actor

from tests.conftest import MovableClock
from tests.stage import AGENT, Agent, Stage

LISTENING = {"port": 8024, "addresses": ["10.1.2.3", "fd00::5"], "fault": ""}


def passive(stage: Stage, **values: Any) -> Agent:
    """Return a passive agent that has checked in."""
    agent = stage.agent(stage.installer(connection_type="passive", **values))
    stage.enrol(agent)
    check_in(stage, agent)
    return agent


def check_in(stage: Stage, agent: Agent, **listening: Any) -> None:
    stage.change(agent, Event.CHECKED_IN, public_ip="203.0.113.9", public_key=agent.public_key)
    told = {"listening": {**LISTENING, **listening}, "fqdn": "web1.lan", "hostname": "web1"}
    with stage.database.work(AGENT) as work:
        reporting.statistics(work, {agent.client_id: told})


def due(stage: Stage) -> list[waking.Target]:
    with stage.database.work(system_actor()) as work:
        return waking.due(work, 100)


# --- at rest --------------------------------------------------------------------------


def test_a_check_in_is_no_connection(stage: Stage) -> None:
    agent = passive(stage)
    record = stage.record(agent.client_id)
    assert record is not None
    assert (record.state, record.worker_id) == (State.RESTING, None)
    assert record.last_seen == record.last_connect == stage.database.clock.now()


def test_it_rests_after_a_connection_and_an_active_one_is_offline(stage: Stage) -> None:
    agent, active = passive(stage), stage.online(fingerprint="c" * 64)
    stage.connect(agent)
    assert stage.state(agent) is State.ONLINE
    stage.disconnect(agent)
    stage.disconnect(active)
    assert (stage.state(agent), stage.state(active)) == (State.RESTING, State.OFFLINE)


def test_it_is_offline_only_when_it_missed_its_check_in(stage: Stage, clock: MovableClock) -> None:
    agent = passive(stage)
    allowed = overdue_after(stage.database.config.check_in_seconds)
    clock.forward(seconds=allowed.total_seconds() - 1)
    sweep(stage)
    assert stage.state(agent) is State.RESTING
    clock.forward(seconds=2)
    sweep(stage)
    assert stage.state(agent) is State.OFFLINE
    check_in(stage, agent)
    assert stage.state(agent) is State.RESTING


def sweep(stage: Stage) -> None:
    with stage.database.work(system_actor()) as work:
        housekeeping.sweep(work)


def test_a_worker_that_died_leaves_it_at_rest(stage: Stage, clock: MovableClock) -> None:
    agent, active = passive(stage), stage.online(fingerprint="c" * 64)
    stage.connect(agent, "dead")
    stage.connect(active, "dead")
    with stage.database.work(system_actor()) as work:
        take_over_dead_workers(work, work.now())
    assert (stage.state(agent), stage.state(active)) == (State.RESTING, State.OFFLINE)


def test_what_its_user_disables_rests_disabled(stage: Stage) -> None:
    agent = passive(stage)
    with stage.database.work(AGENT) as work:
        reporting.disabled(work, agent.client_id)
    stage.change(agent, Event.CHECKED_IN)
    assert stage.state(agent) is State.DISABLED
    with stage.database.work(AGENT) as work:
        reporting.enabled(work, agent.client_id)
    assert stage.state(agent) is State.RESTING


def test_a_resting_one_is_in_step_with_an_inventory(stage: Stage) -> None:
    passive(stage, external_id="web1")
    with stage.database.work(system_actor()) as work:
        assert drift.drift(work, ["web1"]).in_step


def test_it_is_purged_for_absence_as_any_other(stage: Stage, clock: MovableClock) -> None:
    agent = passive(stage, max_offline_minutes=60)
    clock.forward(minutes=59)
    sweep(stage)
    assert stage.state(agent) is not None
    clock.forward(minutes=2)
    sweep(stage)
    assert stage.state(agent) is None


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 900), (60, 900), (5, 100), (1, 20)])
def test_it_checks_in_often_enough_not_to_be_dropped(minutes: int, seconds: int) -> None:
    assert check_in_seconds(900, minutes) == seconds


# --- where ----------------------------------------------------------------------------


def test_every_name_and_address_is_a_place_to_look(stage: Stage) -> None:
    record = stage.record(passive(stage).client_id)
    assert record is not None
    target = waking.target_of(record)
    assert target is not None
    places = ("10.1.2.3", "fd00::5", "203.0.113.9", "web1.lan", "web1")
    assert (target.port, target.places, target.seen_at) == (8024, places, "203.0.113.9")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"port": 8024, "addresses": ["10.0.0.1"]}, (8024, ["10.0.0.1"], "")),
        ({"port": 22}, (0, [], "")),
        ({"port": True}, (0, [], "")),
        ({"port": "8024"}, (0, [], "")),
        ({"port": 70000}, (0, [], "")),
        ({"addresses": "10.0.0.1"}, (0, [], "")),
        ({"addresses": ["evil.example", 7, None, "10.0.0.1"]}, (0, ["10.0.0.1"], "")),
        ({"addresses": [f"10.0.0.{i}" for i in range(99)]}, 16),
        ({"fault": "taken\x1b[0m\n" + "x" * 999}, 255),
    ],
)
def test_what_a_host_says_is_made_fit(given: dict[str, Any], kept: object) -> None:
    told = waking.told({"listening": given})
    assert told is not None
    found = (told["port"], told["addresses"], told["fault"])
    assert kept in (found, len(told["addresses"]), len(told["fault"]))
    assert told["fault"].isprintable()


@pytest.mark.parametrize("values", [{}, {"listening": "8024"}, {"listening": None}])
def test_nothing_said_changes_nothing(values: dict[str, Any]) -> None:
    assert waking.told(values) is None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::ffff:127.0.0.1"],
)
def test_a_host_cannot_make_the_server_call_itself_or_its_neighbours(address: str) -> None:
    assert not waking.is_allowed(address, "203.0.113.9")
    assert waking.is_allowed(address, address), "the server itself saw it come from there"


def test_other_addresses_are_called() -> None:
    assert all(waking.is_allowed(address, "") for address in ("10.0.0.1", "203.0.113.1", "fd00::1"))
    assert not waking.is_allowed("no address", "")


# --- orders ---------------------------------------------------------------------------


def test_an_order_wakes_its_client_once(stage: Stage) -> None:
    agent = passive(stage)
    with stage.database.work(system_actor()) as work:
        service.update(work, agent.client_id, {"tag": "new"})
    assert [target.client_id for target in due(stage)] == [agent.client_id]
    assert due(stage) == []
    with stage.database.work(system_actor()) as work:
        service.update(work, agent.client_id, {"tag": "newer"})
    assert len(due(stage)) == 1


def test_an_active_or_connected_one_is_not_called(stage: Stage) -> None:
    agent = passive(stage)
    stage.connect(agent)
    with stage.database.work(system_actor()) as work:
        service.update(work, agent.client_id, {"tag": "new"})
    assert due(stage) == []


def test_a_deleted_one_is_called_although_its_record_is_gone(stage: Stage) -> None:
    agent = passive(stage)
    with stage.database.work(system_actor()) as work:
        service.delete(work, agent.client_id)
    (target,) = due(stage)
    assert (target.client_id, target.port) == (agent.client_id, 8024)
    assert target.places == ("10.1.2.3", "fd00::5", "203.0.113.9", "web1.lan", "web1")
    assert due(stage) == []


def test_one_that_listens_nowhere_waits_for_its_check_in(stage: Stage) -> None:
    agent = passive(stage)
    check_in(stage, agent, port=0, fault="port 8024 cannot be opened: Address already in use")
    with stage.database.work(system_actor()) as work:
        service.uninstall(work, agent.client_id)
    assert due(stage) == []
    assert [order.kind for order in stage.pending(agent)] == ["uninstall"]


def test_it_is_told_what_it_is(stage: Stage) -> None:
    identity = stage.identity(passive(stage))
    assert identity is not None
    told = housekeeping.settings_for(stage.database.config, identity)
    assert (told["connection_type"], told["check_in_seconds"]) == ("passive", 900)
    assert told["wake_port"] == 8024
