"""Doing one thing to many Jump Clients: by the API on both databases, and from the console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tremplin_server.clients import bulk
from tremplin_server.db import Database

from tests.personas import PASSWORD, Api, api_of
from tests.stage import Stage

BASE = "https://tremplin.example"
COUNT = 5


@pytest.fixture
def stage(database: Database, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Five hosts h0 … h4, the even ones with the tag even; two are done at a time."""
    monkeypatch.setattr(bulk, "CHUNK", 2)
    made = Stage(database)
    for number in range(COUNT):
        installer = made.installer(tag="" if number % 2 else "even")
        made.online(installer, hostname=f"h{number}", fingerprint=f"{number:064x}")
    return made


def run(api: Api, action: str, filters: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = api.post("/jump-client/bulk", {"action": action, "filters": filters, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def tags(stage: Stage) -> dict[str, str]:
    return {record.name: record.tag for record in stage.records()}


def test_a_dry_run_counts(stage: Stage, api: Api) -> None:
    found = run(api, "delete", {"tag": "even"})
    assert (found["dry_run"], found["matched"], found["done"]) == (True, 3, [])
    assert len(stage.records()) == COUNT


def test_chunk_by_chunk(stage: Stage, api: Api) -> None:
    changes = {"tag": "blue", "name": "all the same?", "external_id": "x"}
    done, after, remaining = [], 0, 1
    while remaining:
        found = run(api, "update", {}, changes=changes, after=after, dry_run=False)
        done, after, remaining = [*done, *found["done"]], found["last"], found["remaining"]
    assert done == sorted(record.id for record in stage.records())
    assert tags(stage) == {f"h{number}": "blue" for number in range(COUNT)}


def test_one_that_is_refused_stops_nobody(stage: Stage, api: Api) -> None:
    first, second = sorted(record.id for record in stage.records() if record.tag == "even")[:2]
    assert api.post(f"/jump-client/{first}/uninstall").status_code == 202
    found = run(api, "uninstall", {"tag": "even"}, dry_run=False)
    assert found["done"] == [second]
    assert [(f["id"], f["code"]) for f in found["failed"]] == [(first, "client.removing")]
    assert found["remaining"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "delete", "filters": {}, "dry_run": False}, "filters"),
        ({"action": "uninstall", "filters": {}}, "filters"),
        ({"action": "delete"}, "filters"),
        ({"action": "update", "filters": {"tag": "even"}}, "changes"),
        ({"action": "update", "filters": {"tag": "x"}, "changes": {"name": "y"}}, "changes"),
        ({"action": "forget", "filters": {"tag": "x"}}, "action"),
        ({"action": "delete", "filters": {"tga": "x"}}, "filters"),
        ({"action": "delete", "filters": {"sort": "name"}}, "filters"),
    ],
)
def test_what_is_not_clear_is_refused(
    stage: Stage, api: Api, body: dict[str, Any], field: str
) -> None:
    answer = api.post("/jump-client/bulk", body)
    assert answer.status_code == 422
    assert any(name.startswith(field) for name in answer.json["errors"])
    assert len(stage.records()) == COUNT


def test_who_may_only_read_changes_nothing(stage: Stage, app: Flask) -> None:
    reader = api_of(app, "reader", perm_command="read_only")
    body = {"action": "delete", "filters": {"tag": "even"}, "dry_run": False}
    assert reader.post("/jump-client/bulk", body).status_code == 403
    assert len(stage.records()) == COUNT


# --- from the console's list ------------------------------------------------------------


@pytest.fixture
def console(app: Flask, people: object) -> FlaskClient:
    """A browser in which the administrator is signed in."""
    client = app.test_client()
    page = client.get("/login", base_url=BASE).text
    send(client, page, "/login", username="administrator", password=PASSWORD)
    return client


def send(client: FlaskClient, page: str, path: str, **fields: object) -> str:
    """Send the form of `page`, with what is hidden in it and the fields."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token, page[:500]
    body = {**hidden, "csrf_token": token.group(1), **fields}
    headers = {"Referer": f"{BASE}/console", "HX-Request": "true"}
    answer = client.post(path, base_url=BASE, data=body, headers=headers)
    assert answer.status_code in (200, 204, 302), answer.text
    return answer.headers.get("HX-Trigger", "") or answer.text


def test_all_that_the_list_finds_is_deleted(stage: Stage, console: FlaskClient) -> None:
    path = "/console/all/delete?tag=even&q=h"
    page = console.get(f"{path}&page=1", base_url=BASE).text
    assert f'hx-post="{path.replace("&", "&amp;")}"' in page
    assert "Delete 3 Jump Clients?" in page
    page = send(console, page, path, reason="rack 7")
    assert "2 of 3 done" in page
    assert 'value="rack 7"' in page
    assert "Done: 3 Jump Clients." in send(console, page, path, reason="rack 7")
    assert tags(stage) == {"h1": "", "h3": ""}
    assert {grave.reason for grave in stage.tombstones()} == {"rack 7"}


def test_all_that_the_list_finds_is_changed(stage: Stage, console: FlaskClient) -> None:
    path = "/console/all/properties?tag=even"
    page = console.get(path, base_url=BASE).text
    same = dict.fromkeys(
        ("jump_group", "jump_policy_id", "attended_session_policy_id",
         "unattended_session_policy_id", "ephemeral", "pinned_forever"),
        "same",
    )  # fmt: skip
    fields = {**same, "change_tag": "y", "tag": "odd"}
    page = send(console, page, path, **fields)
    # What was changed is found no more; the rest is, by its id.
    assert "2 of 3 done" in page
    assert "Done: 3 Jump Clients." in send(console, page, path, **fields)
    assert list(tags(stage).values()).count("odd") == 3


def test_nothing_to_change_is_said(stage: Stage, console: FlaskClient) -> None:
    path = "/console/all/properties?tag=even"
    page = console.get(path, base_url=BASE).text
    same = dict.fromkeys(
        ("jump_group", "jump_policy_id", "attended_session_policy_id",
         "unattended_session_policy_id", "ephemeral", "pinned_forever"),
        "same",
    )  # fmt: skip
    assert "Properties of 3 Jump Clients" in send(console, page, path, **same)
    assert list(tags(stage).values()).count("even") == 3
