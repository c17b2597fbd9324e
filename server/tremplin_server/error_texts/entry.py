"""What the catalogue says of one error."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the texts are `str.format` templates over the error's parameters."""

    status: int
    exit_status: int
    en: str
    fr: str
