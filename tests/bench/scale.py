"""Many agents on one server: held, memory of each, and all back after a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from tremplin_agent.core.protocol import Enrolment

from tests import postgres
from tests.bench import memory, seeding, targets
from tests.bench.bench import Bench, Skipped
from tests.bench.figures import Better, Figure, Target, middle, spread
from tests.bench.fleet import Return, Tally
from tests.bench.fleets import Fleets, until
from tests.bench.site import Site, site

WARM_UP = 50
SETTLE_SECONDS = 5.0
HUNDRED = 100
RESTARTS = 3
LABEL = "bench"


def sqlite(bench: Bench) -> Iterator[Figure]:
    """One worker on SQLite: empty, held, memory per agent, reconnects per second."""
    with bench.place("sqlite") as path, site(path) as server:
        empty = server.memory()
        yield Figure(
            "sqlite",
            "server memory, empty",
            empty.pss / 2**20,
            targets.EMPTY,
            f"PSS of all its processes; RSS sum {empty.rss / 2**20:.0f} MiB",
        )
        yield from _held(bench, server, "sqlite")


def postgresql(bench: Bench) -> Iterator[Figure]:
    """Two workers on PostgreSQL: held, memory per agent, reconnects per second."""
    if postgres.programs() is None:
        raise Skipped("needs PostgreSQL's server programs (package postgresql)")
    with bench.place("postgres") as path, postgres.cluster() as cluster:
        cluster.create("bench")
        url = cluster.url("bench")
        with site(path, TREMPLIN_DATABASE_URL=url, TREMPLIN_WORKERS="2") as server:
            yield from _held(bench, server, "postgres")


def _held(bench: Bench, server: Site, name: str) -> Iterator[Figure]:
    engine, count = server.engine, bench.agents
    bench.say(f"{name}: inserting {count} records")
    client_ids = seeding.clients(engine, LABEL, count)
    warm_ids = seeding.clients(engine, "warm", WARM_UP)
    bench.say(f"{name}: connecting {count} agents")
    with (
        Fleets("warm", warm_ids, server.door(), processes=1) as warm,
        Fleets(LABEL, client_ids, server.door()) as fleets,
    ):
        warm.connect()
        until(lambda: warm.tally().online == WARM_UP, 60, "warm-up agents online")
        before = server.memory()
        began = time.monotonic()
        fleets.connect()
        bound = 60 + count / 50
        until(lambda: fleets.tally().online == count, bound, f"{count} agents online")
        first = time.monotonic() - began
        time.sleep(SETTLE_SECONDS)
        yield _count(name, fleets, count, first)
        yield _per_agent(name, before, server.memory(), count)
        yield _idle_cpu(name, server)
        yield from _reconnects(bench, server, fleets, name)


def _count(name: str, fleets: Fleets, count: int, seconds: float) -> Figure:
    note = f"{count} asked for; connected in {seconds:.1f} s"
    target = Target(count, "agents", Better.MORE)
    return Figure(name, "idle agents held", fleets.tally().online, target, note)


def _per_agent(name: str, before: memory.Memory, after: memory.Memory, count: int) -> Figure:
    """RSS, because PSS also counts what worker and master cease to share, once, with time."""
    pss = (after.anonymous - before.anonymous) / count / 1024
    note = f"TLS included, RSS difference over {count}; anonymous PSS {pss:.1f} KiB"
    each = (after.rss - before.rss) / count / 1024
    return Figure(name, "server memory per idle agent", each, targets.PER_AGENT, note)


def _idle_cpu(name: str, server: Site, seconds: float = 10.0) -> Figure:
    before = server.cpu_seconds()
    time.sleep(seconds)
    share = (server.cpu_seconds() - before) / seconds * 100
    return Figure(
        name, "server processor, idle agents", share, None, f"over {seconds:g} s", "% of a core"
    )


def _reconnects(bench: Bench, server: Site, fleets: Fleets, name: str) -> Iterator[Figure]:
    """Kill the server, start it, let all agents in as fast as it takes them."""
    engine, count = server.engine, bench.agents
    bench.say(f"{name}: server killed; {count} agents reconnect")
    server.kill()
    until(lambda: fleets.tally().online == 0, 60, "agents saw the server die")
    server.start()
    used = server.cpu_seconds()
    since, began = datetime.now(UTC), time.monotonic()
    fleets.connect()

    def written() -> bool:
        return seeding.presence(engine, LABEL, since).connected_since == count

    ended = until(written, 60 + count / 50, f"{count} reconnects written", 0.2)
    shares = ", ".join(str(n) for n in seeding.workers(engine, LABEL).values())
    tally = fleets.tally()
    note = (
        f"proof checked, presence of all {count} read back from the database "
        f"after {ended - began:.1f} s; per worker: {shares}; "
        f"server processor {(server.cpu_seconds() - used) / count * 1000:.1f} ms each"
    )
    note += _trouble(tally)
    yield Figure(name, "full-proof reconnects", count / (ended - began), targets.RECONNECTS, note)


def _trouble(tally: Tally) -> str:
    if not (tally.refused or tally.errors):
        return ""
    return f"; refused {dict(tally.refused)}, errors {dict(tally.errors)}"


def enrol(bench: Bench) -> Iterator[Figure]:
    """New agents that enrol for real, with one installer, without the site's rate limit."""
    with bench.place("enrol") as path, site(path, TREMPLIN_ENROLMENTS_PER_SECOND="10000") as server:
        key = server.key_info()
        enrolment = Enrolment(installer_id=key.installer_id, secret=key.secret)
        with Fleets("enrol", [0] * HUNDRED, server.door(), enrolment=enrolment) as fleets:
            began = time.monotonic()
            fleets.connect()
            ended = until(lambda: fleets.tally().online == HUNDRED, 120, "agents enrolled")
            ids = set(fleets.tally().client_ids)
        note = f"{HUNDRED} agents, {len(ids)} records, each written before it is welcomed"
        yield Figure("enrol", "enrolments", HUNDRED / (ended - began), None, note, "/s")


def back(bench: Bench) -> Iterator[Figure]:
    """A restart as seen by agents that behave as real ones: 100, then all."""
    for count, target in ((HUNDRED, targets.HUNDRED_BACK), (bench.agents, targets.ALL_BACK)):
        with bench.place("back") as path, site(path) as server:
            yield from _back(bench, server, count, target)


def _back(bench: Bench, server: Site, count: int, target: Target) -> Iterator[Figure]:
    client_ids = seeding.clients(server.engine, LABEL, count)
    with Fleets(LABEL, client_ids, server.door()) as fleets:
        fleets.connect()
        until(lambda: fleets.tally().online == count, 60 + count / 50, f"{count} online")
        fleets.come_back(Return.LIKE_AGENTS)
        for how in ("restarted", "killed and started"):
            bench.say(f"back: {count} agents, server {how}")
            repeats = RESTARTS if count == HUNDRED else 1
            times, downs = [], []
            for _ in range(repeats):
                total, down = _restart(server, fleets, count, graceful=how == "restarted")
                times.append(total)
                downs.append(down)
            note = f"{spread(times)}; from the moment it listens; {middle(downs):.1f} s of silence"
            note += _trouble(fleets.tally())
            yield Figure(
                "back", f"server {how}, {count:,} agents back", middle(times), target, note
            )


def _restart(server: Site, fleets: Fleets, count: int, *, graceful: bool) -> tuple[float, float]:
    """Return the seconds from listening to all in the database, and those of silence."""
    began = time.monotonic()
    if graceful:
        server.stop()
    else:
        server.kill()
    since = datetime.now(UTC)
    server.start()
    listening = time.monotonic()

    def written() -> bool:
        return seeding.presence(server.engine, LABEL, since).connected_since == count

    ended = until(written, 400, f"{count} agents back", 0.05)
    # The welcome is sent once the presence is written, so the last ones hear it later.
    until(lambda: fleets.tally().online == count, 10, f"all {count} agents welcomed")
    return ended - listening, listening - began
