"""The WebSocket of terminals: coming back, standing still, and who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from tremplin_server.app import create_app
from tremplin_server.config import load
from websockets.exceptions import ConnectionClosed

from tests import personas
from tests.boxes import Box, box
from tests.console import Console
from tests.integration.agent_site import Site, running_site
from tests.integration.test_gateway import run
from tests.terminal_page import PATIENCE, Page

pytestmark = pytest.mark.timeout(180)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as made:
        personas.people(create_app(load(made.environment)).extensions["tremplin"])
        yield made


@pytest.fixture(scope="module")
def host(site: Site) -> Iterator[Box]:
    with box() as made:
        done = made.install("--online-install", key_info=site.key_info("host"))
        assert done.returncode == 0, done.stderr
        site.until_state("host", "online")
        yield made


@pytest.fixture(scope="module")
def address(site: Site, host: Box) -> str:
    """Where a terminal of the host is opened."""
    return f"/console/clients/{site.record('host')['id']}/terminal"


@pytest.fixture(scope="module")
def console(site: Site, host: Box) -> Console:
    return Console.of(site, "administrator")


async def ended(site: Site, session_id: str) -> dict[str, Any]:
    """Return a session once it is over."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: dict[str, Any] = await asyncio.to_thread(
                site.call, "GET", f"/session/{session_id}"
            )
            if found["state"] == "ended":
                return found
            await asyncio.sleep(0.05)


async def left(site: Site, page: Page) -> None:
    """Leave as a closed tab does."""
    assert page.socket is not None
    await page.socket.close(1001)
    await ended(site, page.session_id)


def test_a_shell_from_beginning_to_end(site: Site, console: Console, address: str) -> None:
    async def scenario() -> None:
        page = Page(console, site)
        assert (await page.open(address))["type"] == "opened"
        await page.type("PS1=; stty size\n")
        await page.until(r"24 80\r")
        await page.say(type="resize", columns=132, rows=50)
        await page.type("stty size; echo $TERM $((6*7))\n")
        await page.until(r"50 132\r")
        await page.until(r"xterm-256color 42")
        await page.say(type="ping")
        assert (await page.tell())["type"] == "pong"
        await page.type("exit 3\n")
        how = await page.ending()
        assert (how["status"], how["code"]) == (3, "")
        over = await ended(site, page.session_id)
        assert (over["front"], over["reason"], over["end_code"]) == (
            "terminal",
            "tests",
            "session.ended",
        )

    run(scenario())


def test_nothing_is_lost_over_broken_links(site: Site, console: Console, address: str) -> None:
    """Whatever was on its way both ways when the cable is cut, again and again."""

    async def scenario() -> None:
        page = Page(console, site)
        await page.open(address)
        await page.type("stty -echo; PS1=; echo re''ady\n")
        await page.until("ready")
        start = len(page.output)
        await page.type("seq 1 200000; echo en''d\n")
        for _number in range(5):
            for _message in range(3):
                await page.hear()
            page.cut()
            assert (await page.come_back())["type"] == "attached"
        await page.until("end")
        shown = bytes(page.output[start:]).replace(b"\r", b"").decode()
        wanted = "".join(f"{number}\n" for number in range(1, 200_001)) + "end"
        assert shown[shown.index("1\n") :].startswith(wanted)
        await left(site, page)

    run(scenario())


def test_what_was_typed_is_counted(site: Site, console: Console, address: str) -> None:
    async def scenario() -> None:
        page = Page(console, site)
        await page.open(address)
        await page.type("stty -echo; PS1=; cat > /dev/null; echo don''e\n")
        sent = len("stty -echo; PS1=; cat > /dev/null; echo don''e\n")
        for _number in range(200):
            await page.type("x" * 99 + "\n")
            sent += 100
        taken = 0
        while taken < sent - 4096:
            told = await page.tell()
            assert told["type"] == "taken"
            taken = told["bytes"]
        page.cut()
        back = await page.come_back()
        assert back["taken"] <= sent
        await page.type("\x04")
        await page.until("done")
        await left(site, page)

    run(scenario())


def test_a_page_that_does_not_confirm_holds_the_shell_back(
    site: Site, console: Console, address: str
) -> None:
    async def scenario() -> None:
        page = Page(console, site)
        await page.open(address)
        process = psutil.Process(site.pid).children()[0]
        before = process.memory_info().rss
        assert page.socket is not None
        await page.type("cat /dev/zero | tr '\\0' x\n")
        got = 0
        with suppress(TimeoutError):
            while message := await asyncio.wait_for(page.socket.recv(), 2):
                got += len(message) if isinstance(message, bytes) else 0
        assert 256 * 1024 < got < 2 * MIB
        assert process.memory_info().rss - before < 24 * MIB
        page.output += bytes(got)
        await page.say(type="received", bytes=got)
        await page.hear()
        await left(site, page)

    run(scenario())


def test_it_is_kept_for_a_broken_link_only(site: Site, console: Console, address: str) -> None:
    async def scenario() -> None:
        page = Page(console, site)
        await page.open(address)
        page.cut()
        assert (await page.come_back())["type"] == "attached"
        await left(site, page)
        refused = await asyncio.to_thread(
            console.post, f"/console/sessions/{page.session_id}/return"
        )
        assert (refused.status, refused.code) == (409, "session.ended")

    run(scenario())


def test_a_second_window_takes_over(site: Site, console: Console, address: str) -> None:
    async def scenario() -> None:
        page = Page(console, site)
        await page.open(address)
        other = Page(console, site, page.session_id, page.output)
        assert (await other.come_back())["type"] == "attached"
        while (await page.tell())["type"] != "moved":
            pass
        with pytest.raises(ConnectionClosed):
            await page.hear()
        await other.type("echo on$((1))ward\n")
        await other.until("on1ward")
        await left(site, other)

    run(scenario())


def test_the_end_has_its_reason(site: Site, host: Box, console: Console, address: str) -> None:
    async def scenario() -> None:
        page = Page(console, site)
        await page.open(address)
        await asyncio.to_thread(
            site.call, "POST", f"/session/{page.session_id}/end", {"reason": "enough"}
        )
        how = await page.ending()
        assert (how["code"], how["message"]) == (
            "session.stopped",
            "the session was ended from the server",
        )
        await page.open(address)
        await page.type("kill -9 $$\n")
        assert (await page.ending())["signal"] == "KILL"

    run(scenario())


# --- who is refused ---------------------------------------------------------------------


def test_tickets_are_good_once_and_for_one(site: Site, console: Console, address: str) -> None:
    async def scenario() -> None:
        technician = await asyncio.to_thread(Console.of, site, "technician")
        page = Page(console, site)
        asked = await asyncio.to_thread(console.post, address, reason="")
        page.session_id = asked.json["session_id"]
        hello = {"type": "open", **asked.json}
        await page.dial(hello, cookie="")
        assert (await page.ending())["code"] == "auth.required"
        await page.dial(hello, cookie=technician.cookie)
        assert (await page.ending())["code"] == "session.ticket"
        await page.dial({**hello, "ticket": "invented"})
        assert (await page.ending())["code"] == "session.ticket"
        await page.dial(hello)
        assert (await page.tell())["type"] == "opened"
        replay = Page(console, site)
        await replay.dial(hello)
        assert (await replay.ending())["code"] == "session.ticket"

        back = {"type": "attach", **await page.ticket(), "received": len(page.output)}
        thief = Page(technician, site)
        await thief.dial(back)
        assert (await thief.ending())["code"] == "session.ticket"
        refused = await asyncio.to_thread(
            technician.post, f"/console/sessions/{page.session_id}/return"
        )
        assert refused.code in ("session.missing", "session.not_yours")
        page.cut()
        await page.dial(back)
        assert (await page.tell())["type"] == "attached"
        await replay.dial(back)
        assert (await replay.ending())["code"] == "session.ticket"
        await left(site, page)

    run(scenario())


def test_outsiders_do_not_even_get_a_ticket(site: Site, address: str) -> None:
    outsider, auditor = Console.of(site, "outsider"), Console.of(site, "auditor")
    assert outsider.post(address).code == "client.missing"
    assert auditor.post(address).code == "auth.denied"
    assert Console(site).post(address).status == 302
    refusals = site.call("GET", "/audit?action=session.refused")
    assert {event["actor_name"] for event in refusals} >= {"outsider", "auditor"}


def test_a_page_that_says_nothing_is_not_waited_for(site: Site, console: Console) -> None:
    async def scenario() -> None:
        page = Page(console, site)
        await page.dial({"type": "nonsense"})
        with pytest.raises(ConnectionClosed):
            await page.hear()

    run(scenario())
