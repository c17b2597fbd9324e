"""The console as a technician uses it: mouse, keyboard, two windows, a real host to jump to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect
from sqlalchemy import select
from tremplin_server.app import create_app
from tremplin_server.clients.models import Worker
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.permissions import system_actor

from tests import personas, translations
from tests.bench import clients
from tests.boxes import Box, box
from tests.browser.conftest import Visitor, look
from tests.serving import Server, servers, until

pytestmark = pytest.mark.timeout(240)
Visit = Callable[..., Visitor]
SEEDED = 120


@dataclass
class Site:
    """A server with a real host that is online, and many records without one."""

    server: Server
    box: Box
    database: Database


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    translations.compile_all()
    with servers(tmp_path_factory.mktemp("site")) as made, box() as place:
        server = made.start(heartbeat_seconds=5)
        database: Database = create_app(load(server.environment)).extensions["tremplin"]
        personas.people(database)
        with database.work(system_actor(), read_only=True) as work:
            worker = work.session.scalars(select(Worker.id)).one()
        clients.fill(database.engine, SEEDED, groups=3, worker_id=worker)
        installer = server.installer(external_id="host", name="a real host", tag="real")
        done = place.install("--online-install", key_info=installer.encode())
        assert done.returncode == 0, done.stderr
        until(
            lambda: server.api("GET", "/jump-client?external_id=host")[1][0]["state"] == "online",
            "the Jump Client to come online",
        )
        yield Site(server, place, database)


@pytest.fixture
def console(site: Site, visit: Visit) -> Visitor:
    visitor = visit(site.server.base_url)
    visitor.sign_in("administrator", personas.PASSWORD)
    ready(visitor.page)
    return visitor


def ready(page: Page) -> None:
    """Wait until the page's scripts run: before that, a click is no click."""
    expect(rows(page).first).to_be_visible()
    expect(page.locator("[data-live-label]")).to_have_attribute("data-link", "open")


def rows(page: Page) -> Locator:
    return page.locator("#grid tbody tr")


def selected(page: Page) -> Locator:
    return page.locator('#grid tbody tr[aria-selected="true"]')


def host(page: Page) -> Locator:
    """The row of the real host."""
    return rows(page).filter(has_text="a real host")


def shell(page: Page, number: int = 0) -> FrameLocator:
    return page.frame_locator('iframe[title$="Shell"]').nth(number)


LOOKS = [
    pytest.param({"locale": "en-GB"}, id="en"),
    pytest.param({"locale": "fr-FR", "color_scheme": "dark"}, id="fr-dark"),
]


@pytest.mark.parametrize("kind", LOOKS)
def test_how_it_looks(
    kind: dict[str, str], site: Site, visit: Visit, request: pytest.FixtureRequest
) -> None:
    name = f"console-{request.node.callspec.id}"
    visitor = visit(site.server.base_url, **kind)
    visitor.sign_in("administrator", personas.PASSWORD)
    page = visitor.page
    expect(rows(page)).to_have_count(100)
    look(page, name)
    page.locator("#tree .tree-arrow[aria-expanded]").first.click()
    expect(page.locator("#tree .tree-tags li").first).to_be_visible()
    rows(page).nth(3).click()
    expect(page.locator("#panel .panel")).to_be_visible()
    look(page, f"{name}-panel")
    rows(page).nth(3).press("Alt+Enter")
    expect(page.locator("#box")).to_be_visible()
    look(page, f"{name}-properties")
    page.keyboard.press("Escape")
    visitor.go("/console?q=no+such+thing")
    look(page, f"{name}-nothing")
    visitor.go("/console/sessions")
    look(page, f"{name}-sessions")


def test_only_the_keyboard(console: Visitor) -> None:
    page = console.page
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#grid tbody tr')"):
            break
    expect(rows(page).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(rows(page).nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(selected(page)).to_have_count(3)
    expect(page.locator("#selected-count")).to_contain_text("3 selected")
    page.keyboard.press("Control+ArrowDown")
    page.keyboard.press("Control+ArrowDown")
    page.keyboard.press("Space")
    expect(selected(page)).to_have_count(4)
    page.keyboard.press("Control+a")
    expect(selected(page)).to_have_count(100)
    page.keyboard.press("Escape")
    expect(selected(page)).to_have_count(0)
    page.keyboard.press("Home")
    page.keyboard.press("End")
    expect(rows(page).last).to_be_focused()
    page.keyboard.press("Shift+F10")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#box")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#box")).to_be_hidden()
    expect(rows(page).last).to_be_focused()


def refreshed(page: Page) -> None:
    """Refresh the list and the groups as a change at the server does, and wait until they are."""
    with (
        page.expect_response("**/console/rows*"),
        page.expect_response("**/console/tree*"),
    ):
        page.evaluate("document.querySelector('#refresh').click()")
    page.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 50))")


def test_a_refresh_leaves_what_somebody_is_doing(console: Visitor) -> None:
    page = console.page
    row = rows(page).nth(3)
    row.hover()
    page.mouse.down()
    refreshed(page)
    page.mouse.up()
    expect(row).to_have_attribute("aria-selected", "true")
    expect(page.locator("#panel h2")).to_be_visible()
    page.keyboard.press("Shift+ArrowDown")
    place = page.locator(".table-scroll")
    place.evaluate("box => { box.scrollTop = 40 }")
    before = place.evaluate("box => box.scrollTop")
    page.locator("#tree button.tree-arrow").first.click()
    tags = page.locator("#tree .tree-tags a").filter(visible=True)
    expect(tags.first).to_be_visible()
    shown = tags.count()
    rows(page).nth(4).focus()
    refreshed(page)
    expect(rows(page).nth(4)).to_be_focused()
    expect(selected(page)).to_have_count(2)
    expect(rows(page).nth(4).get_by_role("checkbox")).to_be_checked()
    assert tags.count() == shown
    assert place.evaluate("box => box.scrollTop") == before
    page.keyboard.press("Shift+F10")
    refreshed(page)
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("#q").fill("half a wo")
    refreshed(page)
    expect(page.locator("#q")).to_have_value("half a wo")
    expect(page.locator("#q")).to_be_focused()


def test_the_mouse_selects_as_everywhere(console: Visitor) -> None:
    page = console.page
    rows(page).nth(2).click()
    rows(page).nth(5).click(modifiers=["Shift"])
    expect(selected(page)).to_have_count(4)
    rows(page).nth(9).click(modifiers=["Control"])
    expect(selected(page)).to_have_count(5)
    rows(page).nth(9).locator(".c-box input").click()
    expect(selected(page)).to_have_count(4)
    rows(page).nth(4).click(button="right")
    expect(page.locator("#context-menu")).to_be_visible()
    expect(selected(page)).to_have_count(4)
    page.get_by_role("menuitem", name="Properties").click()
    expect(page.get_by_role("heading", name="Properties of 4 Jump Items")).to_be_visible()


def test_a_search_chooses_its_fields_and_can_be_shared(
    console: Visitor, site: Site, visit: Visit
) -> None:
    page = console.page
    page.locator("#search-fields summary").click()
    page.get_by_role("checkbox", name="Tag").check()
    page.keyboard.press("Escape")
    page.locator("#q").fill("REAL")
    page.locator("#q").press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(host(page)).to_be_visible()
    expect(page).to_have_url(re.compile(r"in=tag.*q=REAL|q=REAL.*in=tag"))
    other = visit(site.server.base_url)
    other.sign_in("auditor", personas.PASSWORD)
    other.page.goto(page.url)
    expect(rows(other.page)).to_have_count(1)
    page.get_by_role("link", name="Remove this filter").click()
    expect(rows(page)).to_have_count(100)
    page.locator("#state").select_option("disabled")
    expect(page.locator("#grid .state.disabled").first).to_be_visible()
    expect(page.locator("#grid .state.online")).to_have_count(0)
    page.go_back()
    expect(page.locator("#grid .state.online").first).to_be_visible()


def test_groups_tags_and_order(console: Visitor) -> None:
    page = console.page
    group = page.locator("#tree a[data-group^=shared]").first
    group.click()
    expect(group).to_have_attribute("aria-current", "true")
    expect(page.locator(".chip")).to_have_count(1)
    group.press("ArrowRight")
    tag = page.locator("#tree .tree-tags a").first
    tag.click()
    expect(page.locator(".chip")).to_have_count(2)
    page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute(
        "aria-sort", "descending"
    )


def test_columns_stay_chosen(console: Visitor) -> None:
    page = console.page
    page.locator("#choose-columns summary").click()
    page.get_by_role("checkbox", name="Comments").check()
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("columnheader", name="Comments")).to_be_visible()
    page.reload()
    expect(page.get_by_role("columnheader", name="Comments")).to_be_visible()
    page.locator("#choose-columns summary").click()
    page.get_by_role("button", name="The usual ones").click()
    expect(page.get_by_role("columnheader", name="Comments")).to_have_count(0)


def test_many_are_changed_and_deleted_and_another_console_sees_it(
    console: Visitor, site: Site, visit: Visit
) -> None:
    page = console.page
    other = visit(site.server.base_url)
    other.sign_in("administrator", personas.PASSWORD)
    other.go("/console?q=api-")
    console.go("/console?q=api-")
    count = rows(page).count()
    first, second = rows(page).nth(0), rows(page).nth(1)
    gone = first.get_attribute("data-name") or ""
    expect(page.locator("[data-live-label]")).to_have_text("Live")
    expect(other.page.locator("[data-live-label]")).to_have_text("Live")
    other.page.locator(f'tr[data-name="{gone}"]').click()
    expect(other.page.locator("#panel h2")).to_have_text(gone)
    first.click()
    second.click(modifiers=["Shift"])
    page.keyboard.press("Alt+Enter")
    page.get_by_label("Change the tag").check()
    page.get_by_label("New tag").fill("moved")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#messages")).to_contain_text("Saved: 2 Jump Items.")
    expect(page.locator("#grid .c-tag", has_text="moved")).to_have_count(2)
    expect(other.page.locator("#grid .c-tag", has_text="moved")).to_have_count(2, timeout=9000)
    expect(selected(page)).to_have_count(2)
    everything = other.page.locator("#tree .tree-count").first
    listed = int(everything.inner_text())
    other.page.locator(f'tr[data-name="{gone}"]').click(button="right")
    expect(other.page.locator("#context-menu")).to_be_visible()
    page.locator("#list").get_by_role("button", name="Delete").click()
    page.get_by_label("Reason").fill("out of use")
    page.locator("#box").get_by_role("button", name="Delete").click()
    expect(page.locator("#messages")).to_contain_text("Deleted: 2 Jump Items.")
    expect(rows(page)).to_have_count(count - 2)
    expect(rows(other.page)).to_have_count(count - 2, timeout=9000)
    expect(other.page.locator("#panel")).to_contain_text("somebody deleted it", timeout=9000)
    expect(other.page.locator("#context-menu")).to_be_hidden()
    expect(everything).to_have_text(str(listed - 2))
    # Whoever deleted it is not told that somebody did.
    expect(page.locator("#panel")).to_contain_text("Select a Jump Item")


def test_what_the_server_did_not_answer_comes_later(console: Visitor) -> None:
    page = console.page
    page.route("**/console/panel/*", lambda route: route.abort())
    rows(page).nth(2).click()
    expect(page.locator("#messages")).to_contain_text("cannot be reached")
    page.unroute("**/console/panel/*")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live'))")
    expect(page.locator("#panel h2")).to_be_visible()
    expect(page.locator("#messages")).not_to_contain_text("cannot be reached")
    # The browser itself reports what it could not reach.
    console.complaints.clear()


def test_the_form_of_properties_says_what_is_wrong(console: Visitor) -> None:
    page = console.page
    host(page).click()
    page.keyboard.press("Alt+Enter")
    page.locator("#box").get_by_label("Name", exact=True).fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#box .invalid-feedback")).to_be_visible()


def test_jumping_opens_tabs_that_stay_alive(console: Visitor, site: Site, visit: Visit) -> None:
    page = console.page
    other = visit(site.server.base_url)
    other.sign_in("administrator", personas.PASSWORD)
    ready(other.page)
    host(other.page).click()
    host(page).dblclick()
    lines = shell(page).locator(".xterm-rows")
    expect(lines).to_contain_text(re.compile(r"[$#]"), timeout=20_000)
    page.keyboard.type("echo alive-$((40 + 2))\n")
    expect(lines).to_contain_text("alive-42")
    look_at_sessions = other.page.locator(".panel-sessions")
    expect(look_at_sessions).to_contain_text("administrator", timeout=9000)
    page.get_by_role("button", name="Files").click()
    files = page.frame_locator('iframe[title$="Files"]')
    expect(files.locator("#files-browser")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="System").click()
    system = page.frame_locator('iframe[title$="System"]')
    expect(system.get_by_role("heading", name="Host")).to_be_visible()
    expect(system.locator("header.top")).to_have_count(0)
    page.get_by_role("tab", name="Jump Items").click()
    expect(rows(page).first).to_be_visible()
    # Another one beside it: a record whose host is not there is told so in its own tab.
    page.locator("#grid tr.is-online").filter(has_not_text="a real host").first.dblclick()
    expect(page.get_by_role("tab")).to_have_count(3)
    expect(shell(page, 1).get_by_text("not connected")).to_be_visible(timeout=20_000)
    page.get_by_role("tab", name="a real host").click()
    page.get_by_role("button", name="Shell").locator("visible=true").click()
    expect(lines).to_contain_text("alive-42")
    page.get_by_role("button", name="Close a real host").click()
    page.get_by_role("button", name="Close the session").click()
    expect(page.get_by_role("tab", name="a real host")).to_have_count(0)
    # A record without a host behind it cannot be reached, and the browser reports that too.
    assert [text for text in console.complaints if "409" not in text] == []
    console.complaints.clear()


def test_who_is_away_cannot_be_jumped_to(console: Visitor) -> None:
    page = console.page
    page.locator("#grid tr.is-offline").first.dblclick()
    expect(page.locator("#messages")).to_contain_text("the Jump Client is offline")
    expect(page.locator("#panel .alert").first).to_contain_text("not connected")


def test_the_auditor_may_only_look(site: Site, visit: Visit) -> None:
    visitor = visit(site.server.base_url)
    visitor.sign_in("auditor", personas.PASSWORD)
    page = visitor.page
    ready(page)
    rows(page).first.click()
    expect(page.locator("#panel h2")).to_be_visible()
    expect(page.get_by_role("button", name="Jump", exact=True)).to_have_count(0)
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)


def test_an_outsider_sees_no_item(site: Site, visit: Visit) -> None:
    visitor = visit(site.server.base_url)
    visitor.sign_in("outsider", personas.PASSWORD)
    expect(visitor.page.get_by_text("No Jump Item yet")).to_be_visible()


def test_the_appearance_is_kept_with_the_account(site: Site, visit: Visit) -> None:
    visitor = visit(site.server.base_url)
    visitor.sign_in("technician", personas.PASSWORD)
    page = visitor.page
    page.locator("#account-menu summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    again = visit(site.server.base_url)
    again.sign_in("technician", personas.PASSWORD)
    expect(again.page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    again.page.locator("#account-menu summary").click()
    again.page.get_by_role("button", name="System").click()
    expect(again.page.locator("html")).not_to_have_attribute("data-bs-theme", "dark")
