"""Reports: who sees which, the days, the file that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from flask import Flask
from tremplin_server.audit import service as audit
from tremplin_server.db import Database
from tremplin_server.errors import Denied, Invalid
from tremplin_server.permissions import system_actor
from tremplin_server.reports import service

from tests.integration.test_pages import Browser
from tests.personas import People

TODAY = date(2026, 11, 22)


def test_the_file_runs_nothing(app: Flask, database: Database, people: People) -> None:
    with database.work(system_actor()) as work:
        audit.record(work, "client.deleted", "client", 1, "=cmd|' /C calc'!A1", reason="+1")
    auditor = Browser(app.test_client())
    auditor.sign_in("auditor")
    answer = auditor.get("/login/reports/clients.csv")
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[0] == list(service.HEADS["clients"])
    assert rows[1][3:5] == ["'=cmd|' /C calc'!A1", "'+1"]


def test_a_page_is_read_by_people(app: Flask, database: Database, people: People) -> None:
    with database.work(system_actor()) as work:
        audit.record(work, "client.deleted", "client", 1, "web-01", state="lost")
    auditor = Browser(app.test_client())
    auditor.sign_in("auditor")
    page = auditor.get("/login/reports/clients?first=2026-11-22&last=2026-11-22").text
    for told in ("22 Nov 2026, ", "<code>client.deleted</code>", "web-01", "state: lost"):
        assert told in page


@pytest.mark.parametrize("kind", service.KINDS)
def test_the_pages(app: Flask, database: Database, people: People, kind: str) -> None:
    auditor = Browser(app.test_client())
    auditor.sign_in("auditor")
    assert auditor.get(f"/login/reports/{kind}").status_code == 200
    assert auditor.get(f"/login/reports/{kind}.csv").status_code == 200
    assert auditor.get(f"/login/reports/{kind}?first=x").status_code == 422
    technician = Browser(app.test_client())
    technician.sign_in("outsider")
    refused = 403 if kind in ("clients", "audit") else 200
    assert technician.get(f"/login/reports/{kind}").status_code == refused
    assert technician.get(f"/login/reports/{kind}.csv").status_code == refused


def test_no_other_report(app: Flask, people: People) -> None:
    auditor = Browser(app.test_client())
    auditor.sign_in("auditor")
    assert auditor.get("/login/reports/other").status_code == 404


def test_each_day_is_counted(database: Database, people: People) -> None:
    with database.work(system_actor()) as work:
        audit.record(work, "client.deleted", "client", 1)
    with database.work(people.auditor) as work:
        days = service.per_day(work, "clients", service.span("", "", TODAY))
        assert (len(days), days[-1]) == (30, (TODAY, 1))
        old = service.span("2026-01-01", "2026-01-31", TODAY)
        assert sum(count for _day, count in service.per_day(work, "clients", old)) == 0
    with database.work(people.technician) as work, pytest.raises(Denied):
        service.query(work, "audit", service.span("", "", TODAY))


@pytest.mark.parametrize(
    ("first", "last"),
    [("x", ""), ("2026-11-23", "2026-11-22"), ("2020-01-01", ""), ("", "9999-12-31")],
)
def test_spans_that_are_none(first: str, last: str) -> None:
    with pytest.raises(Invalid):
        service.span(first, last, TODAY)
