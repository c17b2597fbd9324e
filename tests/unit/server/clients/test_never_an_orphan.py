"""Whatever happens in whatever order: no agent lives on that the server knows nothing of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import create_engine
from tremplin_server.clients import housekeeping, service, tombstones
from tremplin_server.clients.lifecycle import Event, State
from tremplin_server.clients.models import TombstoneKind
from tremplin_server.config import Config
from tremplin_server.db import Database, prepare_engine
from tremplin_server.errors import TremplinError
from tremplin_server.permissions import system_actor

from tests.conftest import SECRET_KEY, MovableClock
from tests.stage import Agent, Stage

MACHINES = st.sampled_from(["a" * 64, "b" * 64])
KEYS = st.sampled_from([None, "web1", "web2"])
MODES = st.sampled_from(["replace", "keep_both", "refuse"])


class Life(RuleBasedStateMachine):
    """A site with two machines; agents come, go, are cut off, cloned, deleted, rebuilt."""

    template: Path
    directory: Path
    keep_uninstalled = "keep"
    agents = Bundle("agents")

    def __init__(self) -> None:
        super().__init__()
        path = self.directory / f"{next(_examples)}.db"
        shutil.copy(self.template, path)
        self.clock = MovableClock()
        config = Config(
            data_dir=self.directory,
            secret_key=SECRET_KEY,
            uninstalled_records=self.keep_uninstalled,
        )
        self.engine = create_engine(f"sqlite:///{path}")
        prepare_engine(self.engine)
        self.stage = Stage(Database(self.engine, self.clock, config))
        self.alive: list[Agent] = []
        self.connected: list[Agent] = []

    def teardown(self) -> None:
        """Let every agent that is left meet the server: those that must go, go."""
        for agent in list(self.alive):
            self.meet(agent)
        for grave in self.stage.tombstones():
            living = any(agent.public_key == grave.public_key for agent in self.alive)
            assert not (living and grave.kind == TombstoneKind.DELETED), "told to go, and gone"
        self.engine.dispose()

    # --- what happens on hosts --------------------------------------------------------

    @rule(target=agents, machine=MACHINES, key=KEYS, mode=MODES, live=st.booleans())
    def install(self, machine: str, key: str | None, mode: str, live: bool) -> object:
        made = self.stage.installer(external_id=key, on_duplicate=mode)
        agent = self.stage.agent(made, fingerprint=machine, install_dir=f"/opt/{len(self.alive)}")
        try:
            self.stage.enrol(agent, live=live)
        except TremplinError as error:
            if error.code not in ("enrol.duplicate_refused", "enrol.not_allowed"):
                raise
            return multiple()
        self.alive.append(agent)
        return agent

    @rule(agent=agents)
    def start(self, agent: Agent) -> None:
        if agent in self.alive:
            self.meet(agent)

    @rule(agent=agents)
    def stop(self, agent: Agent) -> None:
        if agent in self.connected:
            self.connected.remove(agent)
            self.stage.disconnect(agent)

    @rule(agent=agents)
    def uninstall_by_hand(self, agent: Agent) -> None:
        if agent in self.connected:
            self.alive.remove(agent)
            self.stage.farewell(agent)
            self.stop(agent)

    @rule(agent=consumes(agents))
    def lose_the_disk(self, agent: Agent) -> None:
        self.stop(agent)
        if agent in self.alive:
            self.alive.remove(agent)

    @rule(agent=agents, event=st.sampled_from([Event.DISABLED, Event.ENABLED]))
    def switch(self, agent: Agent, event: Event) -> None:
        if agent in self.connected:
            self.stage.change(agent, event)

    @rule(agent=agents)
    def enrol_again_after_a_cut(self, agent: Agent) -> None:
        if agent in self.alive and self.stage.record(agent.client_id) is not None:
            known = self.stage.identity(agent)
            if known is not None and known.tombstone is None:
                assert self.stage.enrol(replace(agent)).client_id == agent.client_id

    # --- what happens at the server ---------------------------------------------------

    @rule(agent=agents)
    def delete(self, agent: Agent) -> None:
        self.attempt(service.delete, agent)

    @rule(agent=agents)
    def order_uninstall(self, agent: Agent) -> None:
        self.attempt(service.uninstall, agent)

    def attempt(self, action: object, agent: Agent) -> None:
        with self.stage.database.work(system_actor()) as work:
            try:
                action(work, agent.client_id)  # type: ignore[operator]
            except TremplinError as error:
                if not error.code.startswith("client."):
                    raise

    @precondition(lambda self: any(grave.closed_at is None for grave in self.stage.tombstones()))
    @rule()
    def close_tombstones_by_hand(self) -> None:
        with self.stage.database.work(system_actor()) as work:
            for grave in self.stage.tombstones():
                tombstones.close(work, grave.id)

    @rule(days=st.sampled_from([1, 100, 200]))
    def time_passes(self, days: int) -> None:
        self.clock.forward(days=days)
        with self.stage.database.work(system_actor()) as work:
            housekeeping.sweep(work)

    # --- what must hold ---------------------------------------------------------------

    def meet(self, agent: Agent) -> None:
        """Connect an agent as the gateway does, and let it obey."""
        identity = self.stage.identity(agent)
        assert identity is not None
        if identity.tombstone == TombstoneKind.REPLACED or identity.closed:
            return
        if identity.tombstone is None:
            self.stage.connect(agent)
            if agent not in self.connected:
                self.connected.append(agent)
        for order in self.stage.pending(agent):
            self.stage.acknowledge(agent, order.id)
            if order.kind == "uninstall":
                self.alive.remove(agent)
                self.stop(agent)

    @invariant()
    def every_living_key_is_known(self) -> None:
        for agent in self.alive:
            identity = self.stage.identity(agent)
            assert identity is not None, "an agent lives on that nobody knows"
            if identity.tombstone == TombstoneKind.DELETED:
                assert not identity.closed, "its host never confirmed"
                assert [o.kind for o in self.stage.pending(agent)] == ["uninstall"]

    @invariant()
    def a_record_that_is_gone_or_going_says_so(self) -> None:
        living = {agent.public_key for agent in self.alive}
        for record in self.stage.records():
            if record.state == State.UNINSTALLED:
                assert record.public_key not in living
            if record.state == State.ONLINE:
                assert record.public_key in living


_examples: Iterator[int] = count()


class SiteThatRemoves(Life):
    """A site that lets go of the records of uninstalled agents."""

    keep_uninstalled = "remove"


def run(machine: type[Life], template: Path, directory: Path) -> None:
    machine.template, machine.directory = template, directory
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            # Shrinking replays hundreds of databases: take it in when hunting a failure.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_sequence_leaves_an_orphan(sqlite_template: Path, tmp_path: Path) -> None:
    run(Life, sqlite_template, tmp_path)


def test_nor_where_uninstalled_records_are_removed(sqlite_template: Path, tmp_path: Path) -> None:
    run(SiteThatRemoves, sqlite_template, tmp_path)
