"""The one timer that pings the silent and drops the dead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tremplin_server.errors import TremplinError
from tremplin_server.gateway.liveness import Sweeper

HEARTBEAT = 15.0


@dataclass
class Connection:
    """A connection and its link in one; `told` is what the sweeper did, and when."""

    heard_at: float = 0.0
    pinged_at: float = 0.0
    deadline: float = float("inf")
    now: float = 0.0
    told: list[tuple[str, float]] = field(default_factory=list)

    @property
    def link(self) -> Any:
        return self

    def ping(self) -> None:
        self.told.append(("ping", self.now))

    def overdue(self, now: float) -> bool:
        return now > self.deadline

    def refuse(self, error: TremplinError) -> None:
        self.told.append((error.code, self.now))

    def abort(self) -> None:
        self.told.append(("abort", self.now))


def sweep(connection: Connection, *moments: float, answers: bool = False) -> None:
    sweeper = Sweeper(HEARTBEAT)
    for moment in moments:
        connection.now = moment
        sweeper.sweep([connection], moment)
        if answers and connection.told and connection.told[-1] == ("ping", moment):
            connection.heard_at = moment + 0.01


def test_a_silent_agent_is_pinged_once_and_dropped_within_two_heartbeats() -> None:
    agent = Connection()
    sweep(agent, *range(1, 31))
    assert [what for what, _ in agent.told[:2]] == ["ping", "abort"]
    assert agent.told[0][1] == HEARTBEAT
    assert agent.told[1][1] <= 2 * HEARTBEAT


def test_an_agent_that_answers_is_pinged_once_per_heartbeat() -> None:
    agent = Connection()
    sweep(agent, *range(1, 100), answers=True)
    assert {what for what, _ in agent.told} == {"ping"}
    assert 5 <= len(agent.told) <= 6


def test_an_agent_that_talks_is_not_pinged() -> None:
    agent = Connection()
    sweeper = Sweeper(HEARTBEAT)
    for moment in range(1, 100):
        agent.heard_at = moment - 1.0
        sweeper.sweep([agent], float(moment))
    assert agent.told == []


def test_nobody_is_judged_after_the_loop_was_held_up() -> None:
    agent = Connection()
    sweep(agent, *range(1, 17), 40.0)
    assert agent.told == [("ping", 15.0)]


def test_an_unfinished_handshake_is_refused() -> None:
    agent = Connection(deadline=10.0)
    sweep(agent, *range(1, 12))
    assert agent.told == [("protocol.error", 11)]
