"""The support portal in a real browser: what visitors see, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database

from tests import personas, translations
from tests.browser.conftest import Visitor, look
from tests.serving import Server, servers
from tests.unit.server.portal.test_picture import png

pytestmark = pytest.mark.timeout(180)
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    translations.compile_all()
    with servers(tmp_path_factory.mktemp("portal")) as made:
        yield made.start()


@pytest.fixture(scope="module")
def database(server: Server) -> Database:
    found: Database = create_app(load(server.environment)).extensions["tremplin"]
    personas.people(found)
    return found


@pytest.mark.parametrize(
    ("locale", "scheme", "wrong"),
    [
        ("en-GB", "light", "There is no such session key"),
        ("fr-FR", "dark", "Cette clé de session n'existe pas"),
    ],
)
def test_what_a_visitor_sees(
    server: Server, database: Database, visit: Visit, locale: str, scheme: str, wrong: str
) -> None:
    visitor = visit(server.base_url, locale=locale, color_scheme=scheme)
    page = visitor.page
    visitor.go("/support")
    look(page, f"portal-{locale}")
    expect(page.locator("#key")).to_be_focused()
    page.keyboard.type("1234567")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    # The browser itself complains about every answer that is a 404.
    visitor.complaints[:] = [said for said in visitor.complaints if "404" not in said]
    expect(page.get_by_text(wrong)).to_be_visible()
    expect(page.locator("#key")).to_be_focused()
    look(page, f"portal-wrong-{locale}")


def test_its_settings(server: Server, database: Database, visit: Visit, tmp_path: Path) -> None:
    picture = tmp_path / "logo.png"
    picture.write_bytes(png(240, 80))
    visitor = visit(server.base_url)
    page = visitor.page
    visitor.sign_in("administrator", personas.PASSWORD)
    page.goto(f"{server.base_url}/login/status")
    page.get_by_role("link", name="Support portal").click()
    french = page.get_by_role("group", name="Français")
    french.get_by_label("Title").fill("Assistance Acme")
    french.get_by_label("Text").fill("Appelez-nous.\n\nMerci.")
    page.get_by_role("button", name="Preview: Français").click()
    shown = page.frame_locator("iframe")
    expect(shown.get_by_role("heading", name="Assistance Acme")).to_be_visible()
    expect(shown.get_by_text("Clé de session")).to_be_visible()
    look(page, "portal-preview")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The support portal was saved.")).to_be_visible()
    page.get_by_label("Picture").set_input_files(picture)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_alt_text("The logo now")).to_be_visible()
    look(page, "portal-settings")
    stranger = visit(server.base_url)
    stranger.go("/support?lang=fr")
    expect(stranger.page.get_by_role("heading", name="Assistance Acme")).to_be_visible()
    stranger.page.get_by_role("button", name="English").click()
    expect(stranger.page.get_by_role("heading", name="Support", exact=True)).to_be_visible()
    look(stranger.page, "portal-with-a-logo")
