"""A support session as people have it: a technician's window, a customer's, and his terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database

from tests import personas
from tests.boxes import PAYLOADS, Box, box, payload
from tests.browser.conftest import Visitor, look
from tests.customer import Customer
from tests.serving import Server, servers

Visit = Callable[..., Visitor]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    payload()
    with servers(tmp_path) as made:
        server = made.start(heartbeat_seconds=2, payload_dir=PAYLOADS)
        database: Database = create_app(load(server.environment)).extensions["tremplin"]
        personas.people(database)
        yield server


@pytest.fixture
def place() -> Iterator[Box]:
    with box() as made:
        yield made


def test_help_from_the_key_to_the_jump_client(server: Server, place: Box, visit: Visit) -> None:
    server.group()
    tech = visit(server.base_url)
    tech.sign_in("administrator", personas.PASSWORD)
    page = tech.page
    tech.go("/console/support")
    look(page, "support-queue")
    page.get_by_label("Reason").fill("the printer")
    with page.expect_navigation():
        page.get_by_role("button", name="Make a session key").click()
    key = page.locator("#session-key").inner_text()
    look(page, "support-key")
    with page.expect_navigation():
        page.get_by_role("link", name="Wait for the customer").click()

    # The customer types the key on the portal, and downloads the client.
    other = visit(server.base_url, locale="fr-FR")
    other.go("/support")
    other.page.fill("#key", key.lower())
    with other.page.expect_navigation():
        other.page.locator(".portal button").click()
    look(other.page, "support-join")
    with other.page.expect_download() as started:
        other.page.get_by_role("button", name="Télécharger").click()
    program = place.root / "client.bin"
    started.value.save_as(program)
    program.chmod(0o755)
    place.root.chmod(0o755)
    customer = Customer(place, program, language="fr_FR.UTF-8")
    try:
        customer.sees("file d'attente")
        take = page.get_by_role("button", name="Take")
        expect(take).to_be_visible()
        with page.expect_navigation():
            take.click()
        for _ in range(3):
            customer.sees("[o/N]")
            customer.type("o")
        expect(page.locator("#support-side")).to_contain_text("Active")

        # A terminal and the files, as with a Jump Client.
        page.get_by_role("tab", name="Terminal").click()
        frame = page.frame_locator("#support-frames iframe").first
        expect(frame.locator("#terminal-state")).to_have_text("Connected", timeout=20_000)
        customer.sees("ouvre un terminal")
        page.get_by_role("tab", name="Files").click()
        files = page.frame_locator("#support-frames iframe").nth(1)
        expect(files.locator("#files-count")).to_have_text("Entries: 0", timeout=20_000)

        # The chat, both ways.
        page.get_by_label("Message to the customer").fill("bonjour")
        page.keyboard.press("Enter")
        customer.sees("administrator: bonjour")
        customer.type("merci !")
        expect(page.locator("#support-chat")).to_contain_text("merci !")
        expect(page.get_by_label("Message to the customer")).to_have_value("")
        look(page, "support-session")

        # The menu has a way back, and the computer becomes a Jump Client.
        page.get_by_role("button", name="Attach as Jump Client…").click()
        page.get_by_label("Tag").fill("typo")
        page.get_by_role("button", name="Reset").click()
        expect(page.get_by_label("Tag")).to_have_value("")
        page.get_by_label("Name").fill("From support")
        with page.expect_navigation():
            page.get_by_role("button", name="Attach", exact=True).click()
        customer.sees("souhaite installer un Jump Client")
        customer.sees("[o/N]")
        customer.type("o")
        customer.sees("Le Jump Client est installé", 60)
        expect(page.locator("#pin-state")).to_contain_text("Attached")

        with page.expect_navigation():
            page.get_by_role("button", name="End the session").click()
        customer.sees("terminée")
        assert customer.end() == 0
        assert customer.leftovers() == [".local"]
        tech.go("/console")
        expect(page.locator("#list")).to_contain_text("From support")
    finally:
        customer.kill()
        uninstall = place.home / ".local/share/tremplin-jump-client/uninstall"
        if uninstall.exists():
            place.run("--quiet", program=uninstall)
