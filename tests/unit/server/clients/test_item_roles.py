"""Each permission of a Jump Item Role: without it refused by its name, alone enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from tremplin_server.clients import copies, service, wake_on_lan
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Denied, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup, JumpItemRole
from tremplin_server.permissions import Actor, ItemPermission, system_actor
from tremplin_server.sessions import listing
from tremplin_server.sessions.checks import Request
from tremplin_server.sessions.models import Front
from tremplin_server.sessions.service import start
from tremplin_server.shortcuts import service as shortcuts
from tremplin_server.updates import service as updates

from tests.personas import People
from tests.stage import Agent, Stage

SYSTEM = system_actor()
Deed = Callable[[Work, int], Any]


def _changes(**changes: Any) -> Deed:
    return lambda work, number: service.update(work, number, changes)


def _shortcut_of(work: Work) -> int:
    return work.session.scalars(select(shortcuts.RdpShortcut.id)).one()


def _elsewhere(work: Work) -> dict[str, Any]:
    """Return the group of the technician's own: where everything may be added."""
    return {"jump_group_type": "personal", "jump_group_id": work.actor.id}


def _shortcut_changes(**changes: Any) -> Deed:
    return lambda work, _number: shortcuts.update(work, _shortcut_of(work), changes)


def _added(work: Work, number: int) -> None:
    group = work.session.get_one(JumpClient, number).shared_group_id
    values = {"name": "new", "hostname": "desk", "jump_group_id": group, "jumpoint_id": None}
    shortcuts.create(work, values)


def _updated(work: Work, number: int) -> None:
    asked = updates.order_now(work, [number])[0]
    if asked.code == "role.perm_add":
        raise Denied(asked.code)


DEEDS: tuple[tuple[ItemPermission, Deed], ...] = (
    (ItemPermission.EDIT_IDENTITY, _changes(name="other")),
    (ItemPermission.EDIT_IDENTITY, _changes(external_id="other")),
    (ItemPermission.EDIT_IDENTITY, _shortcut_changes(hostname="other")),
    (ItemPermission.EDIT_IDENTITY, _shortcut_changes(rdp_username="zoe")),
    (ItemPermission.EDIT_TAG, _changes(tag="other")),
    (ItemPermission.EDIT_TAG, _shortcut_changes(tag="other")),
    (ItemPermission.EDIT_COMMENTS, _changes(comments="other")),
    (ItemPermission.EDIT_JUMP_POLICY, _changes(jump_policy_id=1)),
    (ItemPermission.EDIT_JUMP_POLICY, _shortcut_changes(jump_policy_id=1)),
    (ItemPermission.EDIT_SESSION_POLICY, _changes(attended_session_policy_id=2)),
    (ItemPermission.EDIT_SESSION_POLICY, _changes(unattended_session_policy_id=2)),
    (ItemPermission.EDIT_BEHAVIOR, _changes(connection_type="passive")),
    (ItemPermission.EDIT_BEHAVIOR, _changes(ephemeral=True)),
    (ItemPermission.EDIT_BEHAVIOR, _shortcut_changes(quality="lossless")),
    (ItemPermission.EDIT_PUBLIC_PORTAL, _changes(public_site_address="https://a.example")),
    (ItemPermission.ASSIGN_JUMP_GROUP, lambda w, n: service.update(w, n, _elsewhere(w))),
    (
        ItemPermission.ASSIGN_JUMP_GROUP,
        lambda w, n: copies.make(w, service.get(w, n), _elsewhere(w)),
    ),
    (
        ItemPermission.ASSIGN_JUMP_GROUP,
        lambda w, _n: shortcuts.copy(w, _shortcut_of(w), {"name": "copy", **_elsewhere(w)}),
    ),
    (
        ItemPermission.ASSIGN_JUMP_GROUP,
        lambda w, _n: shortcuts.update(w, _shortcut_of(w), _elsewhere(w)),
    ),
    (ItemPermission.REMOVE, service.delete),
    (ItemPermission.REMOVE, service.uninstall),
    (ItemPermission.REMOVE, lambda w, _n: shortcuts.delete(w, _shortcut_of(w))),
    (ItemPermission.ADD, _added),
    (ItemPermission.ADD, _updated),
    (ItemPermission.START, lambda w, n: start(w, n, Request(Front.TERMINAL, open=True))),
    (ItemPermission.START, wake_on_lan.wake),
)


@pytest.fixture
def agent(stage: Stage) -> Agent:
    made = stage.online()
    with stage.database.work(SYSTEM) as work:
        values = {"name": "desk", "hostname": "desk", "jumpoint_id": None}
        shortcuts.create(work, {**values, "jump_group_id": stage.group.id})
    return made


def give(stage: Stage, actor: Actor, *held: ItemPermission) -> None:
    with stage.database.work(SYSTEM) as work:
        role = JumpItemRole(name="role", **{one.value: True for one in held})
        work.session.add(role)
        work.session.flush()
        groups.add_member(work, stage.group.id, actor.id, role.id)


@pytest.mark.parametrize(("permission", "deed"), DEEDS)
def test_a_permission_is_what_lets_one_do_it(
    stage: Stage, people: People, agent: Agent, permission: ItemPermission, deed: Deed
) -> None:
    give(stage, people.technician, *(one for one in ItemPermission if one is not permission))
    with pytest.raises(Denied) as refused, stage.database.work(people.technician) as work:
        deed(work, agent.client_id)
    assert refused.value.code == f"role.{permission.value}"
    with stage.database.work(SYSTEM) as work:
        role = work.session.scalars(select(JumpItemRole).where(JumpItemRole.name == "role")).one()
        for one in ItemPermission:
            setattr(role, one.value, one is permission)
    code = ""
    try:
        with stage.database.work(people.technician) as work:
            deed(work, agent.client_id)
    except TremplinError as error:
        code = error.code
    # The role is enough; that this host is awake and up to date is no matter of roles.
    assert code in ("", "wake.awake", "update.current")


def test_the_same_values_need_no_permission(stage: Stage, people: People, agent: Agent) -> None:
    give(stage, people.technician)
    with stage.database.work(people.technician) as work:
        client = service.get(work, agent.client_id)
        service.update(work, client.id, {"name": client.name, "tag": client.tag})


def test_a_copy_is_no_way_around_a_policy(stage: Stage, people: People, agent: Agent) -> None:
    give(stage, people.technician, ItemPermission.ASSIGN_JUMP_GROUP)
    with stage.database.work(SYSTEM) as work:
        service.update(work, agent.client_id, {"jump_policy_id": 1})
    own = {"jump_group_type": "personal", "jump_group_id": people.technician.id}
    without = {"jump_policy_id": None, **own}
    with pytest.raises(Denied) as refused, stage.database.work(people.technician) as work:
        copies.make(work, service.get(work, agent.client_id), without)
    assert refused.value.code == "role.perm_edit_jump_policy"


def test_a_copy_is_changed_by_the_role_where_it_is(
    stage: Stage, people: People, agent: Agent
) -> None:
    give(stage, people.technician, ItemPermission.EDIT_TAG)
    with stage.database.work(SYSTEM) as work:
        other = JumpGroup(name="Other", code_name="other", created_at=work.now())
        work.session.add(other)
        work.session.flush()
        groups.add_member(work, other.id, people.technician.id, 3)
        place = {"jump_group_id": other.id, "jump_group_type": "shared"}
        copy = copies.make(work, service.get(work, agent.client_id), place)
    with pytest.raises(Denied) as refused, stage.database.work(people.technician) as work:
        copies.update(work, copy.id, {"tag": "mine"})
    assert refused.value.code == "role.perm_edit_tag"
    later = {"remove_at": stage.database.clock.now() + timedelta(days=1)}
    with pytest.raises(Denied) as refused, stage.database.work(people.technician) as work:
        copies.update(work, copy.id, later)
    assert refused.value.code == "role.perm_edit_behavior"


def test_the_sessions_of_others_are_a_matter_of_the_role(
    stage: Stage, people: People, agent: Agent
) -> None:
    with stage.database.work(people.administrator) as work:
        start(work, agent.client_id, Request(Front.TERMINAL, open=True))

    def seen() -> int:
        with stage.database.work(people.technician) as work:
            return len(work.session.scalars(listing.query(work)).all())

    give(stage, people.technician, ItemPermission.START)
    assert seen() == 0
    with stage.database.work(people.technician) as work:
        start(work, agent.client_id, Request(Front.TERMINAL, open=True))
    assert seen() == 1, "one's own"
    with stage.database.work(SYSTEM) as work:
        role = work.session.scalars(select(JumpItemRole).where(JumpItemRole.name == "role")).one()
        role.perm_view_jump_item_report = True
    assert seen() == 2
