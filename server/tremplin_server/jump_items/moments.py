"""Reading a day out of a search: `2026`, `2026-11`, `23/11/2026`, `2026-11-23 14:05`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[ T](\d{1,2})(?::(\d{2}))?)?)?)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})")


def span(phrase: str) -> tuple[datetime, datetime] | None:
    """Return start and end (exclusive), UTC, of the time that `phrase` names; None if none."""
    try:
        return _span(phrase.strip())
    except (ValueError, OverflowError):
        return None


def _span(phrase: str) -> tuple[datetime, datetime] | None:
    day_first = _DAY_FIRST.fullmatch(phrase)
    if day_first:
        start = datetime(int(day_first[3]), int(day_first[2]), int(day_first[1]), tzinfo=UTC)
        return start, start + timedelta(days=1)
    iso = _ISO.fullmatch(phrase)
    if not iso:
        return None
    year = int(iso[1])
    month, day, hour, minute = (int(part) if part else None for part in iso.groups()[1:])
    start = datetime(year, month or 1, day or 1, hour or 0, minute or 0, tzinfo=UTC)
    if minute is not None:
        return start, start + timedelta(minutes=1)
    if hour is not None:
        return start, start + timedelta(hours=1)
    if day is not None:
        return start, start + timedelta(days=1)
    if month is not None:
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return start, datetime(year + 1, 1, 1, tzinfo=UTC)
