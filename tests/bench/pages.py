"""The console of a large site: how long the server takes for a list, and a browser to paint it."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import quantiles

from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import select, text
from tremplin_server import logging
from tremplin_server.accounts.models import User
from tremplin_server.app import create_app
from tremplin_server.clients import reporting
from tremplin_server.clients.models import JumpClient
from tremplin_server.config import load
from tremplin_server.db import Database, keep_statistics
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.jump_items.view import SORTABLE
from tremplin_server.permissions import system_actor
from tremplin_server.serve import settle_memory

from tests import personas, postgres
from tests.bench import clients, targets
from tests.bench.bench import Bench, Skipped
from tests.bench.figures import Figure, middle, spread
from tests.bench.site import Site, site

COUNT = 50_000
GROUPS = 40
COPIES = 200
"""Of some Jump Clients, in other groups."""
ASKED = 40
"""How often each page is asked for; the figure is the time that 95 of 100 stay under."""
PAINTS = 5
FEW = 5
"""Groups that a technician is a member of who does not see the others."""
REPORTING = 500
"""Hosts that report their figures every ten seconds meanwhile."""
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
    Page("list, middle page", "/console/rows?page=250"),
    Page("list, last page", "/console/rows?page=503"),
    Page("list of one group and tag", "/console/rows?group=shared:3&tag=lab"),
    Page("list of the lost", "/console/rows?state=lost"),
    Page("group counts", "/console/tree"),
    Page("tags of a group", "/console/tags?group=shared:3"),
    Page("search everywhere", "/console/rows?q=web-01"),
    Page("search everywhere, by last_seen", "/console/rows?q=web-01&sort=-last_seen"),
    *(Page(f"list by {name}", f"/console/rows?sort=-{name}") for name in SORTABLE),
    *(Page(f"search: {name}", f"/console/rows?q={q}&in={name}") for name, q in SEARCHES.items()),
)


PAGES_OF_FEW = tuple(Page(f"some groups: {page.what}", page.path) for page in PAGES)
"""For somebody who is a member of FEW groups."""
PAGES_MEANWHILE = (
    Page("hosts report: list", "/console/rows"),
    Page("hosts report: list by last_seen", "/console/rows?sort=-last_seen"),
    Page("hosts report: search", "/console/rows?q=web-01"),
    Page("hosts report: group counts", "/console/tree"),
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
    # A line of log for each request, as a server writes it.
    logging.configure("info", "text", StringIO())
    app = create_app(load(server.environment))
    database: Database = app.extensions["tremplin"]
    personas.people(database)
    bench.say(f"{name}: seeding {COUNT} records")
    clients.fill(database.engine, COUNT, GROUPS)
    clients.shortcut(database.engine)
    clients.copies(database.engine, COPIES)
    _settle(database)
    _member_of(database, FEW)
    administrator, technician = _signed_in(app), _signed_in(app, "technician")
    settle_memory()
    for page in PAGES:
        yield _figure(name, page, administrator)
    for page in PAGES_OF_FEW:
        yield _figure(name, page, technician)
    with _reporting(database):
        for page in PAGES_MEANWHILE:
            yield _figure(name, page, administrator)


def _settle(database: Database) -> None:
    """Leave the tables as PostgreSQL's autovacuum does, and a site on SQLite its statistics."""
    if database.config.sqlite:
        with database.work(system_actor()) as work:
            keep_statistics(work)
        return
    with database.engine.connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.execute(text("VACUUM ANALYZE"))


def _figure(name: str, page: Page, client: FlaskClient) -> Figure:
    taken = [_asked(client, page.path) for _ in range(ASKED)]
    walls, processors = ([one[n] for one in taken] for n in (0, 1))
    busy = quantiles(processors, n=20)[-1]
    note = f"p95 of {ASKED}, median {middle(walls):.1f} ms; processor: p95 {busy:.1f} ms"
    return Figure(name, page.what, quantiles(walls, n=20)[-1], targets.CONSOLE_PAGE, note)


def _member_of(database: Database, count: int) -> None:
    """Let the technician see some of the groups only."""
    with database.work(system_actor()) as work:
        user = work.session.scalars(select(User.id).where(User.username == "technician")).one()
        for key in work.session.scalars(select(JumpGroup.id).order_by(JumpGroup.id).limit(count)):
            groups.add_member(work, key, user)


@contextmanager
def _reporting(database: Database) -> Iterator[None]:
    """Let REPORTING hosts report their figures while the block runs, as fast as they may:
    a batch of them every tenth of a second, so that all have once in ten seconds."""
    over = threading.Event()
    with database.work(system_actor(), read_only=True) as work:
        online = select(JumpClient.id).where(JumpClient.state == "online").limit(REPORTING)
        ids = work.session.scalars(online).all()

    def report() -> None:
        batches = [ids[start : start + 5] for start in range(0, len(ids), 5)]
        for turn in itertools.count():
            if over.wait(0.1):
                return
            figures = {"cpu_percent": turn % 100, "memory_total_bytes": 2**34}
            told = {number: figures for number in batches[turn % len(batches)]}
            with database.work(system_actor()) as work:
                reporting.statistics(work, told)

    thread = threading.Thread(target=report)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _signed_in(app: Flask, username: str = "administrator") -> FlaskClient:
    client = app.test_client()
    found = re.search(
        r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login", base_url=_BASE).text
    )
    assert found, "the sign-in page has a form"
    form = {"csrf_token": found[1], "username": username, "password": personas.PASSWORD}
    headers = {"Referer": f"{_BASE}/login"}
    answer = client.post("/login", base_url=_BASE, data=form, headers=headers)
    assert answer.status_code == 302, answer.text
    return client


def _asked(client: FlaskClient, path: str) -> tuple[float, float]:
    """Return the milliseconds that the server takes for a page, query and markup, and those
    that its processor worked: on a machine that is busy with other things they differ."""
    began, worked = time.perf_counter(), time.thread_time()
    answer = client.get(path, base_url=_BASE)
    taken = (time.perf_counter() - began) * 1000, (time.thread_time() - worked) * 1000
    assert answer.status_code == 200, (path, answer.status_code)
    return taken


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
