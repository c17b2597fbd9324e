"""A measured figure beside what it should reach, and the table of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median

from rich.console import Console
from rich.table import Table


class Better(StrEnum):
    """Which way a figure is good."""

    LESS = "less"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Target:
    """What to reach, and what the best-known peer reached on this kind of machine."""

    value: float
    unit: str
    better: Better = Better.LESS
    peer: str = ""

    def met_by(self, value: float) -> bool:
        """Return whether `value` reaches the target."""
        return value <= self.value if self.better is Better.LESS else value >= self.value

    def __str__(self) -> str:
        sign = "≤" if self.better is Better.LESS else "≥"
        return f"{sign} {self.value:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the result. note: how it was measured, or why it is missing (value None)."""

    bench: str
    what: str
    value: float | None
    target: Target | None = None
    note: str = ""
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None when nothing was measured or asked for."""
        if self.target is None or self.value is None:
            return None
        return self.target.met_by(self.value)

    @property
    def shown(self) -> str:
        """The value with its unit."""
        if self.value is None:
            return "–"
        unit = self.target.unit if self.target else self.unit
        digits = 0 if abs(self.value) >= 100 else 1 if abs(self.value) >= 10 else 2
        return f"{self.value:,.{digits}f} {unit}".strip()


def spread(values: Sequence[float]) -> str:
    """Return the range of several measurements, for a note; the median is the figure."""
    return f"median of {len(values)}, {min(values):.2f}–{max(values):.2f}"


def middle(values: Sequence[float]) -> float | None:
    """Return the median, or None of nothing."""
    return median(values) if values else None


def as_json(figures: Sequence[Figure]) -> str:
    """Return the figures as a JSON array."""
    rows = [asdict(figure) | {"met": figure.met} for figure in figures]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the table: figure, target, met, the peer's figure."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("bench", "figure", "measured", "target", "met", "peer", "how"):
        right = heading in ("measured", "target")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    words = {True: "[green]yes[/]", False: "[red]no[/]", None: "–"}
    for figure in figures:
        target = figure.target
        table.add_row(
            figure.bench,
            figure.what,
            figure.shown,
            str(target) if target else "–",
            words[figure.met],
            (target.peer if target else "") or "–",
            figure.note,
        )
    console.print(table)
