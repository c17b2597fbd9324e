"""The terminal of the pages, asked for and typed into as its script does it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator

from tests.bench import targets
from tests.bench.figures import Figure
from tests.bench.site import Site
from tests.console import Console
from tests.personas import PASSWORD
from tests.terminal_page import Page

STARTS = 20
KEYS = 200
_PROMPT = r"[$#>] ?(\x1b\[[?0-9;]*[a-z])*$"


def figures(name: str, server: Site, client_id: int) -> Iterator[Figure]:
    """Yield how long a terminal takes to its prompt, and a keystroke to its echo."""
    server.run("user", "add", "page", "--role", "administrator", "--password-stdin", given=PASSWORD)
    console = Console.of(server, "page")
    address = f"/console/clients/{client_id}/terminal"
    starts, echoes = asyncio.run(_measured(console, server, address))
    late = starts[int(STARTS * 0.95) - 1]
    note = f"p50; p95 {late:.0f} ms"
    yield Figure(
        name, "page: asked for → prompt", statistics.median(starts), targets.SESSION_START, note
    )
    late = echoes[int(KEYS * 0.95) - 1]
    note = f"p50; p95 {late:.1f} ms"
    yield Figure(name, "page: keystroke echo", statistics.median(echoes), targets.ECHO, note)


async def _measured(
    console: Console, server: Site, address: str
) -> tuple[list[float], list[float]]:
    """Return the times of starts and of echoes in ms, sorted."""
    starts: list[float] = []
    echoes: list[float] = []
    for number in range(STARTS + 1):
        page = Page(console, server)
        began = time.monotonic()
        await page.open(address)
        await page.until(_PROMPT)
        if number:
            # The first one starts the host's SSH, which stays for the others.
            starts.append((time.monotonic() - began) * 1000)
        if number == STARTS:
            echoes = [await _echo(page) for _ in range(KEYS)]
        await page.type("\x15exit\r")
        await page.ending()
    return sorted(starts), sorted(echoes)


async def _echo(page: Page) -> float:
    before = len(page.output)
    began = time.monotonic()
    await page.type("x")
    while len(page.output) == before:
        await page.hear()
    return (time.monotonic() - began) * 1000
