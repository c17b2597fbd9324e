"""Passive Jump Clients: what their check-ins cost the server, at the pace of a large site."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from tremplin_agent.core.resting import DEFAULT_CHECK_IN_SECONDS, VISIT_SECONDS

from tests.bench import seeding, targets
from tests.bench.agent import Door, SimulatedAgent
from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.site import Site, site

SITE = 20_000
"""Passive clients of the site whose pace is kept; `--agents` says how many are in the database."""
PER_SECOND = SITE / (0.9 * DEFAULT_CHECK_IN_SECONDS)
SECONDS = 20.0
LABEL = "passive"


def check_ins(bench: Bench) -> Iterator[Figure]:
    """Check-ins of 20,000 passive clients at the default interval: processor, memory."""
    with bench.place("passive") as path, site(path) as server:
        bench.say(f"inserting {bench.agents} records")
        resting = {"connection_type": "passive", "state": "resting"}
        ids = seeding.clients(server.engine, LABEL, bench.agents, **resting)
        door = server.door()
        asyncio.run(_visits(door, ids, 5.0))
        idle = _idle(server)
        before, used, began = server.memory(), server.cpu_seconds(), time.monotonic()
        visits, refused = asyncio.run(_visits(door, ids, SECONDS))
        took, spent = time.monotonic() - began, server.cpu_seconds() - used
        note = f"{visits} check-ins in {took:.0f} s, {refused} refused; {idle:.1f} % without any; "
        note += f"{(spent - idle / 100 * took) / max(1, visits) * 1000:.2f} ms each"
        share = spent / took * 100 - idle
        yield Figure(
            "passive", "server processor, check-ins", share, targets.CHECK_INS, note, "% of a core"
        )
        grown = (server.memory().pss - before.pss) / 2**20
        yield Figure("passive", "server memory, growth", grown, None, "meanwhile", "MiB")


def _idle(server: Site, seconds: float = 8.0) -> float:
    used = server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - used) / seconds * 100


async def _visits(door: Door, ids: Sequence[int], seconds: float) -> tuple[int, int]:
    """Let clients check in at the site's pace; return how many did, and were refused."""
    context, told = door.context(), {"online": 0, "refused": 0}

    def report(_agent: SimulatedAgent, event: str) -> None:
        kind = event.partition(":")[0]
        if kind in told:
            told[kind] += 1

    async def visit(number: int) -> None:
        agent = SimulatedAgent(LABEL, number, ids[number], door, report)
        agent.visit = True
        await agent.connect(context)
        await asyncio.sleep(VISIT_SECONDS)
        agent.close()

    loop, under_way = asyncio.get_running_loop(), set()
    began, count = loop.time(), 0
    while loop.time() - began < seconds:
        while count < (loop.time() - began) * PER_SECOND:
            under_way.add(loop.create_task(visit(count % len(ids))))
            count += 1
        await asyncio.sleep(0.01)
    await asyncio.gather(*under_way)
    return told["online"], told["refused"]
