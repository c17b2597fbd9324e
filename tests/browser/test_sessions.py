"""Terminal, files and recordings in a real browser, on a real host: this machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database

from tests import personas, translations
from tests.boxes import Box, box
from tests.browser.cable import Cable
from tests.browser.conftest import Visitor
from tests.browser.front import build
from tests.serving import Server, servers, until

pytestmark = pytest.mark.timeout(240)
Visit = Callable[..., Visitor]
MIB = 1024 * 1024
_numbers = count(1)


@dataclass
class Host:
    """A Jump Client that is online."""

    server: Server
    box: Box
    number: int

    def path(self, tab: str = "") -> str:
        """Return the path of its page."""
        return f"/console/clients/{self.number}/{tab}".rstrip("/")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    build()
    translations.compile_all()
    with servers(tmp_path_factory.mktemp("site")) as made, box() as place:
        server = made.start(heartbeat_seconds=5)
        database: Database = create_app(load(server.environment)).extensions["tremplin"]
        personas.people(database)
        installer = server.installer(external_id="host", name="Paris · web-01")
        done = place.install("--online-install", key_info=installer.encode())
        assert done.returncode == 0, done.stderr

        def number() -> int:
            found = server.api("GET", "/jump-client?external_id=host")[1]
            return int(found[0]["id"]) if found and found[0]["state"] == "online" else 0

        yield Host(server, place, until(number, "the Jump Client to come online", 30))


@pytest.fixture
def page(host: Host, visit: Visit) -> Visitor:
    visitor = visit(host.server.base_url)
    visitor.sign_in("administrator", personas.PASSWORD)
    return visitor


def opened(visitor: Visitor, host: Host, reason: str = "") -> None:
    """Open a terminal and wait for its prompt."""
    visitor.go(host.path("terminal"))
    visitor.page.get_by_label("Reason").fill(reason)
    visitor.page.get_by_role("button", name="Open the terminal").click()
    expect(visitor.page.locator("#terminal-state")).to_have_text("Connected")


def rows(visitor: Visitor) -> Any:
    """Return what the terminal shows."""
    return visitor.page.locator(".xterm-rows")


def type_(visitor: Visitor, text: str) -> None:
    """Type into the terminal, as a keyboard that knows every letter."""
    visitor.page.locator(".xterm-helper-textarea").focus()
    visitor.page.keyboard.insert_text(text)
    visitor.page.keyboard.press("Enter")


def prompt(visitor: Visitor) -> None:
    """Wait for a prompt that is easy to tell from what was typed."""
    type_(visitor, "PS1=''; clear; echo re''ady")
    expect(rows(visitor)).to_contain_text("ready")


# --- the terminal -----------------------------------------------------------------------


def test_a_shell_with_letters_of_all_kinds(host: Host, page: Visitor) -> None:
    opened(page, host, "to see whether it works")
    page.shoot("terminal")
    prompt(page)
    type_(page, "printf '%s\\n' \"<é–漢字–🙂>\" | tr '<>' '[]'")
    expect(rows(page)).to_contain_text("[é–漢字–🙂]")


def test_the_size_follows_the_window(host: Host, page: Visitor) -> None:
    opened(page, host)
    prompt(page)
    type_(page, "stty size; trap 'stty size' WINCH")
    expect(rows(page)).to_contain_text(re.compile(r"\d+ \d+"))
    before = rows(page).inner_text()
    page.page.set_viewport_size({"width": 800, "height": 700})
    expect(rows(page)).not_to_have_text(before)
    columns = page.page.evaluate("document.querySelector('.xterm-rows').children.length")
    expect(rows(page)).to_contain_text(f"{columns} ")


def test_keys_interrupt(host: Host, page: Visitor) -> None:
    opened(page, host)
    prompt(page)
    # What is typed before the shell reads, or interrupts before the command runs, is lost.
    type_(page, "PS1='wai''ting '")
    expect(rows(page)).to_contain_text("waiting")
    type_(page, "echo be''gun; sleep 600; echo went on with $?")
    expect(rows(page)).to_contain_text("begun")
    page.page.keyboard.press("Control+c")
    type_(page, "echo status $?")
    expect(rows(page)).to_contain_text("status 130")


def test_copy_and_paste(host: Host, page: Visitor) -> None:
    opened(page, host)
    prompt(page)
    type_(page, "clear; echo copied-text-1")
    expect(rows(page)).to_contain_text("copied-text-1")
    page.page.locator(".xterm-screen").dblclick(position={"x": 30, "y": 8})
    page.page.keyboard.press("Control+Shift+C")
    clipboard = "navigator.clipboard.readText()"
    until(lambda: page.page.evaluate(clipboard) == "copied-text-1", "the copy", 5)
    page.page.evaluate("navigator.clipboard.writeText('echo pasted-$((6*7))')")
    page.page.get_by_role("button", name="Paste").click()
    expect(rows(page)).to_contain_text("echo pasted")
    page.page.keyboard.press("Enter")
    expect(rows(page)).to_contain_text("pasted-42")
    page.page.evaluate("navigator.clipboard.writeText('echo keys-$((7*7))')")
    page.page.keyboard.press("Control+Shift+V")
    expect(rows(page)).to_contain_text("echo keys")
    page.page.keyboard.press("Enter")
    expect(rows(page)).to_contain_text("keys-49")


def test_ten_megabytes_do_not_freeze_the_page(host: Host, page: Visitor) -> None:
    opened(page, host)
    prompt(page)
    page.page.evaluate(
        """() => {
          window.slowest = 0;
          let last = performance.now();
          setInterval(() => {
            const now = performance.now();
            window.slowest = Math.max(window.slowest, now - last);
            last = now;
          }, 20);
        }"""
    )
    type_(page, "base64 -w 99 /dev/zero | head -c 10000000; echo; echo al''l-of-it")
    expect(rows(page)).to_contain_text("all-of-it", timeout=90_000)
    assert page.page.evaluate("window.slowest") < 1000
    type_(page, "clear; echo still-$((20+3))")
    expect(rows(page)).to_contain_text("still-23")


def test_a_flood_can_be_stopped(host: Host, page: Visitor) -> None:
    opened(page, host)
    prompt(page)
    type_(page, "yes flood")
    expect(rows(page)).to_contain_text("flood")
    page.page.keyboard.press("Control+c")
    type_(page, "clear; echo calm")
    expect(rows(page)).to_have_text(re.compile(r"^\s*calm"), timeout=30_000)


def test_a_broken_link_comes_back(host: Host, visit: Visit) -> None:
    with Cable(host.server.port).laid() as cable:
        visitor = visit(f"https://localhost:{cable.port}")
        visitor.sign_in("administrator", personas.PASSWORD)
        opened(visitor, host)
        prompt(visitor)
        # What comes while nobody listens is longer than anything that was on its way.
        type_(
            visitor, "clear; sleep 1; seq 1000000 1030000 | md5sum; seq 100000 160000; echo en''d"
        )
        cable.cut()
        expect(visitor.page.locator("#terminal-overlay-text")).to_contain_text(
            "Trying to come back"
        )
        visitor.shoot("terminal-broken")
        cable.mend()
        expect(visitor.page.locator("#terminal-state")).to_have_text(
            "Connected again", timeout=15_000
        )
        expect(rows(visitor)).to_contain_text("end", timeout=30_000)
        shown = visitor.page.evaluate(LAST_LINES)
        assert shown[-5:] == ["159997", "159998", "159999", "160000", "end"]
        # The browser itself reports what it could not reach.
        visitor.complaints.clear()


LAST_LINES = """() => [...document.querySelectorAll('.xterm-rows > div')]
  .map((row) => row.textContent.trim()).filter(Boolean)"""


def test_the_end_is_told(host: Host, page: Visitor) -> None:
    opened(page, host)
    type_(page, "exit 7")
    text = page.page.locator("#terminal-overlay-text")
    expect(text).to_have_text("The shell has ended with status 7.")
    page.shoot("terminal-ended")
    page.page.get_by_role("button", name="Open another terminal").click()
    expect(page.page.locator("#terminal-state")).to_have_text("Connected")
    session = host.server.api("GET", "/session?state=open&front=terminal")[1][0]
    host.server.made(f"/session/{session['id']}/end", {"reason": "enough"})
    expect(text).to_have_text("The session was ended from the server.")


def test_whoever_leaves_ends_the_session(host: Host, page: Visitor) -> None:
    opened(page, host)
    prompt(page)
    session = host.server.api("GET", "/session?state=open&front=terminal")[1][0]
    page.page.once("dialog", lambda dialog: dialog.accept())
    page.go("/console")

    def over() -> bool:
        return bool(host.server.api("GET", f"/session/{session['id']}")[1]["state"] == "ended")

    until(over, "the end", 10)


# --- files ------------------------------------------------------------------------------


def files(visitor: Visitor, host: Host, place: Path) -> Any:
    """Open the files tab at a directory and return its lines."""
    visitor.go(host.path("files"))
    visitor.page.get_by_role("button", name="Open the files").click()
    expect(visitor.page.locator("#files-browser")).to_be_visible()
    visitor.page.goto(f"{visitor.base}{host.path('files')}#{place}")
    visitor.page.reload()
    expect(visitor.page.locator("#files-crumbs [aria-current]")).to_have_text(place.name)
    return visitor.page.locator("#files-rows tr")


@pytest.fixture
def place(host: Host) -> Path:
    """A directory of the agent's user."""
    made = host.box.home / f"files-{next(_numbers)}"
    made.mkdir()
    _give(host, made)
    return made


def _give(host: Host, path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, host.box.user)


def test_looking_around(host: Host, page: Visitor, place: Path) -> None:
    (place / "sub").mkdir()
    (place / "sub" / "inside.txt").write_text("x")
    (place / "naïve file #1 100%.txt").write_text("é" * 700)
    (place / ".hidden").write_text("")
    (place / "zeta").symlink_to("sub")
    (place / os.fsdecode(b"latin-\xe9.txt")).write_text("not UTF-8")
    (place / "<b>bold").write_text("")
    lines = files(page, host, place)
    expect(lines).to_have_count(5)
    expect(page.page.locator("#files-count")).to_have_text("Entries: 5 (hidden: 1)")
    beside = """cell => {
      const icon = getComputedStyle(cell, "::before"), text = getComputedStyle(cell);
      const end = parseFloat(icon.insetInlineStart) + parseFloat(icon.width);
      return end > 0 && end <= parseFloat(text.paddingInlineStart);
    }"""
    assert page.page.locator("td.files-name").first.evaluate(beside), "the icon is on the name"
    page.page.get_by_label("Hidden files").check()
    expect(lines).to_have_count(6)
    page.shoot("files")
    page.page.get_by_role("link", name="zeta", exact=True).click()
    expect(page.page.get_by_role("link", name="inside.txt")).to_be_visible()
    page.page.get_by_role("button", name="Parent directory").click()
    page.page.get_by_role("button", name="Size").click()
    page.page.get_by_role("button", name="Size").click()
    expect(lines.nth(2)).to_contain_text("naïve file #1 100%.txt")


def test_making_renaming_deleting(host: Host, page: Visitor, place: Path) -> None:
    (place / "old name.txt").write_text("content")
    lines = files(page, host, place)
    page.page.get_by_role("button", name="New directory").click()
    page.page.get_by_label("Name of the directory").fill("çà & là")
    page.shoot("files-dialog")
    page.page.get_by_role("button", name="Create").click()
    expect(lines).to_have_count(2)
    assert (place / "çà & là").is_dir()
    page.page.get_by_role("button", name="Rename: old name.txt").click()
    page.page.locator("#dialog-input").fill("new name.txt")
    page.page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.page.get_by_role("link", name="new name.txt")).to_be_visible()
    page.page.get_by_role("button", name="Rename: new name.txt").click()
    page.page.locator("#dialog-input").fill("çà & là")
    page.page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.page.get_by_role("alert")).to_contain_text("is there already")
    page.page.get_by_role("button", name="Delete: çà & là").click()
    page.page.get_by_role("button", name="Delete", exact=True).click()
    expect(lines).to_have_count(1)
    assert [path.name for path in place.iterdir()] == ["new name.txt"]
    page.complaints.clear()


def test_up_and_down_again(host: Host, page: Visitor, place: Path, tmp_path: Path) -> None:
    source = tmp_path / "données 1.bin"
    source.write_bytes(os.urandom(24 * MIB + 77))
    lines = files(page, host, place)
    page.page.set_input_files("#files-chooser", source)
    expect(page.page.locator("#uploads-list li")).to_contain_text("Uploaded", timeout=60_000)
    expect(lines).to_have_count(1)
    page.shoot("files-uploaded")
    assert (place / source.name).read_bytes() == source.read_bytes()
    with page.page.expect_download() as download:
        page.page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == source.name
    assert Path(download.value.path()).read_bytes() == source.read_bytes()
    source.write_bytes(b"shorter")
    page.page.set_input_files("#files-chooser", source)
    page.page.get_by_role("button", name="Replace").click()
    until(lambda: (place / source.name).read_bytes() == b"shorter", "the new content", 10)
    page.complaints.clear()


def test_dropping_files(host: Host, page: Visitor, place: Path) -> None:
    lines = files(page, host, place)
    dropped = page.page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(['one'], 'one.txt'));
          data.items.add(new File(['two'], 'two.txt'));
          return data;
        }"""
    )
    page.page.dispatch_event("#files-browser", "dragenter", {"dataTransfer": dropped})
    page.shoot("files-drop")
    page.page.dispatch_event("#files-browser", "drop", {"dataTransfer": dropped})
    expect(lines).to_have_count(2)
    assert (place / "two.txt").read_text() == "two"


# --- recordings -------------------------------------------------------------------------


def test_a_terminal_is_recorded_and_played(host: Host, page: Visitor, visit: Visit) -> None:
    opened(page, host, "for the archive")
    prompt(page)
    type_(
        page,
        "for colour in 31 32 33; do printf '\\e[%smrecorded \\e[0m' $colour; sleep 0.3; done; echo",
    )
    expect(rows(page)).to_contain_text("recorded recorded recorded")
    type_(page, "exit")
    page.go(host.path("sessions"))

    def kept() -> int:
        page.page.reload()
        first = page.page.locator("tbody tr").filter(has_text="for the archive")
        return int(first.get_by_role("link", name="▶").count())

    until(kept, "the recording", 30)
    page.shoot("sessions")
    page.page.get_by_role("link", name="▶").first.click()
    expect(page.page.locator(".ap-player")).to_be_visible()
    page.page.locator(".ap-overlay-start").click()
    expect(page.page.locator(".ap-term")).to_contain_text("recorded recorded recorded")
    page.shoot("recording")
    french = visit(host.server.base_url, locale="fr-FR", width=900)
    french.sign_in("administrator", personas.PASSWORD)
    french.page.goto(page.page.url)
    french.page.get_by_role("button", name="Afficher les raccourcis clavier").click()
    expect(french.page.get_by_text("– pause ou reprise")).to_be_visible()
    french.shoot("recording-fr")


# --- how it looks -----------------------------------------------------------------------

LOOKS = [
    pytest.param({"width": 1280}, id="desktop"),
    pytest.param({"width": 1280, "color_scheme": "dark"}, id="dark"),
    pytest.param({"width": 390, "height": 844, "locale": "fr-FR"}, id="phone-fr"),
]


@pytest.mark.parametrize("look", LOOKS)
def test_every_tab_fits_and_violates_nothing(
    host: Host, visit: Visit, place: Path, look: dict[str, object], request: pytest.FixtureRequest
) -> None:
    for name in ("alpha.txt", "beta with a rather long name that goes on and on.tar.gz"):
        (place / name).write_text("x" * 12345)
    (place / "directory").mkdir()
    visitor = visit(host.server.base_url, **look)
    looks = request.node.callspec.id
    visitor.sign_in("administrator", personas.PASSWORD)
    for tab in ("", "terminal", "files", "sessions"):
        visitor.go(host.path(tab))
        assert visitor.fits(), tab
        visitor.shoot(f"{looks}-tab-{tab or 'overview'}")
    visitor.go(host.path("terminal"))
    visitor.page.locator("#terminal-form button").click()
    expect(visitor.page.locator("#terminal-state")).to_have_attribute("data-link", "open")
    type_(visitor, "ls -la /etc | head -40")
    expect(rows(visitor)).to_contain_text("root")
    assert visitor.fits()
    visitor.shoot(f"{looks}-terminal-open")
    visitor.page.once("dialog", lambda dialog: dialog.accept())
    visitor.go(host.path("files"))
    visitor.page.locator("#files-form button").click()
    expect(visitor.page.locator("#files-browser")).to_be_visible()
    visitor.page.goto(f"{visitor.base}{host.path('files')}#{place}")
    visitor.page.reload()
    expect(visitor.page.locator("#files-rows tr")).to_have_count(3)
    assert visitor.fits()
    visitor.shoot(f"{looks}-files-open")
    visitor.go("/console/sessions")
    assert visitor.fits()
    visitor.shoot(f"{looks}-sessions-all")
