"""Enrolment against real databases: identity, clones, replacing, limits, races."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from tremplin_agent import wire
from tremplin_server.clients import enrolment
from tremplin_server.clients import service as clients
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import TombstoneKind
from tremplin_server.db import Database
from tremplin_server.errors import TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.installers import service as installers
from tremplin_server.installers.models import InstallerUse
from tremplin_server.permissions import system_actor

from tests.conftest import MovableClock
from tests.personas import People
from tests.stage import AGENT, MACHINE, OTHER_MACHINE, Agent, Stage


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def code_of(action: Callable[[], object]) -> str:
    """Return the code of the error that `action` must end with."""
    with pytest.raises(TremplinError) as caught:
        action()
    return caught.value.code


def uses(stage: Stage, number: int) -> list[InstallerUse]:
    with stage.database.work(system_actor(), read_only=True) as work:
        return list(work.session.scalars(installers.uses(work, number)))


def delete(stage: Stage, agent: Agent) -> None:
    with stage.database.work(system_actor()) as work:
        clients.delete(work, agent.client_id, "no longer needed")


# --- a new machine --------------------------------------------------------------------


def test_a_new_machine_gets_a_record_of_the_installer_and_of_itself(stage: Stage) -> None:
    made = stage.installer(tag="blue", comments="rack 4", external_id="web1", ephemeral=True)
    agent = stage.agent(made, facts={"run_as": "tremplin", "startup": "systemd", "cpu_count": 2})
    identity = stage.enrol(agent)
    assert (identity.state, identity.public_key) == (State.PENDING, agent.public_key)
    record = stage.record(agent.client_id)
    assert record is not None
    assert (record.name, record.hostname, record.tag) == ("web1", "web1", "blue")
    assert (record.external_id, record.ephemeral, record.install_mode) == ("web1", True, "service")
    assert (record.run_as, record.startup, record.public_ip) == (
        "tremplin",
        "systemd",
        "203.0.113.9",
    )
    assert record.statistics == {"cpu_count": 2}
    [use] = uses(stage, made.installer.id)
    assert (use.client_id, use.code, use.hostname) == (agent.client_id, "", "web1")
    assert "client.enrolled" in stage.actions()


def test_what_a_host_says_is_cleaned(stage: Stage) -> None:
    agent = stage.agent(
        hostname="ev\x00il\n" + "x" * 400,
        facts={"cpu_count": "two", "uptime_seconds": True, "startup": 7, "scope": ["system"]},
    )
    stage.enrol(agent)
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.hostname == ("evil" + "x" * 400)[:255]
    assert (record.statistics, record.startup, record.install_mode) == ({}, "", "unknown")


# --- the installer --------------------------------------------------------------------


def test_an_installer_that_ended_lets_nobody_in(stage: Stage, clock: MovableClock) -> None:
    revoked, used_up = stage.installer(), stage.installer(max_uses=1, on_duplicate="keep_both")
    late, unsealed = stage.installer(valid_duration=10), stage.installer()
    with stage.database.work(system_actor()) as work:
        installers.revoke(work, revoked.installer.id)
    stage.enrol(stage.agent(used_up))
    wrong = stage.agent(unsealed).request(secret=wire.b64encode(bytes(16)))
    clock.forward(minutes=10)
    opened_at = (clock.now()).timestamp()
    in_time = {"installed_at": opened_at - 60}
    assert code_of(lambda: stage.enrol(stage.agent(revoked))) == "install.key_unknown"
    assert code_of(lambda: stage.enrol(stage.agent(used_up))) == "install.key_exhausted"
    assert code_of(lambda: stage.enrol(stage.agent(late))) == "install.key_expired"
    assert code_of(lambda: stage.enrol(stage.agent(late, facts=in_time))) == "enrol.window_closed"
    assert code_of(lambda: enrol(stage, wrong)) == "install.key_unknown"
    codes = [use.code for use in uses(stage, late.installer.id)]
    assert codes == ["enrol.window_closed", "install.key_expired"], "refusals survive"
    assert len(stage.records()) == 1


def enrol(stage: Stage, request: enrolment.EnrolRequest, *pins: bytes) -> Any:
    """Enrol with a request as it is, and these pins (the agent's own when none is given)."""
    accepted = frozenset(pins) or frozenset({wire.b64decode(request.enrol.ca_pin)})
    with stage.database.work(AGENT) as work:
        return enrolment.enrol(work, request, frozenset(), accepted)


def test_a_secret_alone_does_not_do(stage: Stage) -> None:
    agent = stage.agent()
    other_key = wire.b64encode(stage.agent().public_key)
    assert code_of(lambda: enrol(stage, agent.request(public_key=other_key))) == "enrol.bad_proof"
    assert code_of(lambda: enrol(stage, agent.request(public_key="?"))) == "enrol.bad_proof"
    assert code_of(lambda: enrol(stage, agent.request(), bytes(32))) == "enrol.bad_proof"
    unknown = agent.request(installer_id="0" * 32)
    assert code_of(lambda: enrol(stage, unknown)) == "enrol.bad_proof"
    assert stage.records() == []


def test_a_signed_request_for_an_unknown_installer(stage: Stage) -> None:
    made = stage.installer()
    with stage.database.work(system_actor()) as work:
        installers.delete(work, made.installer.id)
    assert code_of(lambda: stage.enrol(stage.agent(made))) == "install.key_unknown"


# --- overrides ------------------------------------------------------------------------


def test_overrides_are_taken_where_the_installer_allows_them(stage: Stage) -> None:
    other = stage.new_group()
    made = stage.installer(
        allow_override_tag=True,
        allow_override_name=True,
        allow_override_jump_group=True,
        allow_override_external_id=True,
        allow_override_max_offline_minutes=True,
    )
    given = {
        "tag": "red",
        "name": "front",
        "jump_group": f"jumpgroup:{other.code_name}",
        "external_id": "front1",
        "max_offline_minutes": "60",
        "ephemeral": "1",
    }
    agent = stage.agent(made, overrides=given)
    stage.enrol(agent)
    record = stage.record(agent.client_id)
    assert record is not None
    assert (record.tag, record.name, record.external_id) == ("red", "front", "front1")
    assert (record.shared_group_id, record.max_offline_minutes, record.ephemeral) == (
        other.id,
        60,
        True,
    )
    [use] = uses(stage, made.installer.id)
    assert use.overrides == given


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"comments": "x"}, "install.override_denied"),
        ({"tag": "x" * 65}, "install.bad_value"),
        ({"jump_group": "nowhere"}, "install.bad_value"),
        ({"jump_policy": "nothing"}, "install.bad_value"),
        ({"max_offline_minutes": "soon"}, "install.override_denied"),
        ({"colour": "x"}, "install.bad_value"),
    ],
)
def test_wrong_overrides_refuse_the_installation(
    stage: Stage, given: dict[str, str], code: str
) -> None:
    made = stage.installer(
        allow_override_tag=True, allow_override_jump_group=True, allow_override_jump_policy=True
    )
    assert code_of(lambda: stage.enrol(stage.agent(made, overrides=given))) == code
    assert stage.records() == []
    assert [use.code for use in uses(stage, made.installer.id)] == [code]
    with stage.database.work(system_actor(), read_only=True) as work:
        assert installers.get(work, made.installer.id).uses == 0


# --- the same machine again -----------------------------------------------------------


def test_an_agent_that_was_cut_off_gets_the_same_id_and_counts_once(
    stage: Stage, clock: MovableClock
) -> None:
    made = stage.installer(max_uses=1)
    agent = stage.agent(made)
    first = stage.enrol(agent).client_id
    clock.forward(days=400)
    assert stage.enrol(agent).client_id == first
    with stage.database.work(system_actor()) as work:
        installers.delete(work, made.installer.id)
    assert stage.enrol(agent).client_id == first
    assert len(stage.records()) == 1


@pytest.mark.parametrize("by", ["external id", "fingerprint"])
def test_a_rebuilt_host_keeps_its_record(stage: Stage, by: str) -> None:
    values = {"external_id": "web1"} if by == "external id" else {}
    old = stage.online(stage.installer(**values, tag="blue"))
    with stage.database.work(system_actor()) as work:
        clients.update(work, old.client_id, {"name": "the front door", "comments": "kept"})
    stage.disconnect(old)
    machine = OTHER_MACHINE if by == "external id" else MACHINE
    new = stage.online(stage.installer(**values), fingerprint=machine)
    assert new.client_id == old.client_id
    [record] = stage.records()
    assert (record.name, record.tag, record.comments) == ("the front door", "blue", "kept")
    assert (record.public_key, record.state) == (new.public_key, State.ONLINE)
    [grave] = stage.tombstones()
    assert (grave.kind, grave.public_key) == (TombstoneKind.REPLACED, old.public_key)
    assert grave.closed_by == "replaced", "nobody has to confirm it"
    assert code_of(lambda: stage.enrol(old)) == "enrol.key_replaced"
    assert "client.reenrolled" in stage.actions()


def test_a_clone_of_a_connected_machine_gets_a_record_of_its_own(stage: Stage) -> None:
    made = stage.installer()
    first = stage.online(made)
    clone = stage.agent(made)
    stage.enrol(clone, live=True)
    assert clone.client_id != first.client_id
    assert stage.state(first) is State.ONLINE
    assert len(stage.records()) == 2


def test_a_machine_cannot_take_a_record_over_by_claiming_its_key(stage: Stage) -> None:
    victim = stage.online(stage.installer(external_id="db1"))
    made = stage.installer(allow_override_external_id=True)
    thief = stage.agent(made, fingerprint=OTHER_MACHINE, overrides={"external_id": "db1"})
    assert code_of(lambda: stage.enrol(thief, live=True)) == "enrol.not_allowed"
    stage.disconnect(victim)
    assert code_of(lambda: stage.enrol(thief)) == "enrol.not_allowed"
    record = stage.record(victim.client_id)
    assert record is not None
    assert record.public_key == victim.public_key


def test_an_installer_with_the_right_takes_a_live_record_over_and_closes_its_connection(
    stage: Stage, database: Database
) -> None:
    old = stage.online(stage.installer(external_id="web1"))
    new = stage.agent(stage.installer(external_id="web1"), fingerprint=OTHER_MACHINE)
    sent: list[tuple[str, dict[str, Any]]] = []

    class Recorder:
        def publish(self, topic: str, body: Any) -> None:
            sent.append((topic, dict(body)))

    publishing = Stage(Database(database.engine, database.clock, database.config, Recorder()))
    publishing.enrol(new, live=True)
    assert new.client_id == old.client_id
    closing = {
        "client_id": old.client_id,
        "code": "enrol.key_replaced",
        "public_key": wire.b64encode(old.public_key),
    }
    assert ("client.close", closing) in sent


def test_a_technicians_installer_reaches_only_its_own_group(stage: Stage, people: People) -> None:
    admin_side = stage.online(stage.installer(external_id="db1"))
    stage.disconnect(admin_side)
    own = {"jump_group_type": "personal", "jump_group_id": people.technician.id}
    made = stage.installer(people.technician, external_id="db1", **own)
    assert code_of(lambda: stage.enrol(stage.agent(made))) == "enrol.not_allowed"
    plain = stage.installer(people.technician, **own)
    newcomer = stage.agent(plain)
    stage.enrol(newcomer)
    assert newcomer.client_id != admin_side.client_id
    for right in ("allow_takeover", "allow_override_jump_group"):
        values = {right: True, **own}
        assert code_of(lambda v=values: stage.installer(people.technician, **v)) == "auth.denied"


def test_refuse_and_keep_both(stage: Stage) -> None:
    old = stage.online(stage.installer(external_id="web1"))
    stage.disconnect(old)
    for mode in ("refuse", "keep_both"):
        made = stage.installer(external_id="web1", on_duplicate=mode)
        assert code_of(lambda m=made: stage.enrol(stage.agent(m))) == "enrol.duplicate_refused"
    both = stage.agent(stage.installer(on_duplicate="keep_both"))
    stage.enrol(both)
    assert both.client_id != old.client_id


def test_an_uninstalled_record_is_taken_up_again_whatever_the_mode(stage: Stage) -> None:
    old = stage.online(stage.installer(external_id="web1"))
    stage.farewell(old)
    new = stage.online(stage.installer(external_id="web1", on_duplicate="refuse"))
    assert new.client_id == old.client_id
    assert stage.state(new) is State.ONLINE


def test_a_new_installation_is_not_met_by_the_old_ones_order_to_uninstall(stage: Stage) -> None:
    old = stage.online(stage.installer(external_id="web1"))
    with stage.database.work(system_actor()) as work:
        clients.uninstall(work, old.client_id)
    new = stage.online(stage.installer(external_id="web1"))
    assert (new.client_id, stage.state(new)) == (old.client_id, State.ONLINE)
    assert stage.pending(new) == []


# --- keys without a record ------------------------------------------------------------


def test_a_record_deleted_before_its_agent_heard_of_it(stage: Stage) -> None:
    agent = stage.agent()
    stage.enrol(agent)
    delete(stage, agent)
    identity = stage.enrol(agent)
    assert (identity.tombstone, identity.closed) == (TombstoneKind.DELETED, False)
    [order] = stage.pending(agent)
    assert (order.kind, order.id) == ("uninstall", identity.command_id)
    stage.acknowledge(agent, order.id)
    assert code_of(lambda: stage.enrol(agent)) == "client.uninstalled"


def test_installing_again_in_the_same_place_settles_what_was_waiting(stage: Stage) -> None:
    gone = stage.online()
    stage.disconnect(gone)
    delete(stage, gone)
    elsewhere = stage.online(install_dir="/opt/other")
    assert stage.tombstones()[0].closed_at is None
    again = stage.online(stage.installer(on_duplicate="keep_both"))
    assert len({gone.client_id, elsewhere.client_id, again.client_id}) == 3
    assert stage.tombstones()[0].closed_by == "replaced"
    assert [order.kind for order in stage.pending(gone)] == ["uninstall"], "should it live on"


# --- limits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "code"),
    [("limit_clients", "limit.total"), ("limit_active_clients", "limit.active")],
)
def test_limits(make_app: Callable[..., Flask], setting: str, code: str) -> None:
    stage = Stage(make_app(**{setting: 1}).extensions["tremplin"])
    made = stage.installer(on_duplicate="keep_both")
    first = stage.online(made)
    assert code_of(lambda: stage.enrol(stage.agent(made))) == code
    stage.disconnect(first)
    replaced = stage.online(stage.installer())
    assert replaced.client_id == first.client_id, "taking a record over needs no room"
    stage.farewell(replaced)
    assert stage.online(made).client_id != first.client_id, "an uninstalled one takes no room"
    back = stage.agent(stage.installer())
    assert code_of(lambda: stage.enrol(back, live=True)) == code, "taken up again, it takes one"


def test_a_passive_client_takes_no_active_place(make_app: Callable[..., Flask]) -> None:
    stage = Stage(make_app(limit_active_clients=1).extensions["tremplin"])
    stage.online(stage.installer(on_duplicate="keep_both"))
    stage.online(stage.installer(on_duplicate="keep_both", connection_type="passive"))
    assert len(stage.records()) == 2


# --- at the same time -----------------------------------------------------------------


def at_once(actions: list[Callable[[], object]]) -> list[str]:
    """Run all actions at the same time; return the error code of each, `` when it went well."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> str:
        barrier.wait(timeout=30)
        try:
            action()
        except TremplinError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_the_last_use_is_given_once(stage: Stage) -> None:
    made = stage.installer(max_uses=3)
    agents = [stage.agent(made, fingerprint=f"{n:064x}") for n in range(1, 9)]
    codes = at_once([lambda a=a: stage.enrol(a) for a in agents])
    assert sorted(codes) == [""] * 3 + ["install.key_exhausted"] * 5
    assert len(stage.records()) == 3
    with stage.database.work(system_actor(), read_only=True) as work:
        assert installers.get(work, made.installer.id).uses == 3


def test_one_machine_enrolling_many_times_at_once_has_one_record(stage: Stage) -> None:
    made = stage.installer(external_id="web1")
    agents = [stage.agent(made) for _ in range(6)]
    assert at_once([lambda a=a: stage.enrol(a) for a in agents]) == [""] * 6
    [record] = stage.records()
    assert len(stage.tombstones()) == 5
    assert record.public_key in {agent.public_key for agent in agents}


def test_one_key_enrolling_many_times_at_once_counts_once(stage: Stage) -> None:
    made = stage.installer(max_uses=1)
    agent = stage.agent(made)
    assert at_once([lambda: stage.enrol(agent)] * 6) == [""] * 6
    assert len(stage.records()) == 1


def test_the_sites_last_place_is_given_once(make_app: Callable[..., Flask]) -> None:
    stage = Stage(make_app(limit_clients=2).extensions["tremplin"])
    made = stage.installer()
    agents = [stage.agent(made, fingerprint=f"{n:064x}") for n in range(1, 7)]
    codes = at_once([lambda a=a: stage.enrol(a) for a in agents])
    assert sorted(codes) == [""] * 2 + ["limit.total"] * 4


# --- who is asked about ---------------------------------------------------------------


def test_candidates_are_told_only_to_who_holds_the_secret(stage: Stage) -> None:
    connected = stage.online(stage.installer(external_id="web1"))
    made = stage.installer(allow_override_external_id=True)
    by_key = stage.agent(made, fingerprint=OTHER_MACHINE, overrides={"external_id": "web1"})
    by_machine = stage.agent(made)
    wrong = by_machine.request(secret=wire.b64encode(bytes(16)))
    with stage.database.work(AGENT, read_only=True) as work:
        for agent in (by_key, by_machine):
            assert enrolment.candidates(work, agent.request()) == [connected.client_id]
        assert enrolment.candidates(work, wrong) == []
    stage.disconnect(connected)
    with stage.database.work(AGENT, read_only=True) as work:
        assert enrolment.candidates(work, by_machine.request()) == []


def test_a_group_with_clients_cannot_be_deleted_under_them(stage: Stage) -> None:
    stage.online()

    def remove() -> None:
        with stage.database.work(system_actor()) as work:
            groups.delete(work, stage.group.id)

    assert code_of(remove) == "group.not_empty"
