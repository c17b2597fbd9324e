"""When a passive agent leaves, and when it is due again."""

from __future__ import annotations

import pytest
from tremplin_agent.core.resting import (
    AFTERWARDS_SECONDS,
    VISIT_SECONDS,
    WOKEN_SECONDS,
    Rest,
)

PASSIVE = {"connection_type": "passive", "check_in_seconds": 600, "wake_port": 8100}
ACTIVE = {**PASSIVE, "connection_type": "active"}


def left(rest: Rest, now: float, *, busy: bool = False, in_session: bool = False) -> float:
    return rest.left_after(busy, in_session, now)


def test_an_active_agent_neither_visits_nor_listens_nor_rests() -> None:
    for settings in ({}, ACTIVE):
        rest = Rest(settings)
        assert not rest.begins(0)
        assert (rest.port, rest.wait(lambda: 0.5)) == (0, 0)


def test_a_visit_ends_when_the_server_has_been_quiet() -> None:
    rest = Rest(PASSIVE)
    assert rest.begins(0)
    rest.let_in(PASSIVE, 1)
    assert left(rest, 1) == VISIT_SECONDS
    rest.heard(2)
    assert left(rest, 2.5) == VISIT_SECONDS - 0.5
    assert left(rest, 2 + VISIT_SECONDS) <= 0


def test_a_report_that_takes_its_time_is_waited_for() -> None:
    rest = Rest(PASSIVE)
    rest.begins(0)
    assert left(rest, 100, busy=True) == VISIT_SECONDS
    assert left(rest, 101) == VISIT_SECONDS - 1


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_it_is_back_within_the_interval_and_not_much_sooner(share: float) -> None:
    assert 0.8 * 600 <= Rest(PASSIVE).wait(lambda: share) <= 600


def test_a_woken_agent_comes_to_stay_until_it_had_its_session() -> None:
    rest = Rest(PASSIVE)
    rest.woken = True
    assert rest.wait(lambda: 0.5) == 0
    assert not rest.begins(0), "a visit takes no session"
    assert not rest.woken
    assert left(rest, 0) == WOKEN_SECONDS
    assert left(rest, 1000, in_session=True) == AFTERWARDS_SECONDS
    assert left(rest, 1000 + AFTERWARDS_SECONDS) <= 0


def test_a_wake_up_during_a_visit_ends_it_so_that_the_next_one_stays() -> None:
    rest = Rest(PASSIVE)
    rest.begins(0)
    rest.woken = True
    assert left(rest, 0) == 0
    assert rest.wait(lambda: 0.5) == 0
    assert not rest.begins(1)


def test_a_wake_up_while_it_stays_makes_it_stay_longer() -> None:
    rest = Rest(PASSIVE)
    rest.woken = True
    rest.begins(0)
    rest.woken = True
    assert left(rest, WOKEN_SECONDS - 1) == WOKEN_SECONDS
    assert not rest.woken


def test_an_active_agent_told_to_be_passive_leaves() -> None:
    rest = Rest(ACTIVE)
    rest.begins(0)
    rest.let_in(ACTIVE, 0)
    rest.changed(PASSIVE, 50)
    assert rest.port == 8100
    assert left(rest, 50 + VISIT_SECONDS) <= 0


def test_a_visitor_told_to_be_active_comes_back_to_stay() -> None:
    rest = Rest(PASSIVE)
    rest.begins(0)
    rest.let_in(PASSIVE, 0)
    rest.changed(ACTIVE, 1)
    assert left(rest, 1) == 0
    assert rest.wait(lambda: 0.5) == 0
    assert not rest.begins(1)


def test_a_visitor_whom_the_welcome_calls_active_stays_where_it_is() -> None:
    rest = Rest(PASSIVE)
    rest.begins(0)
    rest.let_in(ACTIVE, 0)
    assert not rest.visiting
    assert not rest.passive
