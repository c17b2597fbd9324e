"""Who gets updated to what, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tremplin_server.config import Config, load
from tremplin_server.errors import TremplinError
from tremplin_server.gateway.limits import Throttle
from tremplin_server.updates.policy import Candidate, Mode, Rules, Window, chosen

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
"""A Monday."""


def rules(**values: object) -> Rules:
    return Rules.of(Config(**{"update_mode": "always", **values}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "held_at", "asked", "target"),
    [
        ("off", "", False, ""),
        ("off", "0.9", False, ""),
        ("off", "", True, "1.0"),
        ("off", "0.9", True, "0.9"),
        ("this_version", "", False, "0.8"),
        ("this_version", "0.9", False, "0.9"),
        ("this_version", "", True, "0.8"),
        ("always", "", False, "1.0"),
        ("always", "0.9", False, "0.9"),
    ],
)
def test_the_version_that_a_host_should_have(
    mode: str, held_at: str, asked: bool, target: str
) -> None:
    assert (
        rules(update_mode=mode, update_version="0.8").target(held_at, "1.0", asked=asked) == target
    )


@pytest.mark.parametrize(
    ("values", "hours", "is_open"),
    [
        ({}, 0, True),
        ({"update_days": "tue"}, 0, False),
        ({"update_days": "tue"}, 12, True),
        ({"update_from": "12:00", "update_until": "13:00"}, 0, True),
        ({"update_from": "12:00", "update_until": "13:00"}, 1, False),
        ({"update_from": "22:00", "update_until": "06:00", "update_days": "mon"}, 9, False),
        ({"update_from": "22:00", "update_until": "06:00", "update_days": "mon"}, 10, True),
        # Tuesday, three in the morning, belongs to the night that began on Monday.
        ({"update_from": "22:00", "update_until": "06:00", "update_days": "mon"}, 15, True),
        ({"update_from": "22:00", "update_until": "06:00", "update_days": "tue"}, 15, False),
        ({"update_from": "22:00", "update_until": "06:00", "update_days": "mon"}, 18, False),
        ({"update_from": "13:00", "update_until": "14:00", "update_zone": "Europe/Paris"}, 0, True),
        ({"update_from": "20:00", "update_until": "24:00"}, 11, True),
        ({"update_from": "20:00", "update_until": "24:00"}, 12, False),
    ],
)
def test_the_window(values: dict[str, str], hours: int, is_open: bool) -> None:
    window = rules(**values).window
    now = NOON + timedelta(hours=hours)
    assert window.is_open(now) is is_open
    opens = window.opens(now)
    assert (opens is None) is is_open
    if opens is not None:
        assert window.is_open(opens)
        assert not window.is_open(opens - timedelta(minutes=1))
        assert opens > now


def test_a_window_at_the_change_of_the_clock_opens() -> None:
    window = Window(frozenset(range(7)), 150, 180, ZoneInfo("Europe/Paris"))
    # 02:30 does not exist on this night: the window of that day is the one that is left out.
    night = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert window.opens(night) is not None


def test_who_was_asked_for_comes_first_and_the_number_holds() -> None:
    by_policy = [Candidate(number, "2") for number in range(5)]
    asked = [Candidate(number, "2", asked=True) for number in range(10, 13)]
    four = rules(update_concurrent=4)
    assert [c.client_id for c in chosen(four, [*by_policy, *asked], 0, NOON)] == [10, 11, 12, 0]
    assert [c.client_id for c in chosen(four, [*by_policy, *asked], 3, NOON)] == [10]
    assert chosen(four, by_policy, 9, NOON) == []
    closed = rules(update_days="tue")
    assert [c.client_id for c in chosen(closed, [*by_policy, *asked], 0, NOON)] == [10, 11, 12]


@pytest.mark.parametrize(
    ("candidate", "may"),
    [
        (Candidate(1, "2", failed="2", attempts=1, retry_at=NOON), True),
        (Candidate(1, "2", failed="2", attempts=1, retry_at=NOON + timedelta(hours=1)), False),
        (Candidate(1, "2", failed="2", attempts=3), False),
        (Candidate(1, "3", failed="2", attempts=3), True),
        (Candidate(1, "2", failed="2", attempts=3, asked=True), True),
        (Candidate(1, "2", failed="2"), True),
    ],
)
def test_what_failed_is_not_tried_in_a_loop(candidate: Candidate, may: bool) -> None:
    assert candidate.may(NOON) is may


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("UPDATE_MODE", "sometimes", "update_mode must be one of off, this_version, always"),
        ("UPDATE_MODE", "this_version", "update_version is needed"),
        ("UPDATE_VERSION", "../1", "update_version takes a version"),
        ("UPDATE_DAYS", "monday", "update_days takes days such as"),
        ("UPDATE_DAYS", "", "update_days takes days such as"),
        ("UPDATE_FROM", "25:00", "update_from takes a time"),
        ("UPDATE_UNTIL", "6", "update_until takes a time"),
        ("UPDATE_ZONE", "Paris", "update_zone takes a time zone"),
        ("UPDATE_CONCURRENT", "0", "update_concurrent must be at least 1"),
        ("UPDATE_TRIAL_SECONDS", "4000", "update_trial_seconds must be at most 3600"),
        ("OLDEST_AGENT", "", "oldest_agent takes a version"),
    ],
)
def test_the_configuration_is_checked(name: str, value: str, words: str) -> None:
    with pytest.raises(TremplinError, match=words):
        load({f"TREMPLIN_{name}": value})


def test_modes_are_those_of_the_configuration() -> None:
    for mode in Mode:
        load({"TREMPLIN_UPDATE_MODE": mode.value, "TREMPLIN_UPDATE_VERSION": "1"})


def test_many_share_the_bandwidth() -> None:
    now = 100.0
    throttle = Throttle(lambda: now)
    assert throttle.wait(10_000, 0) == 0
    # What was not used for a second is not lost, and after that the rate holds.
    waits = [throttle.wait(1000, 1000) for _ in range(4)]
    assert waits == [0, 1, 2, 3] or waits == [1, 2, 3, 4]
    now += 3600
    assert throttle.wait(1000, 1000) == 0
    assert throttle.wait(1000, 1000) == 1
