"""Waits: quick while an outage is short, thin when it is long, never in step."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent.core.backoff import LONGEST_WINDOW, Backoff

LATEST = 1 - 2**-53
"""The largest value that random() gives."""


def latest() -> float:
    return LATEST


def test_first_try_after_a_loss_comes_within_a_second() -> None:
    assert Backoff(latest).silent(0) <= 1


@pytest.mark.parametrize(
    ("outage", "window"),
    [(1, 2), (10, 2), (60, 2), (120, 4), (300, 10), (3600, 120), (9000, 300), (90_000, 300)],
)
def test_a_silent_server_is_tried_more_rarely_the_longer_it_is_away(
    outage: float, window: float
) -> None:
    backoff = Backoff(latest)
    backoff.silent(0)
    assert backoff.silent(outage) == pytest.approx(window)


def test_busy_server_gets_exponential_back_off_up_to_five_minutes() -> None:
    backoff = Backoff(latest)
    waits = [backoff.busy() for _ in range(12)]
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])


@given(st.floats(0, 86_400), st.integers(0, 2**32))
def test_a_wait_is_never_shorter_than_asked_for(retry_after: float, seed: int) -> None:
    backoff = Backoff(random.Random(seed).random)
    for _ in range(20):
        assert retry_after <= backoff.busy(retry_after) <= retry_after * 1.1 + LONGEST_WINDOW


@given(st.floats(-10, 10_000), st.integers(0, 2**32))
def test_a_drained_agent_comes_back_within_the_spread(spread: float, seed: int) -> None:
    wait = Backoff(random.Random(seed).random).drained(spread)
    assert 0 <= wait <= min(max(spread, 0), LONGEST_WINDOW)


def test_a_welcome_starts_anew() -> None:
    backoff = Backoff(latest)
    for _ in range(10):
        backoff.busy()
        backoff.silent(1000)
    backoff.welcomed()
    assert backoff.busy() <= 1
    assert backoff.silent(0) <= 1


@pytest.mark.parametrize("downtime", [0.5, 3, 10, 30])
def test_a_hundred_agents_are_back_three_seconds_after_a_restart(downtime: float) -> None:
    dice = random.Random(7)
    for _ in range(100):
        backoff, now = Backoff(dice.random), 0.0
        while now <= downtime:
            now += backoff.silent(now)
        assert now - downtime <= 2.5


@pytest.mark.parametrize("cut", [20, 60, 120, 300])
def test_after_a_short_cut_the_median_is_below_five_and_the_last_below_fifteen_seconds(
    cut: float,
) -> None:
    dice, late = random.Random(7), []
    for _ in range(500):
        backoff, now = Backoff(dice.random), 0.0
        while now <= cut:
            now += 6.0 + backoff.silent(now)  # each try hangs until TCP gives up
        late.append(now - cut)
    late.sort()
    # A try that hangs when the network comes back gets through by TCP's own retransmission.
    assert late[len(late) // 2] <= 5 + 6
    assert late[-1] <= 15 + 6
