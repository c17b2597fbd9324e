"""Group policies on real databases: what members see and may do, by API and pages."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from tremplin_agent.terms import Capability
from tremplin_server.accounts import service as accounts
from tremplin_server.accounts.models import User
from tremplin_server.db import Database
from tremplin_server.errors import Denied
from tremplin_server.groups import group_policies, roles, service
from tremplin_server.permissions import Actor, ItemPermission, Permission, system_actor
from tremplin_server.policies import changes
from tremplin_server.policies.models import SessionPolicy
from tremplin_server.sessions import grants

from tests import translations as catalogues
from tests.integration.test_pages import Browser
from tests.personas import Api, People, api_of

SYSTEM = system_actor()
START_ONLY = 2


@pytest.fixture
def lab(database: Database) -> int:
    with database.work(SYSTEM) as work:
        return service.create(work, name="Lab").id


def now(database: Database, actor: Actor) -> Actor:
    """Return who a user is at the next request."""
    with database.work(SYSTEM) as work:
        return accounts.actor_in(work, work.session.get_one(User, actor.id), "192.0.2.1")


def place(group: int, role: int | None = None, final: bool = False) -> dict[str, Any]:
    return {"jump_group_id": group, "jump_item_role_id": role, "final": final}


def test_a_policys_life(api: Api, people: People, lab: int) -> None:
    body = {
        "name": "Night shift",
        "permissions": {"clients.delete": {"allowed": False, "final": True}},
        "user_ids": [people.technician.id],
        "site_roles": ["auditor"],
        "jump_groups": [place(lab, START_ONLY)],
        "session_policy_id": 2,
    }
    made = api.post("/group-policy", body)
    assert made.status_code == 201, made.text
    number = made.json["id"]
    assert {**made.json, **body} == made.json
    assert (made.json["priority"], made.json["session_policy_final"]) == (1, False)
    assert api.post("/group-policy", {"name": "NIGHT SHIFT"}).json["code"] == "group_policy.exists"
    second = api.post("/group-policy", {"name": "Second", "priority": 1}).json
    assert second["priority"] == 1
    listed = api.get("/group-policy").json
    assert [(one["name"], one["priority"]) for one in listed] == [("Second", 1), ("Night shift", 2)]
    path = f"/group-policy/{number}"
    assert api.patch(path, {"priority": 1, "user_ids": []}).json["user_ids"] == []
    assert api.get(f"/group-policy/{second['id']}").json["priority"] == 2
    for wrong in (
        {"user_ids": [999]},
        {"site_roles": ["king"]},
        {"permissions": {"accounts.write": {"allowed": True}}},
        {"jump_groups": [place(999)]},
        {"jump_groups": [place(lab), place(lab)]},
        {"jump_groups": [place(lab, 999)]},
        {"session_policy_id": 999},
    ):
        assert api.patch(path, wrong).status_code == 422, wrong
    assert api.delete("/session-policy/2").status_code == 409
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.get(f"/group-policy/{second['id']}").json["priority"] == 1


def test_members_are_in_the_groups_with_the_role(
    database: Database, people: People, lab: int
) -> None:
    with database.work(SYSTEM) as work:
        owner = service.owner(work, "shared", lab)
        role = roles.create(work, name="Tagger", perm_edit_tag=True)
        values = {"name": "All", "site_roles": ["technician"], "jump_groups": [place(lab, role.id)]}
        made = group_policies.create(work, values)
        assert roles.holders(work)[role.id] == 1, "so that it is not deleted under them"
        members = {people.technician.id, people.outsider.id}
        assert set(service.member_ids(work, lab)) == members
        assert service.memberships(work, people.outsider.id) == [lab]
    with database.work(people.outsider) as work:
        assert service.allowed(work, owner) == {ItemPermission.EDIT_TAG}
        assert [group.name for group in work.session.scalars(service.query(work))] == ["Lab"]
    with database.work(people.administrator) as work:
        service.add_member(work, lab, people.technician.id, START_ONLY)
        assert work.session.scalars(service.members(work, lab)).one().jump_item_role_id == 2
    with database.work(people.technician) as work:
        assert service.allowed(work, owner) == {ItemPermission.EDIT_TAG}, "the policy outranks it"
    with database.work(SYSTEM) as work:
        group_policies.remove(work, made.id)
    with database.work(people.technician) as work:
        assert ItemPermission.START in service.allowed(work, owner)
    with database.work(people.outsider) as work:
        assert service.allowed(work, owner) == set()


def test_permissions_count_from_the_next_request_on(database: Database, people: People) -> None:
    said = {
        "clients.delete": {"allowed": False, "final": False},
        "audit.read": {"allowed": True, "final": False},
    }
    with database.work(SYSTEM) as work:
        everybody = ["technician", "administrator"]
        values = {"name": "Careful", "site_roles": everybody, "permissions": said}
        group_policies.create(work, values)
    technician = now(database, people.technician)
    assert not technician.may(Permission.CLIENTS_DELETE)
    assert technician.may(Permission.AUDIT_READ)
    assert technician.may(Permission.SESSIONS_START), "what no policy says stays"
    assert now(database, people.administrator).permissions == frozenset(Permission)
    assert now(database, people.auditor).permissions == people.auditor.permissions


def test_the_session_policy_of_a_technician(database: Database, people: People) -> None:
    with database.work(SYSTEM) as work:
        strict = changes.create(
            work, SessionPolicy, {"display_name": "Strict", "allow_shell": False, "idle_minutes": 5}
        )
    asked = (Capability.SHELL, Capability.SFTP)
    with database.work(people.technician) as work:
        assert grants.of_guest(work, asked).capabilities == ("shell", "sftp")
    with database.work(SYSTEM) as work:
        values = {"name": "Strict", "site_roles": ["technician"], "session_policy_id": strict.id}
        group_policies.create(work, values)
    with database.work(people.technician) as work:
        grant = grants.of_guest(work, asked)
        assert (grant.capabilities, grant.idle_minutes) == (("sftp",), 5)
        with pytest.raises(Denied) as refused:
            grants.of_guest(work, (Capability.SHELL,))
    assert refused.value.code == "session.not_granted"


def test_why(api: Api, people: People, lab: int) -> None:
    body = {
        "name": "Night",
        "user_ids": [people.technician.id],
        "permissions": {"clients.delete": {"allowed": False, "final": True}},
        "jump_groups": [place(lab, START_ONLY)],
    }
    number = api.post("/group-policy", body).json["id"]
    api.post(f"/jump-group/{lab}/user", {"user_id": people.technician.id})
    found = api.get(f"/user/{people.technician.id}/effective-permission").json
    told = {one["permission"]: one for one in found["permissions"]}
    night = {"source": "group_policy", "id": number, "name": "Night"}
    assert told["clients.delete"]["allowed"] is False
    assert told["clients.delete"]["reason"] == {**night, "final": True}
    assert told["sessions.start"]["reason"]["source"] == "site_role"
    assert found["jump_groups"] == [
        {
            "jump_group_id": lab,
            "jump_item_role_id": START_ONLY,
            "reason": {**night, "final": False},
            "replaced": [{"source": "membership", "id": 0, "name": "", "final": False}],
        }
    ]
    assert found["session_policy"]["session_policy_id"] is None


def test_who_may(app: Flask, database: Database, people: People) -> None:
    reader = api_of(app, "reader", perm_command="read_only")
    assert reader.get("/group-policy").status_code == 200
    assert reader.post("/group-policy", {"name": "Mine"}).json["code"] == "auth.denied"
    for actor in (people.technician, people.outsider):
        with database.work(actor) as work:
            with pytest.raises(Denied):
                group_policies.query(work)
            with pytest.raises(Denied):
                group_policies.create(work, {"name": "Mine"})
    with database.work(people.auditor) as work:
        assert work.session.scalars(group_policies.query(work)).all() == []
        with pytest.raises(Denied):
            group_policies.create(work, {"name": "Mine"})


def test_the_pages(app: Flask, database: Database, people: People, lab: int) -> None:
    catalogues.compile_all()
    browser = Browser(app.test_client())
    browser.sign_in("administrator")
    root = "/login/users/group-policies"
    assert "No group policy yet" in browser.get(root).text
    fields = {
        "name": "Night",
        "user_ids": people.technician.id,
        "says_clients_delete": "deny_final",
        "session_policy_id": 0,
        "jump_groups-0-jump_group_id": lab,
        "jump_groups-0-jump_item_role_id": START_ONLY,
        "jump_groups-0-final": "y",
    }
    made = browser.post(f"{root}/new", page=f"{root}/new", **fields)
    assert made.status_code == 302, made.text
    with database.work(SYSTEM) as work:
        row = work.session.scalars(group_policies.query(work)).one()
        whole = group_policies.whole(work, row)
    assert whole.permissions == {"clients.delete": {"allowed": False, "final": True}}
    assert whole.jump_groups == [place(lab, START_ONLY, True)]
    assert whole.user_ids == [people.technician.id]
    path = f"{root}/{row.id}"
    page = browser.get(path).text
    assert "1 users lose at once" in page
    assert 'value="deny_final"' in page
    why = browser.get(f"/login/users/{people.technician.id}/permissions").text
    assert f'href="{path}">Group policy Night</a> (final)' in why
    assert "Role on the site: Technician" in why
    again = browser.post(f"{root}/new", page=f"{root}/new", **{**fields, "name": "NIGHT"})
    assert "exists already" in again.text
    # A row whose group is taken away goes.
    kept = {**fields, "jump_groups-0-jump_group_id": 0}
    assert browser.post(path, page=path, **kept).status_code == 302
    with database.work(SYSTEM) as work:
        assert group_policies.whole(work, group_policies.get(work, row.id)).jump_groups == []
    assert browser.post(f"{path}/delete", page=path).status_code == 302
    assert "No group policy yet" in browser.get(root).text
    outsider = Browser(app.test_client())
    outsider.sign_in("outsider")
    assert outsider.get(root).status_code == 403
