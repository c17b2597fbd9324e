"""Reading the audit log over the API, and what lands in it by itself."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_server.accounts import service as accounts
from tremplin_server.audit import service
from tremplin_server.audit.models import AuditEvent
from tremplin_server.db import Database
from tremplin_server.errors import Denied, TremplinError
from tremplin_server.permissions import system_actor

from tests.personas import Api, People, add_user, api_of


def test_the_newest_comes_first(api: Api) -> None:
    for name in ("One", "Two"):
        api.post("/jump-group", {"name": name})
    events = api.get("/audit?action=group.created").json
    assert [event["subject_name"] for event in events] == ["Two", "One"]
    assert events[0]["actor_kind"] == "api_account"
    assert events[0]["actor_name"] == "program"
    assert events[0]["source_ip"] == "127.0.0.1"
    assert events[0]["at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("subject_kind=group&subject_id=1", 2),
        ("subject_kind=group&subject_id=2", 0),
        ("actor_name=program", 2),
        ("actor_name=nobody", 0),
        ("action=group.changed", 1),
    ],
)
def test_filters(api: Api, query: str, found: int) -> None:
    api.post("/jump-group", {"name": "One"})
    api.patch("/jump-group/1", {"name": "Other"})
    assert len(api.get(f"/audit?{query}").json) == found


def test_nobody_writes_it(api: Api) -> None:
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        assert api.call(method, "/audit").status_code == 405


def test_a_refused_change_leaves_no_event(api: Api) -> None:
    api.post("/jump-group", {"name": "One"})
    assert api.post("/jump-group", {"name": "One"}).status_code == 409
    assert len(api.get("/audit?action=group.created").json) == 1


def test_who_may_read_it(database: Database, people: People) -> None:
    for actor in (people.administrator, people.auditor):
        with database.work(actor) as work:
            assert work.session.scalars(service.events(work)).all()
    for actor in (people.technician, people.outsider):
        with database.work(actor) as work, pytest.raises(Denied):
            service.events(work)


def actions(database: Database) -> list[str]:
    with database.work(system_actor()) as work:
        return list(work.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


def test_failed_sign_ins_of_people_are_kept(database: Database) -> None:
    add_user(database, "zoe")
    for _ in range(database.config.sign_in_attempts):
        with pytest.raises(TremplinError), database.work(system_actor()) as work:
            accounts.authenticate(work, "zoe", "wrong")
    expected = ["user.sign_in_failed"] * database.config.sign_in_attempts
    assert actions(database) == ["user.created", *expected, "user.locked"]


def test_failed_sign_ins_of_programs_are_kept_with_their_address(
    app: Flask, database: Database
) -> None:
    client_id = api_of(app).get("/api-account").json[0]["client_id"]
    app.test_client().post(
        "/oauth2/token", auth=(client_id, "wrong"), data={"grant_type": "client_credentials"}
    )
    with database.work(system_actor()) as work:
        last = work.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert last is not None
    assert (last.action, last.source_ip) == ("api_account.sign_in_failed", "127.0.0.1")
