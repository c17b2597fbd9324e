"""The line as a person sees it: a real server, a real browser, a real payload."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from tremplin_server.app import create_app
from tremplin_server.clients.models import Worker
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.permissions import system_actor

from tests import personas, translations
from tests.boxes import PAYLOADS
from tests.browser import axe
from tests.browser.conftest import Visitor
from tests.serving import Server, servers, until
from tests.stage import Stage

Visit = Callable[..., Visitor]
PAYLOAD = PAYLOADS / "tremplin-scc-linux-64.bin"
FACTS = {
    "operating_system": "Debian GNU/Linux 12 (bookworm)",
    "private_ip": "10.20.0.17",
    "console_user": "zoe",
    "uptime_seconds": 777_777,
    "cpu_percent": 23.0,
    "memory_total_bytes": 8 * 2**30,
    "memory_used_bytes": 3 * 2**30,
    "disk_total_bytes": 100 * 2**30,
    "disk_used_bytes": 93 * 2**30,
}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that the user of the agent may enter."""
    with TemporaryDirectory(prefix="tremplin-pages-", dir="/var/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Server]:
    translations.compile_all()
    with servers(place) as made:
        yield made.start(payload_dir=PAYLOADS)


@pytest.fixture(scope="module")
def stage(server: Server) -> Stage:
    """The server's own database, with four people and some Jump Clients in it."""
    database: Database = create_app(load(server.environment)).extensions["tremplin"]
    personas.people(database)
    stage = Stage(database)
    installer = stage.installer(tag="web")
    with database.work(system_actor(), read_only=True) as work:
        worker_id = work.session.scalars(select(Worker.id)).one()
    for number in range(27):
        agent = stage.online(
            installer,
            hostname=f"web{number:02}.lyon.example.net",
            fingerprint=f"{number:064}",
            facts=FACTS,
        )
        if number % 4 == 1:
            stage.farewell(agent)
        else:
            # A worker that nobody hears of would count as dead, and its clients as offline.
            stage.connect(agent, worker_id)
    return stage


@pytest.fixture
def administrator(server: Server, stage: Stage, visit: Visit) -> Visitor:
    visitor = visit(server.base_url)
    visitor.sign_in("administrator", personas.PASSWORD)
    return visitor


@pytest.mark.skipif(not PAYLOAD.exists(), reason="the payload was not built")
@pytest.mark.timeout(180)
def test_from_an_installer_to_a_host_and_back(administrator: Visitor, place: Path) -> None:
    page = administrator.page
    administrator.go("/login/jump-clients/new")
    page.get_by_label("Tag", exact=True).first.fill("by hand")
    page.get_by_label("Number of uses").fill("1")
    with page.expect_navigation():
        page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Its key info is shown this once")).to_be_visible()
    page.locator('[data-copy="key-info"]').click()
    expect(page.locator('[data-copy="key-info"]')).to_have_text("Copied")
    key_info = page.locator("#key-info").inner_text().strip()
    assert page.evaluate("navigator.clipboard.readText()") == key_info
    administrator.shoot("installer-created")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    binary = place / download.value.suggested_filename
    download.value.save_as(binary)
    directory = place / "jump-client"
    user = ["--user", "nobody"] if os.getuid() == 0 else []
    words = ["sh", binary, "--install-dir", directory, "--startup", "none", *user]
    subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    administrator.go("/console?q=by+hand")
    expect(page.locator("tbody .state.online")).to_have_count(1, timeout=60_000)
    page.locator("tbody a").click()
    page.get_by_role("link", name="Open its own page").click()
    administrator.shoot("client-real")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_label("Reason").fill("the test is over")
    administrator.shoot("client-delete")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("was deleted.")).to_be_visible()
    until(lambda: not directory.exists(), "the host's half to go", 60)
    administrator.go("/console/removed")
    expect(page.get_by_text("Confirmed by the host")).to_be_visible()
    administrator.shoot("removed")


LOOKS = [
    pytest.param({"width": 1280}, id="desktop"),
    pytest.param({"width": 1280, "color_scheme": "dark"}, id="dark"),
    pytest.param({"width": 390, "height": 844, "locale": "fr-FR"}, id="phone-fr"),
]


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_fits_and_violates_nothing(
    look: dict[str, object],
    server: Server,
    stage: Stage,
    visit: Visit,
    request: pytest.FixtureRequest,
) -> None:
    visitor = visit(server.base_url, **look)
    name = request.node.callspec.id
    visitor.go("/login")
    visitor.shoot(f"{name}-sign-in")
    assert visitor.fits()
    visitor.sign_in("administrator", personas.PASSWORD)
    record = min(stage.records(), key=lambda client: client.id)
    for path in (
        "/console",
        f"/console/clients/{record.id}",
        f"/console/clients/{record.id}/uninstall",
        "/console/removed",
        "/login/jump-clients",
        "/login/jump-clients/new",
        f"/login/jump-clients/{record.installer_id}",
        "/login/audit",
        "/login/password",
    ):
        visitor.go(path)
        assert visitor.fits(), path
        visitor.shoot(name + path.replace("/", "-"))
        assert axe.findings(visitor.page) == [], path


def test_both_languages(server: Server, stage: Stage, visit: Visit) -> None:
    french = visit(server.base_url, locale="fr-FR")
    french.sign_in("administrator", personas.PASSWORD)
    expect(french.page.get_by_role("link", name="Sessions")).to_be_visible()
    expect(french.page.locator("html")).to_have_attribute("lang", "fr")
    french.page.locator("#account-menu summary").click()
    french.page.get_by_role("button", name="English").click()
    expect(french.page.get_by_role("link", name="Administration")).to_be_visible()
    expect(french.page.locator("html")).to_have_attribute("lang", "en")
    expect(french.page).to_have_url(server.base_url + "/console")


def test_without_script_everything_is_there(server: Server, stage: Stage, visit: Visit) -> None:
    plain = visit(server.base_url, java_script_enabled=False)
    plain.sign_in("administrator", personas.PASSWORD)
    expect(plain.page.locator("tbody tr")).to_have_count(27)
    plain.page.get_by_role("searchbox").fill("web03")
    plain.page.get_by_role("searchbox").press("Enter")
    plain.page.locator("tbody a").click()
    expect(plain.page.get_by_role("heading", name="web03.lyon.example.net")).to_be_visible()


def test_an_error_is_a_page(administrator: Visitor) -> None:
    administrator.go("/console/clients/999999")
    expect(administrator.page.get_by_role("heading")).to_have_text(
        "The Jump Client 999999 does not exist."
    )
    # The browser itself reports a document that is not there.
    assert [text for text in administrator.complaints if "404" not in text] == []
    administrator.complaints.clear()
