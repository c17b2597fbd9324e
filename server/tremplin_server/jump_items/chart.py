"""The small chart of a host's day: lines for processor, memory and disk, as points of an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tremplin_server.clients.history import SLOT_SECONDS, Sample
from tremplin_server.i18n import gettext as _

WIDTH, HEIGHT = 320, 72
_DAY = timedelta(days=1)
_GAP = timedelta(seconds=SLOT_SECONDS * 4.5)
"""Between samples that are further apart the host was away: the line is broken there."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure over the day. paths: the `points` of each unbroken part; now: in percent."""

    code: str
    label: str
    paths: list[str]
    now: int
    least: int
    most: int


def lines(samples: Sequence[Sample], now: datetime) -> list[Line]:
    """Return the lines of the figures that a host has told at least twice in the last day."""
    labels = (("processor", _("Processor")), ("memory", _("Memory")), ("disk", _("Disk")))
    made = []
    for code, label in labels:
        told = [(s.at, value) for s in samples if (value := getattr(s, code)) is not None]
        if len(told) > 1:
            values = [value for _at, value in told]
            paths = _paths(told, now - _DAY)
            made.append(Line(code, label, paths, values[-1], min(values), max(values)))
    return made


def _paths(told: Sequence[tuple[datetime, int]], start: datetime) -> list[str]:
    parts: list[list[str]] = []
    before: datetime | None = None
    for at, value in told:
        if before is None or at - before > _GAP:
            parts.append([])
        x = max(0.0, (at - start) / _DAY) * WIDTH
        parts[-1].append(f"{x:.1f},{(100 - value) * HEIGHT / 100:.1f}")
        before = at
    # A part of one sample would be no line.
    return [" ".join(part if len(part) > 1 else part * 2) for part in parts]
