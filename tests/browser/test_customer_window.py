"""The customer's page: his own browser, his own computer, and nobody else's."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database

from tests import personas
from tests.boxes import PAYLOADS, Box, box, payload
from tests.browser.conftest import look
from tests.console import Console
from tests.customer import Customer, stamped
from tests.serving import Server, servers, until

OPENER = '#!/bin/sh\nprintf "%s" "$1" >"$TMPDIR/address.new" && mv "$TMPDIR/address.new" "{0}"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    payload()
    with servers(tmp_path_factory.mktemp("window")) as made:
        server = made.start(heartbeat_seconds=2, payload_dir=PAYLOADS)
        database: Database = create_app(load(server.environment)).extensions["tremplin"]
        personas.people(database)
        personas.add_user(database, "zoe")
        yield server


@pytest.fixture
def place() -> Iterator[Box]:
    with box() as made:
        yield made


@pytest.fixture
def zoe(server: Server) -> Console:
    return Console.of(server, "zoe")


class Desktop:
    """A customer whose desktop opens pages where the test reads their addresses.

    Root is the person here, as the test's browser is: a page answers to its own user alone.
    """

    def __init__(self, server: Server, place: Box, language: str, opener: str = OPENER) -> None:
        made = server.made("/support-session", {})
        self.number, key = made["id"], made["session_key"]
        tools = place.root / "tools"
        tools.mkdir()
        self._address = place.root / "address"
        (tools / "xdg-open").write_text(opener.format(self._address))
        (tools / "xdg-open").chmod(0o755)
        program = place.root / "support.bin"
        program.write_bytes(stamped(server, key))
        desktop = {"PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin", "DISPLAY": ":99"}
        self.customer = Customer(
            place, program, language=language, as_root=True, environment=desktop
        )

    def address(self) -> str:
        until(self._address.exists, "the page")
        return self._address.read_text()


@pytest.fixture
def desktops() -> Iterator[list[Desktop]]:
    made: list[Desktop] = []
    yield made
    for desktop in made:
        desktop.customer.kill()


def state(server: Server, number: int) -> str:
    return str(server.api("GET", f"/support-session/{number}")[1]["state"])


def side(console: Console, number: int) -> str:
    return console.get(f"/console/support/{number}/side").body.decode()


def test_a_session_in_the_customers_own_browser(
    server: Server, place: Box, zoe: Console, desktops: list[Desktop], browser: Browser
) -> None:
    desktop = Desktop(server, place, "C.UTF-8")
    desktops.append(desktop)
    desktop.customer.sees("in a page of your browser")
    complaints: list[str] = []
    page = browser.new_page(color_scheme="light")
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(desktop.address())
    lines = page.get_by_role("log")
    expect(lines).to_contain_text("in the queue", timeout=30_000)
    until(lambda: state(server, desktop.number) == "waiting", "the customer in the queue")
    path = f"/console/support/{desktop.number}"
    assert zoe.post(f"{path}/take").status == 302
    expect(page.locator("#people")).to_have_text("zoe")
    for _ in range(2):
        expect(page.locator("#asked")).to_contain_text("Allow")
        page.get_by_role("button", name="Yes").click()
    expect(page.locator("#asked")).to_contain_text("administrator")
    look(page, "customer-window")
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.locator("#granted")).to_have_text(
        "files, seeing this computer and running commands"
    )
    until(lambda: state(server, desktop.number) == "active", "his answer")
    zoe.post(f"{path}/say", text="<b>good day</b>")
    expect(lines).to_contain_text("<b>good day</b>")
    page.get_by_label("Message").fill("hello to you")
    page.keyboard.press("Enter")
    until(lambda: "hello to you" in side(zoe, desktop.number), "the customer's line")
    page.get_by_role("button", name="Take everything back").click()
    expect(page.locator("#granted")).to_have_text("nothing")
    page.get_by_role("button", name="End the session").click()
    expect(page.get_by_role("status")).to_contain_text("you can close")
    assert desktop.customer.end() == 0
    until(lambda: state(server, desktop.number) == "ended", "the end")
    assert not complaints
    page.close()


def test_nobody_else_of_the_computer_or_the_web_gets_the_page(
    server: Server, place: Box, desktops: list[Desktop]
) -> None:
    desktop = Desktop(server, place, "fr_FR.UTF-8")
    desktops.append(desktop)
    desktop.customer.sees("dans une page de votre navigateur")
    address = desktop.address()
    where = address.split("/")[2]
    path = "/" + address.split("/", 3)[3]
    assert _stranger(place, address) == "403"
    assert ask(where, "GET", path, Host="evil.example.net")[0] == 403
    assert ask(where, "GET", "/")[0] == 403
    assert ask(where, "GET", "/?once=")[0] == 403
    status, cookie = ask(where, "GET", path)
    assert status == 303
    # The link works once; whoever reads it in a list of processes comes too late.
    assert ask(where, "GET", path)[0] == 403
    assert ask(where, "GET", "/state", Cookie=cookie)[0] == 200
    assert ask(where, "POST", "/do", '{"what": "end"}', Cookie=cookie)[0] == 403
    foreign = {"Cookie": cookie, "Origin": "https://evil.example.net"}
    assert ask(where, "POST", "/do", '{"what": "end"}', **foreign)[0] == 403
    own = {"Cookie": cookie, "Origin": f"http://{where}"}
    assert ask(where, "POST", "/do", "nonsense", **own)[0] == 400
    assert ask(where, "DELETE", "/", **own)[0] == 405
    assert ask(where, "GET", "/../run.py", **own)[0] == 404
    assert ask(where, "POST", "/do", '{"what": "end"}', **own)[0] == 200
    assert desktop.customer.end() == 0


def test_where_no_browser_comes_the_terminal_goes_on(
    server: Server, place: Box, desktops: list[Desktop]
) -> None:
    desktop = Desktop(server, place, "C.UTF-8", opener="#!/bin/sh\nexit 3\n")
    desktops.append(desktop)
    desktop.customer.sees("No browser opened the page")
    desktop.customer.sees("in the queue")
    desktop.customer.type("/end")
    assert desktop.customer.end() == 0


def ask(where: str, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    """Ask as this account; status, and the cookie that was set."""
    connection = http.client.HTTPConnection(where, timeout=10)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, (answer.headers.get("Set-Cookie") or "").partition(";")[0]
    finally:
        connection.close()


def _stranger(place: Box, address: str) -> str:
    """Return the status that another user of the computer gets, with the right link."""
    code = (
        "import sys, urllib.request as u, urllib.error as e\n"
        "try: print(u.urlopen(sys.argv[1], timeout=10).status)\n"
        "except e.HTTPError as error: print(error.code)"
    )
    command = ["/usr/bin/env", "python3", "-I", "-c", code, address]
    who = place._who(False, "C.UTF-8")
    done = subprocess.run(command, capture_output=True, text=True, check=True, **who)
    return done.stdout.strip()
