"""Installers, shortcuts, settings and reports in a real browser; a letter that arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import expect
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.groups import service as groups
from tremplin_server.permissions import system_actor
from tremplin_server.shortcuts import service as shortcuts

from tests import personas, translations
from tests.browser.conftest import Visitor, look
from tests.integration.test_mail import Inbox
from tests.serving import Server, free_port, servers

pytestmark = pytest.mark.timeout(180)
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def inbox() -> Iterator[tuple[Inbox, int]]:
    inbox = Inbox()
    running = Controller(inbox, hostname="127.0.0.1", port=free_port())
    running.start()
    yield inbox, running.port
    running.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, inbox: tuple[Inbox, int]) -> Iterator[Server]:
    translations.compile_all()
    with servers(tmp_path_factory.mktemp("jump-clients")) as made:
        yield made.start(
            smtp_host="127.0.0.1",
            smtp_port=inbox[1],
            smtp_security="none",
            mail_from="support@example.org",
            lost_days=20,
        )


@pytest.fixture(scope="module")
def database(server: Server) -> Database:
    found: Database = create_app(load(server.environment)).extensions["tremplin"]
    personas.people(found)
    with found.work(system_actor()) as work:
        lab = groups.create(work, name="Laboratoire de Lyon")
        values = {"name": "Poste d'accueil", "hostname": "accueil.example.org"}
        shortcuts.create(work, {**values, "jump_group_id": lab.id, "tag": "accueil"})
    return found


def make_installer(visitor: Visitor) -> None:
    visitor.go("/login/jump-clients/new")
    visitor.page.locator("form.card-body button.btn-primary").click()
    expect(visitor.page.locator("#hand-out")).to_be_visible()


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_every_page(server: Server, database: Database, visit: Visit, locale: str) -> None:
    visitor = visit(server.base_url, locale=locale)
    visitor.sign_in("administrator", personas.PASSWORD)
    make_installer(visitor)
    look(visitor.page, f"installer-{locale}")
    link = visitor.page.locator("#link").inner_text()
    for path in (
        "/login/jump-clients",
        "/login/jump-clients/new",
        "/login/jump-clients/settings",
        "/login/reports",
        "/login/reports/clients",
        "/login/reports/deployments",
        "/login/reports/audit",
        "/console/shortcuts/new",
        "/console/shortcuts/1",
        "/console/shortcuts/1/edit",
        "/console?item=rdp:1",
    ):
        visitor.go(path)
        name = path.strip("/").replace("/", "-").replace("?", "-").replace(":", "-")
        look(visitor.page, f"{name}-{locale}")
    stranger = visit(server.base_url, locale=locale)
    stranger.go("/install/" + link.split("/install/")[1])
    look(stranger.page, f"link-{locale}")


def test_a_letter_arrives(
    server: Server, database: Database, visit: Visit, inbox: tuple[Inbox, int]
) -> None:
    visitor = visit(server.base_url)
    visitor.sign_in("administrator", personas.PASSWORD)
    make_installer(visitor)
    page = visitor.page
    link = page.locator("#link").inner_text()
    page.get_by_label("E-mail recipients").fill("zoe@example.org, ana@example.org")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("zoe@example.org")).to_be_visible()
    address = page.url

    def sent() -> None:
        page.goto(address)
        expect(page.get_by_role("cell", name="Sent", exact=True)).to_have_count(2, timeout=1000)

    wait_until(sent)
    assert {message["To"] for message in inbox[0].messages} == {
        "zoe@example.org",
        "ana@example.org",
    }
    first = inbox[0].messages[0]
    plain = next(part for part in first.walk() if part.get_content_type() == "text/plain")
    assert link in plain.get_payload(decode=True).decode("utf-8")


def wait_until(check: Callable[[], None], most: int = 30) -> None:
    """Look until it is so; each look waits for a second itself."""
    for _ in range(most):
        try:
            check()
        except AssertionError:
            continue
        return
    check()
