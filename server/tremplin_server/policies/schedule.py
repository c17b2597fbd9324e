"""When a Jump Policy opens: spans of a week by the clocks of one time zone. Pure.

Two entries may touch or overlap, and one may run over midnight or over the end of the week:
what counts is the moments that they cover together. When clocks are put forward or back, a
span is never shorter than a clock on the wall says: an end that the clock shows twice is the
later one, a start the earlier one, and what the clock leaves out is the moment of the change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEK = timedelta(days=7)
MAX_ENTRIES = 100
_DAY_MINUTES = 24 * 60
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_WEEKS = range(-2, 4)
"""Around a moment. A span lasts a week at most; those ahead are for the next opening, where
a change of the clocks may leave nothing of the nearest one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A span of the week, from its start to before its end. Minutes are since Monday 00:00.

    An end that is not after the start is one of the next week; the same moment is the
    whole week.
    """

    start: int
    end: int

    @property
    def minutes(self) -> int:
        """How long the span is by the clock: 1 to 7 days."""
        length = self.end - self.start
        return length if length > 0 else length + 7 * _DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Schedule:
    """The spans of a week, in a time zone. Without a span it is never open."""

    entries: tuple[Entry, ...]
    zone: tzinfo

    def is_open(self, moment: datetime) -> bool:
        """Return whether a session may start at `moment`."""
        return any(start <= moment < end for start, end in self._spans(moment))

    def closes_at(self, moment: datetime) -> datetime | None:
        """Return when the opening that `moment` is in ends.

        None when it is not open then, or does not close within a week.
        """
        spans = sorted(self._spans(moment))
        if not any(start <= moment < end for start, end in spans):
            return None
        until = moment
        for start, end in spans:
            if start <= until < end:
                until = end
        return None if until - moment > WEEK else until

    def opens_at(self, moment: datetime) -> datetime | None:
        """Return when it opens next after `moment`; None when it is open, or never opens."""
        if self.is_open(moment):
            return None
        return min((start for start, _end in self._spans(moment) if start > moment), default=None)

    def _spans(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield start and end of every span near `moment`, in UTC, without empty ones."""
        local = moment.astimezone(self.zone)
        monday = datetime(local.year, local.month, local.day) - timedelta(days=local.weekday())
        for entry in self.entries:
            for week in _WEEKS:
                first = monday + week * WEEK + timedelta(minutes=entry.start)
                last = first + timedelta(minutes=entry.minutes)
                start, end = _moment(first, self.zone), _moment(last, self.zone, late=True)
                if start < end:
                    yield start, end


def _moment(wall: datetime, zone: tzinfo, *, late: bool = False) -> datetime:
    """Return the moment, in UTC, at which a clock in `zone` shows `wall`.

    late: of two, take the later. A time that the clock leaves out is the moment of the change.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return second if late else first
    # In a gap, the offset from before the change leads behind it and the other way round.
    before, after = second, first
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


# --- as the API has it ----------------------------------------------------------------


def zone_named(name: str) -> tzinfo | None:
    """Return the IANA time zone of that name, or None when this machine knows none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None


def entry_of(values: Mapping[str, object]) -> Entry:
    """Return the span of start_day, start_time, end_day and end_time; ValueError if damaged."""
    return Entry(
        _minutes(values.get("start_day"), values.get("start_time")),
        _minutes(values.get("end_day"), values.get("end_time")),
    )


def is_time(text: str) -> bool:
    """Return whether `text` is a time of day, 00:00 to 23:59."""
    return _TIME.fullmatch(text) is not None


def _minutes(day: object, time: object) -> int:
    found = _TIME.fullmatch(str(time))
    if not isinstance(day, int) or not 0 <= day <= 6 or found is None:
        raise ValueError("not a day and a time of the week")
    return day * _DAY_MINUTES + int(found[1]) * 60 + int(found[2])
