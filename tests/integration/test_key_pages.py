"""The pages of SSH keys and second factors, and the sign-in that asks for a code."""

from __future__ import annotations

import re
import subprocess
from html import unescape
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from tremplin_server.accounts import service, ssh_keys, totp
from tremplin_server.db import Database
from tremplin_server.permissions import Role, system_actor

from tests import translations as catalogues
from tests.conftest import MovableClock
from tests.integration.test_pages import Browser
from tests.personas import PASSWORD, People, add_user


@pytest.fixture(scope="module", autouse=True)
def translations() -> None:
    catalogues.compile_all()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What pages ask of a database, the services' own tests ask of both."""
    return sqlite_url


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


def sign_in(browser: Browser, username: str, query: str = "") -> str:
    """Type name and password; return where the browser is sent."""
    answer = browser.post("/login" + query, username=username, password=PASSWORD)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def sent(browser: Browser, path: str, page: str, **fields: str) -> str:
    """Send a form of `page` and return the text of the page that comes next."""
    answer = browser.post(path, page=page, **fields)
    return browser.get(answer.location).text if answer.status_code == 302 else answer.text


@pytest.fixture
def line(tmp_path: Path) -> str:
    file = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-C", "zoe@desk", "-f", str(file)]
    subprocess.run(command, check=True)
    return file.with_suffix(".pub").read_text("ascii")


def test_a_technician_registers_and_removes_a_key(
    browser: Browser, people: People, line: str
) -> None:
    sign_in(browser, "technician")
    page = "/console/keys"
    assert "No key is registered yet" in browser.get(page).text
    assert "Not an SSH public key." in sent(browser, page, page, public_key="hello")
    added = sent(browser, page, page, public_key=line)
    assert "The key was registered." in added
    assert "zoe@desk" in added
    assert ssh_keys.parse(line).fingerprint in unescape(added)
    number = re.findall(r"/console/keys/(\d+)/remove", added)[0]
    assert "The key was removed." in sent(browser, f"{page}/{number}/remove", page)
    assert browser.post(f"{page}/{number}/remove", page=page).status_code == 404


def test_nobody_removes_the_key_of_another(
    browser: Browser, people: People, database: Database, line: str
) -> None:
    with database.work(people.technician) as work:
        key = ssh_keys.add(work, ssh_keys.acting_owner(work), line)
    sign_in(browser, "outsider")
    page = "/console/keys"
    assert "zoe@desk" not in browser.get(page).text
    assert browser.post(f"{page}/{key.id}/remove", page=page).status_code == 404


@pytest.mark.parametrize("path", ["", "/known_hosts", "/ssh_config", "/1/remove"])
def test_nobody_sees_anything_before_signing_in(browser: Browser, path: str) -> None:
    answer = browser.get(f"/console/keys{path}")
    assert answer.status_code == 405 if "remove" in path else answer.status_code == 302
    assert browser.get("/console/second-factor").location.startswith("/login")


def test_known_hosts_and_configuration_are_downloads(browser: Browser, people: People) -> None:
    sign_in(browser, "technician")
    known = browser.get("/console/keys/known_hosts")
    assert known.headers["Content-Disposition"] == "attachment; filename=tremplin_known_hosts"
    assert known.text.startswith("[localhost]:8022 ssh-ed25519 ")
    config = browser.get("/console/keys/ssh_config")
    assert "Host tremplin-bastion\n" in config.text
    assert "    User technician\n" in config.text


FACTOR = "/console/second-factor"


def test_a_second_factor_is_set_up_asked_for_and_removed(
    app: Flask, browser: Browser, people: People, clock: MovableClock
) -> None:
    sign_in(browser, "technician")
    page = browser.get(FACTOR).text
    assert "<svg" in page
    assert "style=" not in page, "the page's policy forbids styles"
    secret = re.findall(r"<code>([A-Z2-7]{32})</code>", page)[0]
    assert secret in browser.get(FACTOR).text, "it stays until it is confirmed"
    code = pyotp.TOTP(secret)
    assert "This code is wrong" in sent(browser, FACTOR, FACTOR, code="000000")
    done = sent(browser, FACTOR, FACTOR, code=code.at(clock.now()))
    assert "The second factor is set up." in done
    browser.post("/logout", page="/console")
    _signs_in_with_code(app, browser, code, clock)
    remove = f"{FACTOR}/remove"
    refused = sent(browser, remove, FACTOR, password="no such password")
    assert "The current password is wrong." in refused
    assert "The second factor was removed." in sent(browser, remove, FACTOR, password=PASSWORD)
    browser.post("/logout", page="/console")
    assert sign_in(browser, "technician") == "/console"


def _signs_in_with_code(
    app: Flask, browser: Browser, code: pyotp.TOTP, clock: MovableClock
) -> None:
    wanted = "?next=/console/keys"
    assert sign_in(browser, "technician", wanted) == f"/login/code{wanted}"
    assert browser.get("/console").status_code == 302, "the password alone opens nothing"
    clock.forward(seconds=30)
    wrong = browser.post("/login/code", page="/login/code", code="000000")
    assert wrong.status_code == 401
    assert "This code is wrong" in wrong.text
    right = code.at(clock.now())
    there = browser.post(f"/login/code{wanted}", page="/login/code", code=right)
    assert there.location == "/console/keys"
    assert browser.get("/console").status_code == 200
    assert Browser(app.test_client()).get("/login/code").location == "/login"


def test_a_site_can_require_a_second_factor(
    browser: Browser, database: Database, clock: MovableClock
) -> None:
    user = add_user(database, "ida", Role.TECHNICIAN)
    with database.work(system_actor()) as work:
        service.update(work, user.id, {"two_factor_required": True})
    sign_in(browser, "ida")
    assert browser.get("/console").location == FACTOR
    assert "Your account needs a second factor" in browser.get(FACTOR).text
    with database.work(service.actor_of_user(user, "")) as work:
        setup = totp.pending(work)
        assert setup is not None
        totp.confirm(work, pyotp.TOTP(setup.secret).at(clock.now()))
    assert browser.get("/console").status_code == 200


def test_the_pages_speak_french(browser: Browser, people: People) -> None:
    sign_in(browser, "technician")
    browser.post("/login/language", page="/console", language="fr", next="/console/keys")
    assert "Votre accès par SSH" in browser.get("/console/keys").text
    assert "Second facteur" in browser.get(FACTOR).text
