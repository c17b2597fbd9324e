"""Handing an installer out: the link without an account, the letter with it, extending it."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from flask import Flask
from tremplin_server.db import Database
from tremplin_server.errors import NotFound
from tremplin_server.groups import service as groups
from tremplin_server.installers import links, mailing, service
from tremplin_server.installers.models import Installer
from tremplin_server.installers.payload import SLOT_BYTES
from tremplin_server.installers.visitor import platform_of
from tremplin_server.mail.models import Mail
from tremplin_server.permissions import system_actor

from tests import translations as catalogues
from tests.conftest import MovableClock
from tests.integration.test_pages import Browser
from tests.personas import People

SYSTEM = system_actor()


@pytest.fixture(scope="module", autouse=True)
def translations() -> None:
    catalogues.compile_all()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.fixture
def installer(database: Database, people: People) -> Installer:
    """An installer of a group of which the technician is a member."""
    payloads = database.config.data_dir / "payload"
    payloads.mkdir(parents=True, exist_ok=True)
    (payloads / "tremplin-scc-linux-64.bin").write_bytes(b"#!/bin/sh\n" + b"\0" * SLOT_BYTES)
    with database.work(people.administrator) as work:
        group = groups.create(work, name="Lab")
        groups.add_member(work, group.id, people.technician.id)
        return service.create(work, {"jump_group_id": group.id, "recipients": "a@b.org"}).installer


def path_of(database: Database, installer: Installer) -> str:
    with database.work(SYSTEM) as work:
        return links.path(work, installer)


def test_a_link_needs_no_account(app: Flask, database: Database, installer: Installer) -> None:
    path = path_of(database, installer)
    visitor = Browser(app.test_client())
    page = visitor.get(path)
    assert page.status_code == 200
    assert f"tremplin-scc-{installer.installer_id}.bin" in page.text
    assert "Lab" not in page.text


def test_the_link_of_an_msi_gives_the_command(app: Flask, database: Database) -> None:
    with database.work(SYSTEM) as work:
        group = groups.create(work, name="Windows")
        made = service.create(work, {"jump_group_id": group.id, "platform": "windows-64-msi"})
        path = links.path(work, made.installer)
    page = Browser(app.test_client()).get(path)
    assert f"KEY_INFO={made.key_info}" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "Windows" not in page.text
    with database.work(SYSTEM) as work:
        service.revoke(work, made.installer.id)
    assert made.key_info not in Browser(app.test_client()).get(path).text


def test_a_wrong_link_leads_nowhere(app: Flask, database: Database, installer: Installer) -> None:
    path = path_of(database, installer)
    visitor = Browser(app.test_client())
    assert visitor.get(path[:-1] + ("A" if path[-1] != "A" else "B")).status_code == 404
    assert visitor.get(f"/install/{'0' * 32}/{path.rsplit('/')[-1]}").status_code == 404
    with database.work(SYSTEM) as work, pytest.raises(NotFound):
        links.follow(work, installer.installer_id, "é")


def test_a_link_ends_with_the_installer(
    app: Flask, database: Database, installer: Installer
) -> None:
    path = path_of(database, installer)
    with database.work(SYSTEM) as work:
        service.revoke(work, installer.id)
    page = Browser(app.test_client()).get(path)
    assert page.status_code == 410
    assert "can no longer be used" in page.text


def test_the_page_shows_the_link_to_who_may_hand_it_out(
    app: Flask, database: Database, installer: Installer, people: People
) -> None:
    path = path_of(database, installer)
    for name, seen in (("technician", True), ("auditor", False)):
        browser = Browser(app.test_client())
        browser.sign_in(name)
        page = browser.get(f"/login/jump-clients/{installer.id}")
        assert page.status_code == 200
        assert (path in page.text) is seen
    outsider = Browser(app.test_client())
    outsider.sign_in("outsider")
    assert outsider.get(f"/login/jump-clients/{installer.id}").status_code == 404
    for action in ("extend", "send"):
        target = f"/login/jump-clients/{installer.id}/{action}"
        body = {"valid_duration": "60", "recipients": "a@b.org", "language": "en"}
        assert outsider.post(target, "/login/jump-clients/new", **body).status_code == 404


def test_extending_on_the_page(
    app: Flask, database: Database, installer: Installer, people: People, clock: MovableClock
) -> None:
    browser = Browser(app.test_client())
    browser.sign_in("technician")
    page = f"/login/jump-clients/{installer.id}"
    wrong = browser.post(f"{page}/extend", page, valid_duration="9", max_uses="")
    assert wrong.status_code == 422
    done = browser.post(f"{page}/extend", page, valid_duration="60", max_uses="7")
    assert done.status_code == 302
    with database.work(SYSTEM) as work:
        now = service.get(work, installer.id)
        assert (now.valid_duration, now.max_uses) == (60, 7)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Open this address"), ("fr", "Ouvrez cette adresse")],
)
def test_letters_in_both_languages(app: Flask, language: str, words: str) -> None:
    with app.test_request_context():
        letter = mailing.letter(
            "https://jump.example.org/install/1/x",
            "1" * 32,
            MovableClock().now(),
            language,
            "<b>Merci</b>",
        )
    assert words in letter.text
    assert words in html.unescape(letter.html)
    assert "https://jump.example.org/install/1/x" in letter.text
    assert "&lt;b&gt;Merci&lt;/b&gt;" in letter.html
    assert "<b>Merci</b>" in letter.text
    assert not re.search(r"\{\{|\{%", letter.text + letter.html)


def test_sending_queues_a_letter_for_each(
    app: Flask, database: Database, installer: Installer, people: People
) -> None:
    config = replace(database.config, smtp_host="127.0.0.1", mail_from="support@example.org")
    site = replace(database, config=config)
    app.extensions["tremplin"] = site
    browser = Browser(app.test_client())
    browser.sign_in("technician")
    page = f"/login/jump-clients/{installer.id}"
    assert "a@b.org" in browser.get(page).text
    wrong = browser.post(f"{page}/send", page, recipients="nobody", language="fr", note="")
    assert wrong.status_code == 422
    assert "Not a valid address: nobody" in wrong.text
    done = browser.post(
        f"{page}/send", page, recipients="zoe@b.org, ana@b.org", language="fr", note=""
    )
    assert done.status_code == 302
    with site.work(SYSTEM) as work:
        assert {mail.recipient for mail in work.session.query(Mail)} == {"zoe@b.org", "ana@b.org"}
    assert "zoe@b.org" in browser.get(page).text


def test_without_a_mail_server_the_page_says_so(
    app: Flask, installer: Installer, people: People
) -> None:
    browser = Browser(app.test_client())
    browser.sign_in("technician")
    page = f"/login/jump-clients/{installer.id}"
    assert "smtp_host" in browser.get(page).text
    body = {"recipients": "zoe@b.org", "language": "en", "note": ""}
    assert "smtp_host" in browser.post(f"{page}/send", page, **body).text


@pytest.mark.parametrize(
    ("agent", "platform"),
    [
        ("Mozilla/5.0 (X11; Linux aarch64) Firefox/140", "linux-arm64"),
        ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140", "linux-64"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "windows-64-msi"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", "macos-arm64"),
        ("", "linux-64"),
    ],
)
def test_the_visitors_platform(agent: str, platform: str) -> None:
    assert platform_of(agent) == platform
