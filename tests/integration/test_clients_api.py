"""The API of Jump Clients, tombstones, drift and purge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from tremplin_server.db import Database

from tests.conftest import MovableClock
from tests.personas import Api, api_of
from tests.stage import Agent, Stage


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def path(agent: Agent) -> str:
    return f"/jump-client/{agent.client_id}"


def test_a_client_is_shown_with_everything_that_is_known(api: Api, stage: Stage) -> None:
    agent = stage.online(
        stage.installer(external_id="web1", tag="blue"),
        facts={"operating_system": "Debian 12", "run_as": "tremplin", "cpu_count": 2},
    )
    shown = api.get(path(agent)).json
    assert (
        shown.items()
        >= {
            "id": agent.client_id,
            "name": "web1",
            "hostname": "web1",
            "tag": "blue",
            "comments": "",
            "jump_group_id": stage.group.id,
            "jump_group_type": "shared",
            "jump_policy_id": None,
            "connection_type": "active",
            "install_mode": "service",
            "is_lost": False,
            "unavailable_reason": "none",
            "last_connect_timestamp": "2026-11-22T12:00:00+00:00",
            "external_id": "web1",
            "state": "online",
            "agent_version": "1.0.0",
            "run_as": "tremplin",
            "ephemeral": False,
            "pinned_forever": False,
            "statistics": {"cpu_count": 2},
            "max_offline_minutes": 0,
        }.items()
    )
    assert "last_disconnect_timestamp" not in shown
    assert "expiration_timestamp" not in shown
    assert not {"public_key", "fingerprint", "worker_id"} & set(shown)


def test_what_follows_from_state_and_time(app: Flask, stage: Stage, clock: MovableClock) -> None:
    made = stage.installer(max_offline_minutes=60 * 24 * 30)
    agent = stage.online(made)
    stage.disconnect(agent)
    clock.forward(days=16)
    api = api_of(app)
    shown = api.get(path(agent)).json
    assert (shown["is_lost"], shown["state"]) == (True, "offline")
    assert shown["expiration_timestamp"] == "2026-12-22T12:00:00+00:00"
    stage.farewell(agent)
    assert api.get(path(agent)).json["connection_type"] == "uninstalled"


def test_the_list_is_filtered_and_paged(api: Api, stage: Stage) -> None:
    for number in range(1, 8):
        stage.online(
            stage.installer(tag="blue" if number % 2 else "red"),
            fingerprint=f"{number:064x}",
            hostname=f"host{number}",
        )
    first = api.get("/jump-client?per_page=5&sort=-hostname")
    assert [client["hostname"] for client in first.json] == [f"host{n}" for n in (7, 6, 5, 4, 3)]
    assert first.headers["X-BT-Pagination-Total"] == "7"
    assert 'rel="next"' in first.headers["Link"]
    assert len(api.get("/jump-client?tag=BLUE").json) == 4
    assert len(api.get("/jump-client?search=host2").json) == 1
    assert len(api.get("/jump-client?state=online&connection_type=active").json) == 7
    assert api.get("/jump-client?state=offline").json == []
    for query in ("state=happy", "sort=secret", "jump_group_id=x", "per_page=1", "name="):
        answer = api.get(f"/jump-client?{query}")
        assert answer.status_code == 422, query
        assert query.partition("=")[0] in answer.json["errors"]


def test_changing(api: Api, stage: Stage) -> None:
    agent = stage.online()
    answer = api.patch(path(agent), {"name": "front", "tag": "red", "external_id": "k", "id": 9})
    assert answer.status_code == 200
    assert (answer.json["name"], answer.json["external_id"]) == ("front", "k")
    assert answer.json["id"] == agent.client_id
    for field, value in (("name", ""), ("max_offline_minutes", "5"), ("jump_group_id", 999)):
        wrong = api.patch(path(agent), {field: value})
        assert (wrong.status_code, list(wrong.json["errors"])) == (422, [field])
    other = stage.online(stage.installer(on_duplicate="keep_both"))
    taken = api.patch(path(other), {"external_id": "k"})
    assert (taken.status_code, taken.json["code"]) == (409, "client.external_id_taken")
    assert api.patch("/jump-client/999", {}).status_code == 404


def test_deleting_leaves_a_tombstone_until_the_host_confirms(api: Api, stage: Stage) -> None:
    agent = stage.online(stage.installer(external_id="web1"))
    assert api.delete(f"{path(agent)}?reason=rack%204").status_code == 204
    assert api.get(path(agent)).status_code == 404
    missing = api.delete(path(agent))
    assert (missing.status_code, missing.json["code"]) == (404, "client.missing")
    [grave] = api.get("/jump-client/tombstone?open=true").json
    assert (
        grave.items()
        >= {
            "kind": "deleted",
            "client_id": agent.client_id,
            "external_id": "web1",
            "deleted_by": "program",
            "reason": "rack 4",
            "closed_at": None,
            "closed_by": "",
        }.items()
    )
    assert api.get(f"/jump-client/tombstone/{grave['id']}").json == grave
    assert api.delete(f"/jump-client/tombstone/{grave['id']}").status_code == 204
    assert api.get("/jump-client/tombstone?open=true").json == []
    assert api.get("/jump-client/tombstone").json[0]["closed_by"] == "hand"
    assert api.get("/jump-client/tombstone/999").status_code == 404


def test_ordering_an_uninstall(api: Api, stage: Stage) -> None:
    agent = stage.online()
    answer = api.post(f"{path(agent)}/uninstall", {"reason": "moved"})
    assert (answer.status_code, answer.json["state"]) == (202, "removing")
    again = api.post(f"{path(agent)}/uninstall")
    assert (again.status_code, again.json["code"]) == (409, "client.removing")
    [order] = stage.pending(agent)
    stage.acknowledge(agent, order.id)
    gone = api.post(f"{path(agent)}/uninstall")
    assert (gone.status_code, gone.json["code"]) == (409, "client.uninstalled")


def test_drift(api: Api, stage: Stage) -> None:
    agent = stage.online(stage.installer(external_id="web1"))
    stage.disconnect(agent)
    found = api.post("/jump-client/drift", {"external_ids": ["web1", "web2"]}).json
    assert found["missing"] == ["web2"]
    assert [client["id"] for client in found["not_online"]] == [agent.client_id]
    assert [found[k] for k in ("unexpected", "uninstalled", "waiting_removal")] == [[], [], []]
    assert found["unknown_keys"] == []
    assert api.post("/jump-client/drift", {"external_ids": "web1"}).status_code == 422
    assert api.post("/jump-client/drift", {}).status_code == 422


def test_purge_tells_first(api: Api, stage: Stage, clock: MovableClock) -> None:
    agent = stage.online(stage.installer(ephemeral=True))
    stage.disconnect(agent)
    clock.forward(minutes=6)
    told = api.post("/jump-client/purge").json
    assert (told["dry_run"], [gone["id"] for gone in told["purged"]]) == (True, [agent.client_id])
    assert len(stage.records()) == 1
    done = api.post("/jump-client/purge", {"dry_run": False}).json
    assert [gone["id"] for gone in done["purged"]] == [agent.client_id]
    assert stage.records() == []


ENDPOINTS = [
    ("/jump-client", {"GET"}),
    ("/jump-client/1", {"GET", "PATCH", "DELETE"}),
    ("/jump-client/1/uninstall", {"POST"}),
    ("/jump-client/tombstone", {"GET"}),
    ("/jump-client/tombstone/1", {"GET", "DELETE"}),
    ("/jump-client/drift", {"POST"}),
    ("/jump-client/purge", {"POST"}),
]


@pytest.mark.parametrize(("where", "methods"), ENDPOINTS)
def test_methods(api: Api, where: str, methods: set[str]) -> None:
    allowed = {m.strip() for m in api.call("OPTIONS", where).headers["Allow"].split(",")}
    assert allowed - {"HEAD", "OPTIONS"} == methods
    assert ("HEAD" in allowed) == ("GET" in methods)
    assert api.call("PUT", where).status_code == 405


def calls(where: str, methods: set[str]) -> list[tuple[str, str]]:
    return [(method, where) for method in sorted(methods)]


@pytest.mark.parametrize(
    ("method", "where"), [call for endpoint in ENDPOINTS for call in calls(*endpoint)]
)
def test_who_is_refused(app: Flask, method: str, where: str) -> None:
    nobody = Api(app, None).call(method, where)
    assert (nobody.status_code, nobody.json["error"]) == (401, "access_denied")
    outsider = api_of(app, "outsider", perm_configuration=False)
    assert outsider.call(method, where, json={"external_ids": []}).status_code == 403
    if method not in ("GET", "HEAD"):
        reader = api_of(app, "reader", perm_command="read_only")
        assert reader.call(method, where, json={"external_ids": []}).status_code == 403


def test_unknown_fields_are_refused_where_the_site_is_strict(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(strict=True)
    stage = Stage(app.extensions["tremplin"])
    agent = stage.online()
    body: dict[str, Any] = {"name": "x", "colour": "red"}
    answer = api_of(app).patch(path(agent), body)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["colour"])
