"""Settings over the configuration: who may, what is taken, where it takes effect."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_server.app import create_app
from tremplin_server.audit.models import AuditEvent
from tremplin_server.config import Config, origins, stated
from tremplin_server.db import Database
from tremplin_server.errors import Conflict, Denied, Invalid
from tremplin_server.permissions import system_actor
from tremplin_server.settings import service
from tremplin_server.settings.overlay import EXTENSION as OVERLAY
from tremplin_server.settings.overlay import Overlay

from tests.conftest import dispose
from tests.integration.test_pages import Browser
from tests.personas import People, api_of

NOTHING: frozenset[str] = frozenset()


def test_a_setting_counts_in_every_worker(app: Flask, database: Database, people: People) -> None:
    with database.work(people.administrator) as work:
        service.change(work, {"lost_days": 40, "uninstalled_records": "remove"}, NOTHING)
    other = create_app(database.config)
    with other.extensions["tremplin"].work(system_actor()) as work:
        assert (work.config.lost_days, work.config.uninstalled_records) == (40, "remove")
        assert work.config.delete_days == database.config.delete_days
    dispose(other)
    with database.work(system_actor()) as work:
        assert "setting.changed" in work.session.scalars(select(AuditEvent.action)).all()


def test_what_the_configuration_states_wins(app: Flask, database: Database, people: People) -> None:
    with database.work(people.administrator) as work:
        service.change(work, {"lost_days": 40}, NOTHING)
        with pytest.raises(Conflict, match="delete_days"):
            service.change(work, {"delete_days": 99}, frozenset({"delete_days"}))
    overlay = Overlay(database.engine, frozenset({"lost_days"}))
    assert overlay(Config(lost_days=20)).lost_days == 20


def test_stated_names() -> None:
    assert stated({"TREMPLIN_LOST_DAYS": "20", "PATH": "x"}) == {"lost_days"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("delete_days", 14),
        ("lost_days", 0),
        ("lost_days", "x"),
        ("limit_clients", -1),
        ("statistics_seconds", 4),
        ("uninstalled_records", "burn"),
        ("secret_key", "x"),
    ],
)
def test_wrong_values(database: Database, people: People, name: str, value: object) -> None:
    with database.work(people.administrator) as work, pytest.raises(Invalid) as caught:
        service.change(work, {name: value}, NOTHING)
    assert name in caught.value.fields


def test_who_may(database: Database, people: People) -> None:
    with database.work(people.auditor) as work:
        assert service.settings(work, NOTHING)
        with pytest.raises(Denied):
            service.change(work, {"lost_days": 40}, NOTHING)
    for nobody in (people.technician, people.outsider):
        with database.work(nobody) as work, pytest.raises(Denied):
            service.settings(work, NOTHING)


def test_where_a_value_comes_from() -> None:
    assert origins({"TREMPLIN_LOST_DAYS": "20"}) == {"lost_days": "environment"}


def test_a_file_and_the_environment_over_it(tmp_path: Path) -> None:
    file = tmp_path / "tremplin.toml"
    file.write_text("lost_days = 20\ndelete_days = 90\n")
    found = origins({"TREMPLIN_CONFIG": str(file), "TREMPLIN_LOST_DAYS": "30"})
    assert found == {"lost_days": "environment", "delete_days": "file"}


def test_the_api(app: Flask, database: Database) -> None:
    api = api_of(app, "chief")
    found = {row["name"]: row for row in api.get("/setting").json}
    assert set(found) == set(service.NAMES)
    assert found["lost_days"] == {
        "name": "lost_days",
        "type": "integer",
        "value": 15,
        "default": 15,
        "minimum": 1,
        "maximum": 1_000_000,
        "choices": None,
        "source": "default",
        "fixed": False,
    }
    answer = api.patch("/setting", {"lost_days": 40, "uninstalled_records": "remove"})
    assert answer.status_code == 200
    found = {row["name"]: row for row in answer.json}
    assert (found["lost_days"]["value"], found["lost_days"]["source"]) == (40, "database")
    assert found["uninstalled_records"]["choices"] == ["keep", "remove"]
    for body in ({"lost_days": 0}, {"lost_days": "40"}, {"uninstalled_records": "burn"}):
        refused = api.patch("/setting", body)
        assert (refused.status_code, list(refused.json["errors"])) == (422, list(body))
    overlay = app.extensions[OVERLAY]
    overlay.fixed, overlay.origins = frozenset({"delete_days"}), {"delete_days": "environment"}
    refused = api.patch("/setting", {"delete_days": 99})
    assert (refused.status_code, refused.json["code"]) == (409, "setting.fixed")
    fixed = {row["name"]: row for row in api.get("/setting").json}["delete_days"]
    assert (fixed["fixed"], fixed["source"]) == (True, "environment")
    with database.work(system_actor()) as work:
        told = select(AuditEvent.actor_name).where(AuditEvent.action == "setting.changed")
        assert set(work.session.scalars(told)) == {"chief"}


def test_the_api_for_others(app: Flask) -> None:
    reader = api_of(app, "reader", perm_command="read_only")
    assert reader.get("/setting").status_code == 200
    assert reader.patch("/setting", {"lost_days": 40}).status_code == 403
    outsider = api_of(app, "nobody", perm_command="deny")
    assert outsider.get("/setting").status_code == 403


def test_the_page(app: Flask, database: Database, people: People) -> None:
    page = "/login/jump-clients/settings"
    administrator = Browser(app.test_client())
    administrator.sign_in("administrator")
    assert 'value="180"' in administrator.get(page).text
    body = {
        "lost_days": "40",
        "delete_days": "90",
        "statistics_seconds": "60",
        "check_in_seconds": "1800",
        "wake_port": "8025",
        "uninstalled_records": "keep",
        "limit_clients": "0",
        "limit_active_clients": "0",
        "limit_technicians": "7",
        "session_starts_at_once": "20",
    }
    assert administrator.post(page, page, **{**body, "delete_days": "3"}).status_code == 422
    assert administrator.post(page, page, **{**body, "wake_port": "65536"}).status_code == 422
    assert administrator.post(page, page, **body).status_code == 302
    assert 'value="90"' in administrator.get(page).text
    with database.work(system_actor()) as work:
        assert (work.config.delete_days, work.config.limit_technicians) == (90, 7)
    app.extensions[OVERLAY].fixed = frozenset({"lost_days"})
    text = administrator.get(page).text
    assert 'name="lost_days"' not in text
    assert "Stated in the configuration" in text
    assert administrator.post(page, page, **{**body, "lost_days": "50"}).status_code == 302
    outsider = Browser(app.test_client())
    outsider.sign_in("outsider")
    assert outsider.get(page).status_code == 403
    assert outsider.post(page, "/login/password", **body).status_code == 403
