"""Looking up, changing and comparing, and who may."""

from __future__ import annotations

from typing import Any

import pytest
from tremplin_server.clients import service, tombstones
from tremplin_server.clients.drift import Drift, drift
from tremplin_server.errors import Denied, Invalid, NotFound, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpItemRole
from tremplin_server.permissions import Actor, system_actor

from tests.conftest import MovableClock
from tests.personas import People
from tests.stage import Agent, Stage


def update(stage: Stage, agent: Agent, **changes: Any) -> None:
    with stage.database.work(system_actor()) as work:
        service.update(work, agent.client_id, changes)


def found(stage: Stage, actor: Actor | None = None, **wanted: Any) -> list[str]:
    with stage.database.work(actor or system_actor(), read_only=True) as work:
        return [client.name for client in work.session.scalars(service.query(work, **wanted))]


@pytest.fixture
def fleet(stage: Stage) -> dict[str, Agent]:
    """Three clients: web1 online in the group, Été offline, db% uninstalled."""
    made = {}
    for number, name in enumerate(("web1", "Été", "db%"), 1):
        values = {"name": name, "external_id": f"key-{name}", "tag": "blue" if number < 3 else ""}
        made[name] = stage.online(
            stage.installer(**values), fingerprint=f"{number:064x}", hostname=f"host{number}"
        )
    stage.disconnect(made["Été"])
    stage.farewell(made["db%"])
    return made


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, ["web1", "Été", "db%"]),
        ({"name": "WEB1"}, ["web1"]),
        ({"name": "été"}, ["Été"]),
        ({"name": "web"}, []),
        ({"hostname": "HOST2"}, ["Été"]),
        ({"tag": "Blue"}, ["web1", "Été"]),
        ({"external_id": "key-db%"}, ["db%"]),
        ({"state": "online"}, ["web1"]),
        ({"state": "offline"}, ["Été"]),
        ({"state": "lost"}, []),
        ({"connection_type": "uninstalled"}, ["db%"]),
        ({"connection_type": "active"}, ["web1", "Été"]),
        ({"jump_group_type": "personal"}, []),
        ({"jump_group_type": "shared"}, ["web1", "Été", "db%"]),
        ({"search": "host1 BLUE"}, ["web1"]),
        ({"search": "%"}, ["db%"]),
        ({"search": "ÉT"}, ["Été"]),
        ({"sort": "-hostname"}, ["db%", "Été", "web1"]),
        ({"sort": "tag,-id"}, ["db%", "Été", "web1"]),
        ({"public_ip": "203.0.113.9", "state": "offline"}, ["Été"]),
    ],
)
def test_filters(stage: Stage, wanted: dict[str, str], names: list[str]) -> None:
    assert found(stage, **wanted) == names


def test_lost_is_a_label_that_time_gives(
    stage: Stage, fleet: dict[str, Agent], clock: MovableClock
) -> None:
    clock.forward(days=16)
    assert found(stage, state="lost") == ["Été"]


@pytest.mark.parametrize("wanted", [{"sort": "secret"}, {"state": "happy"}, {"colour": "red"}])
def test_unknown_filters_are_refused(stage: Stage, wanted: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        found(stage, **wanted)


def test_finding_by_key_and_by_name(stage: Stage, fleet: dict[str, Agent]) -> None:
    with stage.database.work(system_actor(), read_only=True) as work:
        by_key = service.find(work, external_id="key-web1")
        by_name = service.find(work, name="Web1")
        assert by_key is not None
        assert by_key == by_name
        assert service.find(work, external_id="nothing") is None
        assert service.find(work, name="nothing") is None
    update(stage, fleet["Été"], name="web1")
    with stage.database.work(system_actor(), read_only=True) as work, pytest.raises(Invalid):
        service.find(work, name="web1")


def test_a_change_is_written_audited_and_told(stage: Stage) -> None:
    agent = stage.online()
    update(stage, agent, name="front", tag="red", max_offline_minutes=30)
    update(stage, agent, name="front")
    assert stage.actions().count("client.changed") == 1
    [order] = stage.pending(agent)
    assert order.kind == "properties"
    assert order.body == {
        "name": "front",
        "tag": "red",
        "comments": "",
        "offline_limit_minutes": 30,
        "connection_type": "active",
        "check_in_seconds": 600,
        "wake_port": 8024,
    }
    update(stage, agent, tag="green")
    [order] = stage.pending(agent)
    assert order.body["tag"] == "green", "only the last one is kept"
    stage.acknowledge(agent, order.id)
    update(stage, agent, is_quiet=True)
    assert stage.pending(agent) == [], "nothing that the agent should know"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"tag": "x" * 65}, "tag"),
        ({"jump_group_id": 999}, "jump_group_id"),
        ({"jump_group_type": "personal"}, "jump_group_id"),
        ({"jump_policy_id": 999}, "jump_policy_id"),
        ({"unattended_session_policy_id": 999}, "unattended_session_policy_id"),
        ({"max_offline_minutes": -1}, "max_offline_minutes"),
    ],
)
def test_wrong_values_name_their_field(stage: Stage, changes: dict[str, Any], field: str) -> None:
    agent = stage.online()
    with pytest.raises(Invalid) as wrong:
        update(stage, agent, **changes)
    assert list(wrong.value.fields) == [field]


def test_a_declared_key_belongs_to_one_record(stage: Stage, fleet: dict[str, Agent]) -> None:
    with pytest.raises(TremplinError) as taken:
        update(stage, fleet["Été"], external_id="key-web1")
    assert taken.value.code == "client.external_id_taken"
    update(stage, fleet["web1"], external_id="")
    update(stage, fleet["Été"], external_id="key-web1")


# --- who may --------------------------------------------------------------------------


def add_member(stage: Stage, actor: Actor, **rights: bool) -> None:
    with stage.database.work(system_actor()) as work:
        role = JumpItemRole(name=f"role of {actor.name}", **rights)
        work.session.add(role)
        work.session.flush()
        groups.add_member(work, stage.group.id, actor.id, role.id)


def test_the_outsider_sees_and_does_nothing(stage: Stage, people: People) -> None:
    agent = stage.online()
    update(stage, agent, tag="x")
    assert found(stage, people.outsider) == []
    with stage.database.work(system_actor()) as work:
        service.delete(work, stage.online(stage.installer(on_duplicate="keep_both")).client_id)
    for action in (service.get, service.delete, service.uninstall):
        with pytest.raises(NotFound), stage.database.work(people.outsider) as work:
            action(work, agent.client_id)
    with pytest.raises(NotFound), stage.database.work(people.outsider) as work:
        service.update(work, agent.client_id, {"name": "mine"})
    with pytest.raises(NotFound), stage.database.work(people.outsider) as work:
        tombstones.close(work, stage.tombstones()[0].id)


def test_the_auditor_only_looks(stage: Stage, people: People) -> None:
    agent = stage.online()
    assert found(stage, people.auditor) == ["web1"]
    for action in (service.delete, service.uninstall):
        with pytest.raises(Denied), stage.database.work(people.auditor) as work:
            action(work, agent.client_id)


def test_a_technician_is_held_to_the_role_in_the_group(stage: Stage, people: People) -> None:
    agent = stage.online()
    add_member(stage, people.technician, perm_edit_tag=True, perm_assign_jump_group=True)
    with stage.database.work(people.technician) as work:
        service.update(work, agent.client_id, {"tag": "mine"})
    elsewhere = {"jump_group_id": stage.new_group().id}
    with pytest.raises(Denied), stage.database.work(people.technician) as work:
        service.update(work, agent.client_id, elsewhere)
    with pytest.raises(Denied), stage.database.work(people.technician) as work:
        service.delete(work, agent.client_id)
    with stage.database.work(people.technician) as work:
        personal = {"jump_group_type": "personal", "jump_group_id": people.technician.id}
        service.update(work, agent.client_id, personal)
        service.delete(work, agent.client_id)
        assert work.session.scalar(tombstones.query(work)) is not None


# --- drift ----------------------------------------------------------------------------


def compared(stage: Stage, keys: list[str], **scope: Any) -> Drift:
    with stage.database.work(system_actor(), read_only=True) as work:
        return drift(work, keys, **scope)


def test_every_difference_is_listed(stage: Stage, fleet: dict[str, Agent]) -> None:
    extra = stage.online(stage.installer(on_duplicate="keep_both"), fingerprint="9" * 64)
    gone = stage.online(stage.installer(name="gone"), fingerprint="8" * 64)
    with stage.database.work(system_actor()) as work:
        service.delete(work, gone.client_id)
    found = compared(stage, ["key-web1", "key-Été", "key-db%", "key-new", "key-new"])
    assert found.missing == ["key-new"]
    assert [client.id for client in found.unexpected] == [extra.client_id]
    assert [client.name for client in found.not_online] == ["Été"]
    assert [client.name for client in found.uninstalled] == ["db%"]
    assert [grave.name for grave in found.waiting_removal] == ["gone"]
    assert not found.in_step


def test_a_part_of_the_site_is_compared_alone(stage: Stage, fleet: dict[str, Agent]) -> None:
    update(stage, fleet["Été"], tag="other")
    with stage.database.work(system_actor()) as work:
        service.delete(work, fleet["db%"].client_id)
    assert compared(stage, ["key-web1"], tag="blue").in_step
    assert compared(stage, ["key-web1"], jump_group_id=stage.group.id).unexpected
    assert not compared(stage, ["key-web1"], jump_group_id=stage.new_group().id).unexpected
