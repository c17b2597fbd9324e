"""The console of a large site: how long the server takes for a list, and a browser to paint it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import text
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.permissions import system_actor
from tremplin_server.serve import settle_memory

from tests import personas, postgres
from tests.bench import clients, targets
from tests.bench.bench import Bench, Skipped
from tests.bench.figures import Figure, middle, spread
from tests.bench.site import Site, site

COUNT = 50_000
GROUPS = 40
ASKED = 40
"""How often each page is asked for; the figure is the time that 95 of 100 stay under."""
PAINTS = 5
_BASE = "https://localhost"
_CHROMIUM = "/usr/bin/chromium"
SEARCHES = {
    "name": "db-0",
    "hostname": "web-1",
    "tag": "lab",
    "comments": "rack 7,",
    "group": "lyon",
    "method": "jump client",
    "state": "disabled",
    "console_user": "zoe",
    "operating_system": "rocky",
    "private_ip": "10.0.3",
    "public_ip": "113.77",
    "last_access": "2026-11",
}
"""A phrase for each field that a search can choose."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is measured. what: its name in the table."""

    what: str
    path: str


PAGES = (
    Page("list", "/console/rows"),
    Page("list, last page", "/console/rows?page=500"),
    Page("list by last contact", "/console/rows?sort=-last_seen"),
    Page("list of one group and tag", "/console/rows?group=shared:3&tag=lab"),
    Page("list of the lost", "/console/rows?state=lost"),
    Page("group counts", "/console/tree"),
    Page("tags of a group", "/console/tags?group=shared:3"),
    Page("search everywhere", "/console/rows?q=web-01"),
    *(Page(f"search: {name}", f"/console/rows?q={q}&in={name}") for name, q in SEARCHES.items()),
)


def sqlite(bench: Bench) -> Iterator[Figure]:
    """The console with 50,000 Jump Clients on SQLite, and its first paint in chromium."""
    with bench.place("console") as path, site(path) as server:
        yield from _measure(bench, server, "console")
        yield _painted(bench, server)


def postgresql(bench: Bench) -> Iterator[Figure]:
    """The console with 50,000 Jump Clients on PostgreSQL."""
    if postgres.programs() is None:
        raise Skipped("needs PostgreSQL's server programs (package postgresql)")
    with postgres.cluster() as cluster:
        cluster.create("bench")
        variables = {"TREMPLIN_DATABASE_URL": cluster.url("bench")}
        with bench.place("console-postgres") as path, site(path, **variables) as server:
            yield from _measure(bench, server, "console-postgres")


def _measure(bench: Bench, server: Site, name: str) -> Iterator[Figure]:
    app = create_app(load(server.environment))
    database: Database = app.extensions["tremplin"]
    personas.people(database)
    bench.say(f"{name}: seeding {COUNT} records")
    clients.fill(database.engine, COUNT, GROUPS)
    clients.shortcut(database.engine)
    with database.work(system_actor()) as work:
        work.session.execute(text("ANALYZE"))
    client = _signed_in(app)
    settle_memory()
    for page in PAGES:
        times = [_asked(client, page.path) for _ in range(ASKED)]
        note = f"p95 of {ASKED}, median {middle(times):.1f} ms"
        yield Figure(name, page.what, quantiles(times, n=20)[-1], targets.CONSOLE_PAGE, note)


def _signed_in(app: Flask) -> FlaskClient:
    client = app.test_client()
    found = re.search(
        r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login", base_url=_BASE).text
    )
    assert found, "the sign-in page has a form"
    form = {"csrf_token": found[1], "username": "administrator", "password": personas.PASSWORD}
    headers = {"Referer": f"{_BASE}/login"}
    answer = client.post("/login", base_url=_BASE, data=form, headers=headers)
    assert answer.status_code == 302, answer.text
    return client


def _asked(client: FlaskClient, path: str) -> float:
    """Return the milliseconds that the server takes for a page, query and markup."""
    began = time.perf_counter()
    answer = client.get(path, base_url=_BASE)
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, (path, answer.status_code)
    return took


def _painted(bench: Bench, server: Site) -> Figure:
    what = "first paint of the console"
    if not Path(_CHROMIUM).exists():
        return Figure("console", what, None, targets.FIRST_PAINT, "chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        paints = [_paint(browser, server) for _ in range(PAINTS)]
        browser.close()
    return Figure("console", what, middle(paints), targets.FIRST_PAINT, spread(paints))


def _paint(browser: Browser, server: Site) -> float:
    """Return the seconds to the first paint of a browser that has nothing of the site yet."""
    base = f"https://localhost:{server.port}"
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"{base}/login")
    page.fill("#username", "administrator")
    page.fill("#password", personas.PASSWORD)
    page.click(".sign-in button")
    page.wait_for_url(f"{base}/console")
    fresh = context.browser
    assert fresh is not None, "the context belongs to a browser"
    cookies = context.cookies()
    context.close()
    context = fresh.new_context(ignore_https_errors=True)
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{base}/console")
    page.wait_for_selector("#grid tbody tr")
    painted = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
    )
    context.close()
    return float(painted)
