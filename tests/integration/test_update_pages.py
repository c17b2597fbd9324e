"""The page of updates, and ordering them from the console."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from tremplin_server.clients.models import ClientUpdate
from tremplin_server.db import Database
from tremplin_server.permissions import system_actor
from tremplin_server.sessions import service as sessions
from tremplin_server.sessions.checks import Request
from tremplin_server.sessions.models import Front

from tests.integration.test_pages import Browser, translations  # noqa: F401 - a fixture
from tests.integration.test_update_orders import machine, make_payload
from tests.personas import People
from tests.stage import Stage

PAGE = "/login/jump-clients/updates"
BODY = {
    "update_mode": "always",
    "update_version": "",
    "update_days": "mon",
    "update_from": "22:00",
    "update_until": "06:00",
    "update_zone": "Europe/Paris",
    "update_concurrent": "5",
    "update_bandwidth": "100000",
}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What pages ask of a database, the services' own tests ask of both."""
    return sqlite_url


@pytest.fixture
def app(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    make_payload(tmp_path / "payloads", "2.0.0")
    return make_app(payload_dir=tmp_path / "payloads", oldest_agent="1.5")


def test_policy_and_orders(app: Flask, database: Database, people: People) -> None:
    stage = Stage(database)
    agent = machine(stage, 1)
    administrator = Browser(app.test_client())
    administrator.sign_in("administrator")
    assert "linux-64 2.0.0" in administrator.get(PAGE).text
    wrong = {**BODY, "update_zone": "Paris"}
    assert administrator.post(PAGE, PAGE, **wrong).status_code == 422
    nameless = {**BODY, "update_mode": "this_version"}
    assert "Name the version." in administrator.post(PAGE, PAGE, **nameless).text
    assert administrator.post(PAGE, PAGE, **BODY).status_code == 302
    with database.work(system_actor()) as work:
        assert (work.config.update_mode, work.config.update_days) == ("always", "mon")

    key = f"client:{agent.client_id}"
    panel = administrator.get(f"/console/panel/{key}").text
    assert "it should have 2.0.0" in panel
    assert "Update now" in panel
    dialogue = administrator.get(f"/console/update?item={key}", **{"HX-Request": "true"}).text
    assert "now?" in dialogue
    done = administrator.post("/console/update", PAGE, item=key)
    assert done.status_code == 204
    with database.work(system_actor()) as work:
        found = work.session.get(ClientUpdate, agent.client_id)
        assert found is not None
        assert found.state == "wanted"
    assert "on its way" in administrator.get(f"/console/panel/{key}").text
    assert administrator.post(f"{PAGE}/all", PAGE).status_code == 302
    assert "host-1" in administrator.get(PAGE).text

    with database.work(system_actor()) as work:
        asked_by = work.session.get(ClientUpdate, agent.client_id)
        assert asked_by is not None
        assert asked_by.changed_by == "administrator"

    # Nobody jumps to an agent that is too old for this site.
    request = Request(Front.TERMINAL, open=True)
    with database.work(people.administrator) as work, pytest.raises(Exception, match="another"):
        sessions.start(work, agent.client_id, request)

    for name in ("auditor", "outsider"):
        other = Browser(app.test_client())
        other.sign_in(name)
        assert other.post(PAGE, "/login/password", **BODY).status_code == 403
        # A technician without a place anywhere may ask, and reaches nobody's agents.
        expected = 403 if name == "auditor" else 302
        assert other.post(f"{PAGE}/all", "/login/password").status_code == expected
        answer = other.post("/console/update", "/login/password", item=key)
        assert answer.status_code in (403, 404)
