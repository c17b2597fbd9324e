"""Presence: batches of changes, identities of batches, workers that died."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import event
from tremplin_server.clients import presence
from tremplin_server.clients.lifecycle import Event, State
from tremplin_server.clients.presence import Change
from tremplin_server.db import Database
from tremplin_server.permissions import system_actor

from tests.conftest import MovableClock
from tests.stage import AGENT, OTHER_MACHINE, WORKER, Stage


def statements(database: Database, action: object) -> int:
    """Return how many statements `action` sends to the database."""
    sent: list[str] = []
    listener = lambda *args: sent.append(args[2])  # noqa: E731
    event.listen(database.engine, "before_cursor_execute", listener)
    try:
        action()  # type: ignore[operator]
    finally:
        event.remove(database.engine, "before_cursor_execute", listener)
    return len([text for text in sent if not text.startswith("BEGIN")])


def test_a_connection_is_written_with_everything_that_came_with_it(stage: Stage) -> None:
    agent = stage.online()
    record = stage.record(agent.client_id)
    assert record is not None
    assert (record.state, record.worker_id) == (State.ONLINE, WORKER)
    assert record.last_connect == record.last_seen == stage.database.clock.now()


def test_a_batch_takes_two_statements_however_large(stage: Stage) -> None:
    made = stage.installer(on_duplicate="keep_both")
    agents = [stage.agent(made, hostname=f"h{n}", fingerprint=f"{n:064x}") for n in range(1, 13)]
    for agent in agents:
        stage.enrol(agent)
    now = stage.database.clock.now()

    def write() -> None:
        with stage.database.work(AGENT) as work:
            presence.write(
                work, [Change(a.client_id, Event.CONNECTED, now, WORKER) for a in agents]
            )

    def look() -> None:
        with stage.database.work(AGENT, read_only=True) as work:
            assert len(presence.identities(work, [a.client_id for a in agents])) == len(agents)

    assert statements(stage.database, write) == 2
    assert statements(stage.database, look) == 2
    assert {record.state for record in stage.records()} == {State.ONLINE}


def test_changes_of_one_client_in_a_batch_keep_their_order(stage: Stage) -> None:
    agent = stage.online()
    now = stage.database.clock.now()
    with stage.database.work(AGENT) as work:
        presence.write(
            work,
            [
                Change(agent.client_id, Event.DISCONNECTED, now, WORKER),
                Change(agent.client_id, Event.CONNECTED, now, "worker-2"),
            ],
        )
    record = stage.record(agent.client_id)
    assert record is not None
    assert (record.state, record.worker_id) == (State.ONLINE, "worker-2")


def test_a_late_goodbye_of_another_worker_is_ignored(stage: Stage) -> None:
    agent = stage.online()
    stage.connect(agent, "worker-2")
    stage.disconnect(agent, WORKER)
    assert stage.state(agent) is State.ONLINE
    stage.disconnect(agent, "worker-2")
    assert stage.state(agent) is State.OFFLINE


def test_a_deleted_record_and_a_word_out_of_turn_do_not_stop_the_batch(stage: Stage) -> None:
    agent = stage.agent()
    stage.enrol(agent)
    now = stage.database.clock.now()
    with stage.database.work(AGENT) as work:
        presence.write(
            work,
            [
                Change(999_999, Event.CONNECTED, now, WORKER),
                Change(agent.client_id, Event.DISABLED, now, WORKER),
                Change(agent.client_id, Event.CONNECTED, now, WORKER),
            ],
        )
    assert stage.state(agent) is State.ONLINE


def test_another_fingerprint_is_kept_and_audited(stage: Stage) -> None:
    agent = stage.online()
    stage.disconnect(agent)
    agent.fingerprint = OTHER_MACHINE
    stage.connect(agent)
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.fingerprint == OTHER_MACHINE
    assert stage.actions()[-1] == "client.fingerprint_changed"


def test_the_farewell_connection_does_not_bring_a_record_back(
    stage: Stage, clock: MovableClock
) -> None:
    agent = stage.online()
    connected_at = clock.now()
    clock.forward(seconds=1)
    stage.farewell(agent)
    with stage.database.work(AGENT) as work:
        presence.write(work, [Change(agent.client_id, Event.CONNECTED, connected_at, WORKER)])
    stage.disconnect(agent)
    assert stage.state(agent) is State.UNINSTALLED


def test_clients_of_a_dead_worker_go_offline_as_of_its_last_heartbeat(
    stage: Stage, clock: MovableClock
) -> None:
    made = stage.installer(on_duplicate="keep_both")
    lost = stage.online(made)
    held = stage.online(made, fingerprint=OTHER_MACHINE)
    stage.connect(held, "worker-2")
    stage.add_worker(WORKER)
    last_heartbeat = clock.now()
    clock.forward(minutes=5)
    stage.add_worker("worker-2")
    with stage.database.work(system_actor()) as work:
        assert presence.take_over_dead_workers(work, clock.now() - timedelta(minutes=1)) == 1
    record = stage.record(lost.client_id)
    assert record is not None
    assert (record.state, record.worker_id) == (State.OFFLINE, None)
    assert record.last_seen == record.last_disconnect == last_heartbeat
    assert stage.state(held) is State.ONLINE
    with stage.database.work(system_actor()) as work:
        assert presence.take_over_dead_workers(work, clock.now() - timedelta(minutes=1)) == 0


def test_clients_of_a_worker_without_a_row_go_offline_too(stage: Stage) -> None:
    agent = stage.online()
    with stage.database.work(system_actor()) as work:
        assert presence.take_over_dead_workers(work, work.now()) == 1
    assert stage.state(agent) is State.OFFLINE
