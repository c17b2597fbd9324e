"""Heartbeats, dead workers and the sweep, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tremplin_server.clients import service
from tremplin_server.clients.lifecycle import Event, State
from tremplin_server.clients.presence import Change
from tremplin_server.db import Database, keep_statistics
from tremplin_server.gateway import housekeeping
from tremplin_server.gateway.housekeeping import DEAD_AFTER, Housekeeping
from tremplin_server.gateway.store import Store
from tremplin_server.permissions import system_actor

from tests.conftest import MovableClock
from tests.stage import Stage


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def run(database: Database, scenario: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        store = Store(database)
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(whole())


def test_the_clients_of_a_dead_worker_are_offline_since_its_last_sign(
    database: Database, stage: Stage, clock: MovableClock
) -> None:
    async def scenario(store: Store) -> None:
        living, dead = (Housekeeping(store, name, alone=False) for name in ("living", "dead"))
        await living.begin()
        await dead.begin()
        agent = stage.agent()
        stage.enrol(agent)
        stage.connect(agent, "dead")
        last_sign = clock.now()
        clock.forward(seconds=DEAD_AFTER.total_seconds() - 1)
        assert (await living.beat()).living == {"living", "dead"}
        clock.forward(seconds=2)
        assert (await living.beat()).living == {"living"}
        assert stage.state(agent) is State.OFFLINE
        record = stage.record(agent.client_id)
        assert record is not None
        assert record.last_seen == last_sign

        beat = await dead.beat()
        assert beat.was_buried
        assert beat.living == {"living", "dead"}
        assert not (await dead.beat()).was_buried

    run(database, scenario)


def test_a_lone_worker_knows_at_its_start_that_all_others_are_dead(
    database: Database, stage: Stage, clock: MovableClock
) -> None:
    async def scenario(store: Store) -> None:
        await Housekeeping(store, "before", alone=True).begin()
        agent = stage.agent()
        stage.enrol(agent)
        stage.connect(agent, "before")
        clock.forward(seconds=1)
        after = Housekeeping(store, "after", alone=True)
        await after.begin()
        assert stage.state(agent) is State.OFFLINE
        assert (await after.beat()).living == {"after"}
        await after.end()

    run(database, scenario)


def test_the_sweep_waits_until_agents_could_come_back(
    database: Database,
    stage: Stage,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(housekeeping.time, "monotonic", lambda: now[0])

    async def scenario(store: Store) -> None:
        house = Housekeeping(store, "w", alone=True)
        await house.begin()
        agent = stage.agent(stage.installer(ephemeral=True))
        stage.enrol(agent)
        clock.forward(hours=1)
        now[0] += housekeeping.FIRST_SWEEP_SECONDS - 1
        await house.beat()
        assert stage.record(agent.client_id) is not None
        now[0] += 1
        await house.beat()
        assert stage.record(agent.client_id) is None

    run(database, scenario)


def test_one_worker_at_a_time_sweeps(database: Database, stage: Stage) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one worker")
    agent = stage.agent(stage.installer(ephemeral=True))
    stage.enrol(agent)
    with database.engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": housekeeping._SWEEP_LOCK})
        with database.work(system_actor()) as work:
            assert housekeeping._sweep(work) == 0
        other.rollback()


def test_who_comes_and_who_leaves_is_written_in_order(
    database: Database, stage: Stage, clock: MovableClock
) -> None:
    agents = [stage.agent(fingerprint=f"{n:064x}") for n in range(20)]
    for agent in agents:
        stage.enrol(agent)

    def move(agent: Any, event: Event, key: bytes = b"") -> Change:
        return Change(agent.client_id, event, clock.now(), "w", public_key=key)

    async def scenario(store: Store) -> None:
        came = [
            store.arrivals.put(move(agent, Event.CONNECTED, agent.public_key)) for agent in agents
        ]
        left = [store.arrivals.put(move(agent, Event.DISCONNECTED)) for agent in agents[:5]]
        back = store.arrivals.put(move(agents[0], Event.CONNECTED, agents[0].public_key))
        assert await asyncio.gather(*came) == [[]] * 20
        await asyncio.gather(*left)
        assert await back == []
        states = [stage.state(agent) for agent in agents]
        assert states == [State.ONLINE, *[State.OFFLINE] * 4, *[State.ONLINE] * 15]

        revoked = move(agents[1], Event.CONNECTED, b"x" * 32)
        assert await store.arrivals.submit(revoked) is None
        assert stage.state(agents[1]) is State.OFFLINE

    run(database, scenario)


def test_a_deleted_client_is_given_its_order_with_its_presence(
    database: Database, stage: Stage, clock: MovableClock
) -> None:
    agent = stage.agent()
    stage.enrol(agent)
    with database.work(system_actor()) as work:
        service.delete(work, agent.client_id)

    async def scenario(store: Store) -> None:
        key = agent.public_key
        change = Change(agent.client_id, Event.CONNECTED, clock.now(), "w", public_key=key)
        commands = await store.arrivals.submit(change)
        assert commands is not None
        assert [command.kind for command in commands] == ["uninstall"]

    run(database, scenario)


def test_dead_after_is_several_beats() -> None:
    assert timedelta(seconds=3 * housekeeping.BEAT_SECONDS) < DEAD_AFTER


def test_sqlite_knows_its_indexes(database: Database, stage: Stage) -> None:
    stage.online(stage.installer())
    with database.work(system_actor()) as work:
        if work.session.get_bind().dialect.name != "sqlite":
            pytest.skip("PostgreSQL's autovacuum looks")
        keep_statistics(work)
    with database.work(system_actor(), read_only=True) as work:
        known = work.session.scalars(text("SELECT idx FROM sqlite_stat1")).all()
    assert "ix_client_search_owner" in known
