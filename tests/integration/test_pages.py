"""The pages as a browser without script meets them: forms, rights, headers, languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tremplin_server.accounts import service as accounts
from tremplin_server.clients.lifecycle import State
from tremplin_server.db import Database
from tremplin_server.groups import service as groups
from tremplin_server.installers.payload import SLOT_BYTES
from tremplin_server.permissions import system_actor
from werkzeug.test import TestResponse

from tests import translations as catalogues
from tests.personas import PASSWORD, People
from tests.stage import Stage

BASE = "https://tremplin.example"
SIGNED_IN_PAGES = (
    "/console",
    "/console/rows",
    "/console/tree",
    "/console/tags",
    "/console/panel/client:1",
    "/console/properties",
    "/console/delete",
    "/console/clients/1",
    "/console/clients/1/facts",
    "/console/clients/1/delete",
    "/console/clients/1/uninstall",
    "/console/removed",
    "/console/sessions",
    "/console/clients/1/sessions",
    "/console/clients/1/terminal",
    "/console/clients/1/files",
    "/console/clients/1/files/list",
    "/login/jump-clients",
    "/login/jump-clients/new",
    "/login/jump-clients/1",
    "/login/audit",
    "/login/password",
)


@dataclass
class Browser:
    """Follows forms as a browser does: with the cookie, the token and the referrer."""

    client: FlaskClient

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=BASE, headers=headers)

    def post(self, path: str, page: str = "/login", **fields: object) -> TestResponse:
        """Send a form; its token is taken from the page at `page`."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(page).text)
        assert found, f"no form at {page}"
        body = {"csrf_token": found.group(1), **fields}
        return self.client.post(path, base_url=BASE, data=body, headers={"Referer": BASE + page})

    def sign_in(self, username: str, password: str = PASSWORD) -> TestResponse:
        return self.post("/login", username=username, password=password)


@pytest.fixture(scope="session", autouse=True)
def translations() -> None:
    catalogues.compile_all()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What pages ask of a database, the services' own tests ask of both."""
    return sqlite_url


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def as_user(app: Flask, people: People) -> Callable[[str], Browser]:
    def signed_in(username: str) -> Browser:
        made = Browser(app.test_client())
        assert made.sign_in(username).status_code == 302
        return made

    return signed_in


# --- signing in ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", SIGNED_IN_PAGES)
def test_nobody_sees_anything_before_signing_in(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=")


@pytest.mark.usefixtures("people")
def test_sign_in_and_out(browser: Browser) -> None:
    assert browser.sign_in("Technician").location == "/console"
    assert "technician" in browser.get("/console").text
    assert browser.post("/logout", page="/console").location == "/login"
    assert browser.get("/console").status_code == 302


@pytest.mark.usefixtures("people")
def test_wrong_password_is_told_and_locks(browser: Browser) -> None:
    answer = browser.sign_in("technician", "nope")
    assert answer.status_code == 401
    assert "The name or the secret is wrong." in answer.text
    for _ in range(4):
        browser.sign_in("technician", "nope")
    assert "locked until" in browser.sign_in("technician").text


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/login/jump-clients?page=2", "/login/jump-clients?page=2"),
        ("https://evil.example/", "/console"),
        ("//evil.example/", "/console"),
        ("/\\evil.example/", "/console"),
        ("javascript:alert(1)", "/console"),
    ],
)
def test_sign_in_goes_on_inside_this_site_only(
    browser: Browser, wanted: str, location: str
) -> None:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/login").text)
    assert found
    answer = browser.client.post(
        "/login",
        base_url=BASE,
        query_string={"next": wanted},
        data={"csrf_token": found.group(1), "username": "technician", "password": PASSWORD},
        headers={"Referer": BASE + "/login"},
    )
    assert answer.location == location


@pytest.mark.usefixtures("people")
def test_the_cookie_is_out_of_reach(browser: Browser) -> None:
    cookie = browser.sign_in("technician").headers["Set-Cookie"]
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie


def test_a_changed_account_is_signed_out_everywhere(
    as_user: Callable[[str], Browser], database: Database, people: People
) -> None:
    browser = as_user("technician")
    with database.work(system_actor()) as work:
        accounts.update(work, people.technician.id, {"role": "auditor"})
    assert browser.get("/console").status_code == 302


def test_a_password_that_must_change_comes_first(
    as_user: Callable[[str], Browser], database: Database, people: People
) -> None:
    with database.work(system_actor()) as work:
        accounts.update(work, people.technician.id, {"password_reset_next_login": True})
    browser = as_user("technician")
    assert browser.get("/console").location == "/login/password"
    new = "a brand new password"
    form = {"password": PASSWORD, "new_password": new, "again": new + "!"}
    assert "differ" in browser.post("/login/password", "/login/password", **form).text
    form["again"] = new
    assert browser.post("/login/password", "/login/password", **form).location == "/console"
    assert browser.get("/console").status_code == 200


# --- protection ---------------------------------------------------------------------------


def test_a_form_without_its_token_is_refused(
    as_user: Callable[[str], Browser], stage: Stage
) -> None:
    client_id = stage.online().client_id
    browser = as_user("administrator")
    answer = browser.client.post(f"/console/clients/{client_id}/delete", base_url=BASE, data={})
    assert answer.status_code == 400
    assert "request.form_expired" in answer.text
    assert stage.record(client_id) is not None


@pytest.mark.parametrize("path", ["/login", "/console", "/nothing", "/console/static/console.css"])
def test_every_page_is_protected(as_user: Callable[[str], Browser], path: str) -> None:
    answer = as_user("administrator").get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    answer.close()


def test_what_a_host_says_is_text(as_user: Callable[[str], Browser], stage: Stage) -> None:
    agent = stage.online(hostname="<script>alert(1)</script>")
    browser = as_user("administrator")
    for path in ("/console", f"/console/clients/{agent.client_id}"):
        page = browser.get(path).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>alert" not in page


# --- Jump Clients -------------------------------------------------------------------------


def test_the_list_finds_and_filters(as_user: Callable[[str], Browser], stage: Stage) -> None:
    stage.online(hostname="web1")
    stage.disconnect(stage.online(hostname="db1", fingerprint="c" * 64))
    browser = as_user("administrator")
    everything = browser.get("/console").text
    assert "web1" in everything
    assert "db1" in everything
    assert "db1" not in browser.get("/console?q=WEB").text
    assert "web1" not in browser.get("/console?state=offline").text
    assert "web1" in browser.get(f"/console?group=shared:{stage.group.id}").text
    assert "web1" not in browser.get("/console?group=personal:1").text
    assert "No Jump Item matches." in browser.get("/console?q=nothing").text
    for odd in (
        "state=odd",
        "group=odd",
        "group=shared:x",
        "group=shared:999",
        "page=x",
        "page=99999999999",
        "sort=odd",
        "in=odd",
        "q=%00",
        "item=odd",
        "item=client:999",
        "method=odd",
        "endpoint=x",
    ):
        assert browser.get(f"/console?{odd}").status_code == 200, odd


def test_the_list_is_paged(as_user: Callable[[str], Browser], stage: Stage) -> None:
    made = stage.installer()
    for number in range(102):
        stage.online(made, hostname=f"host{number:03}", fingerprint=f"{number:064}")
    browser = as_user("administrator")
    first = browser.get("/console?q=host").text
    assert "1–100 of 102" in first
    assert "host100" not in first
    assert "/console?q=host&amp;page=2" in first
    assert "host101" in browser.get("/console?q=host&page=2").text
    assert "host101" in browser.get("/console?q=host&page=77").text
    assert "101–102 of 102" in browser.get("/console/rows?page=2").text


def test_properties_are_changed(as_user: Callable[[str], Browser], stage: Stage) -> None:
    client_id = stage.online().client_id
    browser = as_user("administrator")
    path = f"/console/clients/{client_id}"
    form = {
        "name": "front",
        "jump_group": f"shared:{stage.group.id}",
        "tag": "web",
        "max_offline_minutes": "60",
        "jump_policy_id": "0",
        "attended_session_policy_id": "0",
        "unattended_session_policy_id": "0",
        "external_id": "front.example",
    }
    assert browser.post(path, path, **form).location == path
    record = stage.record(client_id)
    assert record is not None
    assert (record.name, record.tag, record.external_id) == ("front", "web", "front.example")
    assert record.max_offline_minutes == 60
    refused = browser.post(path, path, **{**form, "name": "", "max_offline_minutes": "x"}).text
    assert refused.count('class="invalid-feedback"') == 2
    other = stage.online(hostname="other", fingerprint="c" * 64).client_id
    taken = f"/console/clients/{other}"
    assert "has this external id" in browser.post(taken, taken, **form).text


def test_delete_and_uninstall_take_a_reason(
    as_user: Callable[[str], Browser], stage: Stage
) -> None:
    first = stage.online().client_id
    second = stage.online(hostname="web2", fingerprint="c" * 64).client_id
    browser = as_user("administrator")
    path = f"/console/clients/{first}/delete"
    assert browser.post(path, path, reason="old").location == "/console"
    assert stage.record(first) is None
    assert [stone.reason for stone in stage.tombstones()] == ["old"]
    path = f"/console/clients/{second}/uninstall"
    assert browser.post(path, path, reason="old").status_code == 302
    record = stage.record(second)
    assert record is not None
    assert record.state == State.REMOVING
    removed = browser.get("/console/removed").text
    assert "Waiting for the host" in removed
    [stone] = stage.tombstones()
    browser.post(f"/console/removed/{stone.id}/close", "/console/removed")
    assert "Closed by hand" in browser.get("/console/removed").text
    assert "Nothing here." in browser.get("/console/removed?open=1").text


# --- rights -------------------------------------------------------------------------------


def test_the_outsider_sees_and_does_nothing(
    as_user: Callable[[str], Browser], stage: Stage
) -> None:
    agent = stage.online()
    record = stage.record(agent.client_id)
    assert record is not None
    installer = f"/login/jump-clients/{record.installer_id}"
    outsider = as_user("outsider")
    assert "web1" not in outsider.get("/console").text
    for path in ("", "/facts", "/delete", "/uninstall"):
        assert outsider.get(f"/console/clients/{agent.client_id}{path}").status_code == 404
    for path in ("/delete", "/uninstall", ""):
        whole = f"/console/clients/{agent.client_id}{path}"
        assert outsider.post(whole, "/console", reason="x", name="x").status_code == 404
    assert outsider.get(installer).status_code == 404
    for path in ("/download", "/revoke"):
        assert outsider.post(installer + path, "/console").status_code == 404
    assert outsider.get("/login/audit").status_code == 403
    assert stage.record(agent.client_id) is not None


def test_the_auditor_reads_only(as_user: Callable[[str], Browser], stage: Stage) -> None:
    agent = stage.online()
    path = f"/console/clients/{agent.client_id}"
    auditor = as_user("auditor")
    page = auditor.get(path).text
    assert "web1" in page
    assert "Delete…" not in page
    assert "Save" not in page
    assert auditor.get("/login/audit").status_code == 200
    assert auditor.get("/login/jump-clients/new").status_code == 403
    assert auditor.post(path, "/console", name="x").status_code == 403
    assert auditor.get(path + "/delete").status_code == 403
    assert auditor.post(path + "/delete", "/console", reason="x").status_code == 403
    assert "New installer" not in auditor.get("/console").text


def test_the_technician_works_in_the_groups_of_the_role(
    as_user: Callable[[str], Browser], stage: Stage, database: Database, people: People
) -> None:
    agent = stage.online()
    with database.work(system_actor()) as work:
        groups.add_member(work, stage.group.id, people.technician.id)
    technician = as_user("technician")
    assert "web1" in technician.get("/console").text
    path = f"/console/clients/{agent.client_id}"
    assert technician.get(path).status_code == 200
    assert "Audit" not in technician.get("/console").text


# --- installers ---------------------------------------------------------------------------

USUAL = {
    "platform": "linux-64",
    "connection_type": "active",
    "valid_duration": "60",
    "on_duplicate": "replace",
    "max_offline_minutes": "0",
    "customer_client_start_mode": "normal",
    "jump_policy_id": "0",
    "attended_session_policy_id": "0",
    "unattended_session_policy_id": "0",
}


def test_an_installer_shows_its_key_once(as_user: Callable[[str], Browser], stage: Stage) -> None:
    browser = as_user("administrator")
    form = {**USUAL, "jump_group": f"shared:{stage.group.id}", "tag": "web", "max_uses": "2"}
    answer = browser.post("/login/jump-clients/new", "/login/jump-clients/new", **form)
    assert answer.status_code == 201
    found = re.search(r'<pre id="key-info"[^>]*>([^<]+)</pre>', answer.text)
    assert found
    key_info = found.group(1)
    assert "0 / 2" in browser.get("/login/jump-clients").text
    page = browser.get("/login/jump-clients/1").text
    assert key_info not in page
    assert "Not used yet." in page
    browser.post("/login/jump-clients/1/revoke", "/login/jump-clients/1")
    assert "Revoked" in browser.get("/login/jump-clients").text


def test_the_form_says_what_is_wrong(as_user: Callable[[str], Browser], stage: Stage) -> None:
    browser = as_user("administrator")
    form = {**USUAL, "jump_group": "shared:999", "valid_duration": "5", "max_uses": "0"}
    answer = browser.post("/login/jump-clients/new", "/login/jump-clients/new", **form)
    assert answer.status_code == 422
    assert answer.text.count('class="invalid-feedback"') == 3


def test_the_download_is_the_stamped_payload(
    as_user: Callable[[str], Browser], stage: Stage, tmp_path: Path
) -> None:
    payload = tmp_path / "payload" / "tremplin-scc-linux-64.bin"
    payload.parent.mkdir()
    payload.write_bytes(b'#!/bin/sh\nTREMPLIN_KEY_INFO="' + b"@" * SLOT_BYTES + b'"\nPK\0\1')
    made = stage.installer()
    path = f"/login/jump-clients/{made.installer.id}"
    answer = as_user("administrator").post(path + "/download", path)
    assert answer.status_code == 200
    name = f"tremplin-scc-{made.installer.installer_id}.bin"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert made.key_info.encode() in answer.data
    assert len(answer.data) == payload.stat().st_size


# --- languages ----------------------------------------------------------------------------


@pytest.mark.usefixtures("people")
def test_the_language_is_the_browsers_then_the_chosen_one(browser: Browser) -> None:
    french = {"Accept-Language": "fr-FR,fr;q=0.9,en;q=0.5"}
    assert "Se connecter" in browser.get("/login", **french).text
    assert "Sign in" in browser.get("/login").text
    browser.post("/login/language", language="fr", next="/login")
    page = browser.get("/login").text
    assert '<html lang="fr">' in page
    assert "Mot de passe" in page
    assert "Le nom ou le secret est faux." in browser.sign_in("technician", "nope").text
