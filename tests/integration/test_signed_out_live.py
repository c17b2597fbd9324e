"""What is open when somebody is signed out: live pages and terminals end at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.gateway.live import LIVE_PATH, SIGNED_OUT
from websockets.asyncio.client import ClientConnection, connect

from tests import personas
from tests.boxes import box
from tests.console import Console
from tests.integration.agent_site import Site, running_site
from tests.integration.test_gateway import run
from tests.serving import Server, until
from tests.terminal_page import Page

pytestmark = pytest.mark.timeout(180)
END_OTHERS = "/login/account/sessions/end-others"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as made:
        personas.people(create_app(load(made.environment)).extensions["tremplin"])
        yield made


async def live(console: Console, server: Server) -> ClientConnection:
    asked = await asyncio.to_thread(console.post, "/console/live-ticket")
    url = server.base_url.replace("https", "wss")
    ticket = quote(asked.json["ticket"])
    return await connect(f"{url}{LIVE_PATH}?ticket={ticket}", ssl=server.tls())


async def end_of(socket: ClientConnection) -> int | None:
    """Return the code with which the server closes."""
    await asyncio.wait_for(socket.wait_closed(), 5)
    return socket.close_code


def test_live_pages_of_the_other_browsers_end(site: Site) -> None:
    async def scenario() -> None:
        mine, other = (Console.of(site, "technician") for _number in range(2))
        somebody = Console.of(site, "auditor")
        async with (
            await live(mine, site) as stays,
            await live(other, site) as ends,
            await live(somebody, site) as stays_too,
        ):
            await asyncio.to_thread(mine.post, END_OTHERS)
            assert await end_of(ends) == SIGNED_OUT
            for socket in (stays, stays_too):
                await (await socket.ping())
        assert other.get("/login/account").status == 302

    run(scenario())


def test_a_ticket_from_before_is_worth_nothing(site: Site) -> None:
    async def scenario() -> None:
        mine, other = (Console.of(site, "technician") for _number in range(2))
        ticket = quote(other.post("/console/live-ticket").json["ticket"])
        async with await live(other, site) as ends:
            await asyncio.to_thread(mine.post, END_OTHERS)
            await end_of(ends)
        url = f"{site.base_url.replace('https', 'wss')}{LIVE_PATH}?ticket={ticket}"
        async with connect(url, ssl=site.tls()) as late:
            assert await end_of(late) == 1008

    run(scenario())


def test_the_command_line_signs_out_too(site: Site) -> None:
    async def scenario() -> None:
        site.command("user", "sign-out", "auditor")
        console = Console.of(site, "auditor")
        async with await live(console, site) as ends:
            told = await asyncio.to_thread(site.command, "user", "sign-out", "auditor")
            assert "signed out of 1 browsers" in told
            assert await end_of(ends) == SIGNED_OUT
        again = Console.of(site, "auditor")
        async with await live(again, site) as ends:
            await asyncio.to_thread(site.command, "user", "change", "auditor", "--disabled")
            assert await end_of(ends) == SIGNED_OUT
        await asyncio.to_thread(site.command, "user", "change", "auditor", "--enabled")

    run(scenario())


def test_terminals_end_with_the_sign_in(site: Site) -> None:
    with box() as host:
        done = host.install("--online-install", key_info=site.key_info("host"))
        assert done.returncode == 0, done.stderr
        site.until_state("host", "online")
        address = f"/console/clients/{site.record('host')['id']}/terminal"
        mine, other = (Console.of(site, "administrator") for _number in range(2))
        page = Page(other, site)

        async def scenario() -> None:
            assert (await page.open(address))["type"] == "opened"
            await asyncio.to_thread(mine.post, END_OTHERS)
            assert (await page.ending())["type"] == "ended"
            again = Page(other, site, session_id=page.session_id)
            hello = {"type": "attach", "session_id": page.session_id, "ticket": "", "received": 0}
            await again.dial(hello)
            assert (await again.tell())["code"] == "auth.required"

        run(scenario())

        def over() -> Any:
            return site.call("GET", f"/session/{page.session_id}")["state"] == "ended"

        until(over, "the session to be over")
