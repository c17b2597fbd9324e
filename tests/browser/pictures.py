"""Makes the pictures of docs/images: `.venv/bin/python -m tests.browser.pictures`.

A server of its own with a real host and many records without one is shown in chromium, with
data that is the same each time but for moments. Look at what has changed before you commit it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import select
from tremplin_server.app import create_app
from tremplin_server.clients.models import Worker
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.permissions import system_actor

from tests import personas, translations
from tests.bench import clients
from tests.boxes import box
from tests.browser import front
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.serving import Server, servers, until

IMAGES = Path(__file__).parents[2] / "docs" / "images"
RECORDS = 250
GROUPS = 3
HOST = "Paris · web-01"


def main() -> None:
    """Make every picture anew."""
    front.build()
    translations.compile_all()
    with _site() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        _console(_signed_in(browser, server, 1440, 900))
        _session(_signed_in(browser, server, 1440, 900))
        _phone(_signed_in(browser, server, 390, 844, locale="fr-FR", color_scheme="dark"))
        _status(_signed_in(browser, server, 1440, 900, color_scheme="dark"))
        browser.close()


@contextmanager
def _site() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as place, servers(Path(place)) as made, box() as host:
        server = made.start()
        database: Database = create_app(load(server.environment)).extensions["tremplin"]
        personas.people(database)
        with database.work(system_actor(), read_only=True) as work:
            worker = work.session.scalars(select(Worker.id)).one()
        clients.fill(database.engine, RECORDS, GROUPS, worker_id=worker)
        installer = server.installer(external_id="host", name=HOST, tag="production")
        done = host.install("--online-install", key_info=installer.encode())
        assert done.returncode == 0, done.stderr
        path = "/jump-client?external_id=host"
        until(lambda: server.api("GET", path)[1][0]["state"] == "online", "the host to be online")
        yield server


def _signed_in(browser: Browser, server: Server, width: int, height: int, **more: str) -> Page:
    size = {"width": width, "height": height}
    options = {"locale": "en-GB", **more}
    page = browser.new_context(ignore_https_errors=True, viewport=size, **options).new_page()  # type: ignore[arg-type]
    page.goto(f"{server.base_url}/login")
    page.fill("#username", "administrator")
    page.fill("#password", personas.PASSWORD)
    page.click(".sign-in button")
    expect(page.locator("[data-live-label]")).to_have_attribute("data-link", "open")
    return page


def _console(page: Page) -> None:
    page.locator("#tree button.tree-arrow").first.click()
    expect(page.locator("#tree .tree-tags li").first).to_be_visible()
    page.locator('#grid tr.is-online:not([data-name="Paris · web-01"])').nth(1).click()
    expect(page.locator("#panel .day")).to_be_visible()
    _keep(page, "console")


def _session(page: Page) -> None:
    page.locator("#q").fill("web-01")
    page.locator("#q").press("Enter")
    expect(page.locator(".chip")).to_be_visible()
    page.locator(f'#grid tr[data-name="{HOST}"]').dblclick()
    shell = page.frame_locator('iframe[title$="Shell"]')
    expect(shell.locator("#terminal-state")).to_have_text("Connected", timeout=20_000)
    shell.locator(".xterm-helper-textarea").focus()
    screen = shell.locator(".xterm-rows")
    expect(screen).to_contain_text("$")
    page.keyboard.insert_text("PS1='web-01:~$ '; cd /etc; clear; echo re''ady")
    page.keyboard.press("Enter")
    expect(screen).to_contain_text("ready")
    for typed, told in (
        ("cat debian_version", "1"),
        ("ls -d cron*", "crontab"),
        ("uptime", "load"),
    ):
        page.keyboard.insert_text(typed)
        page.keyboard.press("Enter")
        expect(screen).to_contain_text(told)
    _keep(page, "session")


def _phone(page: Page) -> None:
    expect(page.locator("#grid tbody tr").first).to_be_visible()
    _keep(page, "console-phone")


def _status(page: Page) -> None:
    page.goto(page.url.replace("/console", "/login/status"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    _keep(page, "status")


def _keep(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


if __name__ == "__main__":
    main()
