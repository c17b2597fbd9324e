"""A push in a real browser, to this machine over a real sshd, with the real payload."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Page, expect
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.groups import service as groups
from tremplin_server.permissions import system_actor

from tests import personas, translations
from tests.boxes import PAYLOADS
from tests.browser.conftest import Visitor, look
from tests.integration import sshd
from tests.integration.sshd import Sshd
from tests.serving import Server, servers

PAYLOAD = PAYLOADS / "tremplin-scc-linux-64.bin"
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not PAYLOAD.exists(), reason="the payload was not built"),
]
Visit = Callable[..., Visitor]
FORM = "/login/jump-clients/push"
LONG = 90_000
"""Milliseconds that an installation may take on a busy machine."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that another user may enter."""
    with TemporaryDirectory(prefix="tremplin-push-", dir="/var/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    translations.compile_all()
    with servers(place) as made:
        yield made.start(payload_dir=PAYLOADS)


@pytest.fixture(scope="module")
def ssh(place: Path) -> Iterator[Sshd]:
    keys = place / "sshd"
    keys.mkdir(mode=0o755)
    with sshd.start(keys) as running:
        yield running


@pytest.fixture(scope="module")
def database(server: Server) -> Database:
    found: Database = create_app(load(server.environment)).extensions["tremplin"]
    people = personas.people(found)
    with found.work(system_actor()) as work:
        lab = groups.create(work, name="Laboratoire de Lyon")
        groups.add_member(work, lab.id, people.technician.id)
    return found


@pytest.fixture
def directory(place: Path) -> Iterator[Path]:
    """Where the Jump Client goes, and from where it is taken away afterwards."""
    made = place / "jump-client"
    yield made
    if (made / "uninstall").exists():
        subprocess.run([made / "uninstall", "--quiet"], check=True, capture_output=True)
    assert not made.exists()


def fill(page: Page, ssh: Sshd, directory: Path, hosts: str) -> None:
    page.locator("#hosts").fill(hosts)
    page.locator("#login").fill(ssh.user)
    page.locator("#key").set_input_files(ssh.user_key)
    page.locator("#tag").fill("pushed")
    page.locator("#scope").select_option("user")
    page.locator("details.more summary").click()
    page.locator("#user").fill("nobody" if os.getuid() == 0 else "")
    page.locator("#startup").select_option("none")
    page.locator("#install_dir").fill(str(directory))


def test_a_technician_pushes(
    server: Server, database: Database, visit: Visit, ssh: Sshd, directory: Path
) -> None:
    visitor = visit(server.base_url)
    page = visitor.page
    visitor.sign_in("technician", personas.PASSWORD)
    visitor.go("/login/jump-clients")
    page.get_by_role("link", name="Push to hosts").click()
    look(page, "push-form")
    away = f"localhost:{ssh.closed_port}"
    fill(page, ssh, directory, f"127.0.0.1:{ssh.port}\n{away}")
    page.get_by_role("button", name="Push", exact=True).click()
    here = page.locator(".push-host").first
    expect(here.get_by_text(ssh.fingerprint)).to_be_visible(timeout=LONG)
    there = page.locator(".push-host").last
    expect(there.get_by_text("The host cannot be reached over SSH")).to_be_visible(timeout=LONG)
    expect(page.locator("[data-live-label]")).to_have_attribute("data-link", "open")
    look(page, "push-asks")
    french = visit(server.base_url, locale="fr-FR")
    french.sign_in("technician", personas.PASSWORD)
    french.page.goto(page.url)
    expect(french.page.get_by_text("La machine est injoignable en SSH")).to_be_visible()
    look(french.page, "push-asks-fr")
    page.get_by_role("button", name="It is the same: go on").focus()
    page.keyboard.press("Enter")
    # Both windows follow, with nobody touching them.
    expect(french.page.get_by_text("Installé")).to_be_visible(timeout=LONG)
    expect(here.get_by_text("Installed")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Hosts that failed: 1 of 2")).to_be_visible(timeout=LONG)
    look(page, "push-done")
    here.get_by_role("link", name="Show the Jump Client").click()
    expect(page.get_by_text("pushed").first).to_be_visible()


def test_an_auditor_finds_no_way_to_it(server: Server, database: Database, visit: Visit) -> None:
    visitor = visit(server.base_url)
    visitor.sign_in("auditor", personas.PASSWORD)
    visitor.go("/login/jump-clients")
    expect(visitor.page.get_by_role("link", name="Push to hosts")).to_have_count(0)
