"""The schedule of a Jump Policy, held against clocks on walls, changes of the clocks included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_server.policies.schedule import (
    WEEK,
    Entry,
    Schedule,
    entry_of,
    is_time,
    zone_named,
)

PARIS = ZoneInfo("Europe/Paris")
WEEK_MINUTES = 7 * 24 * 60
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Paris",
        "America/New_York",
        "Asia/Kathmandu",
        "UTC",
        "Australia/Lord_Howe",
        "America/Santiago",
    )
]
moments = st.datetimes(
    datetime(2024, 1, 1),
    datetime(2031, 1, 1),
    timezones=st.just(UTC),
)
minutes = st.integers(0, WEEK_MINUTES - 1)
entries = st.lists(st.builds(Entry, minutes, minutes), max_size=4).map(tuple)


def weekday(day: int, start: str, end: str, *, last: int | None = None) -> Entry:
    end_day = day if last is None else last
    return entry_of({"start_day": day, "start_time": start, "end_day": end_day, "end_time": end})


def at(text: str, zone: ZoneInfo = PARIS, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def on_the_wall(schedule: Schedule, moment: datetime) -> bool:
    """Return whether a clock in the zone shows a time within an entry."""
    local = moment.astimezone(schedule.zone)
    now = local.weekday() * 1440 + local.hour * 60 + local.minute
    return any((now - entry.start) % WEEK_MINUTES < entry.minutes for entry in schedule.entries)


def clocks_change_near(schedule: Schedule, moment: datetime) -> bool:
    """Return whether the offset changes within the longest entry around `moment`."""
    offsets = {
        (moment + timedelta(hours=hours)).astimezone(schedule.zone).utcoffset()
        for hours in range(-26, 27, 2)
    }
    return len(offsets) > 1


WORK = Schedule(tuple(weekday(day, "08:00", "18:00") for day in range(5)), PARIS)


@pytest.mark.parametrize(
    ("moment", "opens", "closes"),
    [
        ("2026-11-30T07:59:59", "2026-11-30T08:00", None),
        ("2026-11-30T08:00", None, "2026-11-30T18:00"),
        ("2026-11-30T17:59:59", None, "2026-11-30T18:00"),
        ("2026-11-30T18:00", "2026-12-01T08:00", None),
        ("2026-11-27T18:00", "2026-11-30T08:00", None),
        ("2026-11-29T12:00", "2026-11-30T08:00", None),
    ],
)
def test_working_hours(moment: str, opens: str | None, closes: str | None) -> None:
    assert WORK.opens_at(at(moment)) == (at(opens) if opens else None)
    assert WORK.closes_at(at(moment)) == (at(closes) if closes else None)
    assert WORK.is_open(at(moment)) == (closes is not None)


def test_an_entry_may_run_over_midnight_and_over_the_end_of_the_week() -> None:
    night = Schedule((weekday(6, "22:00", "06:00", last=0),), PARIS)
    for moment in ("2026-11-29T22:00", "2026-11-30T00:00", "2026-11-30T05:59"):
        assert night.is_open(at(moment))
        assert night.closes_at(at(moment)) == at("2026-11-30T06:00")
    assert not night.is_open(at("2026-11-30T06:00"))


def test_entries_that_touch_close_at_the_end_of_the_last() -> None:
    both = Schedule(
        (
            weekday(0, "08:00", "12:00"),
            weekday(0, "12:00", "00:00", last=1),
            weekday(1, "00:00", "03:00"),
        ),
        PARIS,
    )
    assert both.closes_at(at("2026-11-30T09:00")) == at("2026-12-01T03:00")


def test_the_whole_week_never_closes_and_nothing_never_opens() -> None:
    whole = Schedule((Entry(0, 0),), PARIS)
    now = at("2026-11-30T09:00")
    assert (whole.is_open(now), whole.closes_at(now), whole.opens_at(now)) == (True, None, None)
    nothing = Schedule((), PARIS)
    assert (nothing.is_open(now), nothing.opens_at(now)) == (False, None)


def test_when_clocks_go_forward() -> None:
    """2026-03-29 in Paris, a Sunday: 02:00 becomes 03:00."""
    over = Schedule((weekday(6, "01:30", "03:30"),), PARIS)
    assert over.closes_at(at("2026-03-29T01:45")) == at("2026-03-29T03:30")
    assert at("2026-03-29T03:30") - at("2026-03-29T01:30") == timedelta(hours=1)
    # An hour that no clock shows is no opening; the next one is a week later.
    inside = Schedule((weekday(6, "02:15", "02:45"),), PARIS)
    assert inside.opens_at(at("2026-03-29T01:00")) == at("2026-04-05T02:15")
    # A start that no clock shows is the moment of the change.
    late = Schedule((weekday(6, "02:30", "05:00"),), PARIS)
    assert late.opens_at(at("2026-03-29T00:00")) == at("2026-03-29T03:00")


def test_when_clocks_go_back() -> None:
    """2026-10-25 in Paris, a Sunday: 03:00 becomes 02:00."""
    until = Schedule((weekday(6, "01:00", "02:30"),), PARIS)
    first, second = at("2026-10-25T02:30"), at("2026-10-25T02:30", fold=1)
    assert second - first == timedelta(hours=1)
    assert until.closes_at(at("2026-10-25T01:00")) == second
    after = Schedule((weekday(6, "02:30", "05:00"),), PARIS)
    assert after.opens_at(at("2026-10-25T01:00")) == first


@given(st.sampled_from(ZONES), entries, moments)
def test_it_is_open_when_the_clock_says_so(
    zone: ZoneInfo, rows: tuple[Entry, ...], moment: datetime
) -> None:
    schedule = Schedule(rows, zone)
    if on_the_wall(schedule, moment):
        assert schedule.is_open(moment)
    elif not clocks_change_near(schedule, moment):
        assert not schedule.is_open(moment)


@given(st.sampled_from(ZONES), entries, moments)
def test_what_it_foretells_comes_true(
    zone: ZoneInfo, rows: tuple[Entry, ...], moment: datetime
) -> None:
    schedule = Schedule(rows, zone)
    closes, opens = schedule.closes_at(moment), schedule.opens_at(moment)
    if closes is not None:
        assert opens is None
        assert moment < closes <= moment + WEEK
        assert not schedule.is_open(closes)
        middle = moment + (closes - moment) / 2
        assert schedule.is_open(middle)
        assert schedule.closes_at(middle) == closes
    if opens is not None:
        assert opens > moment
        assert schedule.is_open(opens)
        assert not schedule.is_open(moment + (opens - moment) / 2)
    if rows and not schedule.is_open(moment):
        assert opens is not None


def test_names_and_times() -> None:
    assert str(zone_named("Europe/Paris")) == "Europe/Paris"
    for name in ("", "Europe", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\0b"):
        assert zone_named(name) is None
    assert is_time("23:59")
    assert not any(map(is_time, ("24:00", "7:00", "07:60", "07:00\n", "٠٧:٠٠")))
    with pytest.raises(ValueError, match="week"):
        entry_of({"start_day": 7, "start_time": "08:00", "end_day": 0, "end_time": "09:00"})
