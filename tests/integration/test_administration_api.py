"""The API of roles, policies, sign-ins and the status: what programs do beside the pages."""

from __future__ import annotations

import pytest
from flask import Flask
from tremplin_agent import __version__
from tremplin_server.accounts import service as accounts
from tremplin_server.accounts import web_sessions
from tremplin_server.accounts.access_models import Way
from tremplin_server.db import Database
from tremplin_server.errors import Denied
from tremplin_server.groups import roles
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.policies import changes
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.status import service as status

from tests.conftest import MovableClock
from tests.personas import Api, People, api_of
from tests.stage import Stage


def test_roles(api: Api, database: Database, people: People) -> None:
    made = api.post("/jump-item-role", {"name": "Night", "perm_start": True})
    assert made.status_code == 201
    role = made.json
    assert (role["perm_start"], role["perm_edit_tag"]) == (True, False)
    assert made.headers["Location"].endswith(f"/jump-item-role/{role['id']}")
    assert api.post("/jump-item-role", {"name": "NIGHT"}).json["code"] == "role.exists"
    path = f"/jump-item-role/{role['id']}"
    assert api.patch(path, {"perm_edit_tag": True}).json["perm_edit_tag"] is True
    group = api.post("/jump-group", {"name": "Lab"}).json["id"]
    body = {"user_id": people.technician.id, "jump_item_role_id": role["id"]}
    assert api.post(f"/jump-group/{group}/user", body).status_code == 201
    refused = api.delete(path)
    assert (refused.status_code, refused.json["code"]) == (409, "role.in_use")
    api.delete(f"/jump-group/{group}/user/{people.technician.id}")
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.delete("/jump-item-role/1").json["code"] == "role.default"


@pytest.mark.parametrize(("kind", "first"), [("jump-policy", 1), ("session-policy", 2)])
def test_policies(api: Api, kind: str, first: int) -> None:
    new = {"display_name": "Servers", "code_name": "servers", "description": "By day"}
    made = api.post(f"/{kind}", new)
    assert made.status_code == 201
    assert {**made.json, **new} == made.json
    again = api.post(f"/{kind}", {**new, "code_name": "SERVERS"})
    assert again.json["code"] == "policy.exists"
    assert api.post(f"/{kind}", {**new, "code_name": "no spaces"}).status_code == 422
    path = f"/{kind}/{made.json['id']}"
    assert api.patch(path, {"display_name": "All servers"}).json["display_name"] == "All servers"
    assert api.get(path).json["code_name"] == "servers"
    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == 404
    assert api.delete(f"/{kind}/{first}").json["code"] == "policy.default"


def test_a_policy_that_is_used_stays(api: Api, database: Database) -> None:
    new = {"display_name": "One", "code_name": "one", "simultaneous_jumps": "disallow"}
    policy = api.post("/jump-policy", new).json
    assert policy["simultaneous_jumps"] == "disallow"
    Stage(database).installer(jump_policy_id=policy["id"])
    refused = api.delete(f"/jump-policy/{policy['id']}")
    assert (refused.status_code, refused.json["code"]) == (409, "policy.in_use")


@pytest.mark.parametrize("persona", ["technician", "auditor", "outsider"])
def test_only_administrators_change_roles_and_policies(
    database: Database, people: People, persona: str
) -> None:
    actor: Actor = getattr(people, persona)
    with database.work(actor) as work:
        for refused in (
            lambda: roles.create(work, name="Mine"),
            lambda: roles.update(work, 1, {"perm_remove": True}),
            lambda: roles.delete(work, 2),
            lambda: changes.create(work, JumpPolicy, {"display_name": "x", "code_name": "x"}),
            lambda: changes.update(work, JumpPolicy, 1, {"display_name": "x"}),
            lambda: changes.delete(work, JumpPolicy, 1),
        ):
            with pytest.raises(Denied):
                refused()


def test_sign_ins_are_listed_and_ended(api: Api, database: Database, people: People) -> None:
    number = people.technician.id
    with database.work(system_actor()) as work:
        user = accounts.get(work, number)
        made = [web_sessions.begin(work, user, Way.PASSWORD, "Firefox")[0].id for _ in range(3)]
    path = f"/user/{number}/web-session"
    listed = api.get(path).json
    assert {row["id"] for row in listed} == set(made)
    assert (listed[0]["way"], listed[0]["browser"]) == ("password", "Firefox")
    assert "token_hash" not in listed[0]
    assert api.delete(f"{path}/{made[0]}").status_code == 204
    assert api.delete(f"{path}/{made[0]}").status_code == 404
    assert api.delete(f"/user/{people.auditor.id}/web-session/{made[1]}").status_code == 404
    assert api.delete(path).status_code == 204
    assert api.get(path).json == []


def test_the_status(api: Api, app: Flask, database: Database, clock: MovableClock) -> None:
    stage = Stage(database)
    stage.add_worker("worker-7")
    agent = stage.online()
    found = api.get("/status").json
    assert found["version"] == __version__
    assert found["clients"]["online"] == 1
    assert found["clients"]["lost"] == 0
    assert found["sessions"] == 0
    assert (found["certificate"]["is_own"], found["certificate"]["is_soon"]) == (True, False)
    assert {limit["name"]: limit["used"] for limit in found["limits"]} == {
        "technicians": 0,
        "clients": 1,
        "active_clients": 1,
        "session_starts": 0,
    }
    assert [worker["id"] for worker in found["workers"]] == ["worker-7"]
    reader = api_of(app, "reader", perm_command="read_only")
    assert reader.get("/status").json["workers"] == found["workers"]
    stage.disconnect(agent)
    assert api.get("/status").json["clients"]["offline"] == 1
    clock.forward(days=database.config.lost_days, seconds=1)
    with database.work(system_actor(), read_only=True) as work:
        counts = status.status(work).clients
    assert (counts["offline"], counts["lost"]) == (0, 1)
