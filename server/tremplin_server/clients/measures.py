"""The statistics of a host as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import format_decimal, format_timedelta

from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import language

_STEPS = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


@dataclass(frozen=True, slots=True)
class Measure:
    """A share of something that can be full. percent: 0 to 100."""

    label: str
    percent: int
    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A value in words."""

    label: str
    text: str


def measures(values: Mapping[str, Any]) -> list[Measure]:
    """Return what can be full, those only that the host has told."""
    made = []
    if "cpu_percent" in values:
        percent = _percent(values["cpu_percent"], 100)
        made.append(Measure(_("Processor"), percent, f"{percent} %"))
    for label, name in ((_("Memory"), "memory"), (_("Disk"), "disk")):
        used, total = values.get(f"{name}_used_bytes"), values.get(f"{name}_total_bytes")
        if used is not None and total:
            text = _("%(used)s of %(total)s", used=_bytes(used), total=_bytes(total))
            made.append(Measure(label, _percent(used, total), text))
    return made


def figures(values: Mapping[str, Any]) -> list[Figure]:
    """Return the other values, those only that the host has told."""
    made = []
    if "cpu_count" in values:
        made.append(Figure(_("Processors"), str(values["cpu_count"])))
    if "uptime_seconds" in values:
        span = timedelta(seconds=int(values["uptime_seconds"]))
        made.append(Figure(_("Running for"), format_timedelta(span, threshold=2)))
    return made


def _percent(part: float, whole: float) -> int:
    return min(100, max(0, round(100 * part / whole)))


def _bytes(number: float) -> str:
    for unit, size in _STEPS:
        if number >= size:
            return f"{format_decimal(round(number / size, 1))} {_unit(unit)}"
    return f"{format_decimal(int(number))} {_unit('B')}"


def _unit(name: str) -> str:
    return name.replace("B", "o") if language() == "fr" else name
