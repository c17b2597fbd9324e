"""Which settings there are, and changing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tremplin_server.audit import service as audit
from tremplin_server.config import Config, least, most
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid
from tremplin_server.permissions import Permission
from tremplin_server.settings.models import Setting

NUMBERS = (
    "lost_days",
    "delete_days",
    "statistics_seconds",
    "check_in_seconds",
    "wake_port",
    "limit_clients",
    "limit_active_clients",
    "limit_technicians",
    "session_starts_at_once",
)
CHOICES = {"uninstalled_records": ("keep", "remove")}
NAMES = (*NUMBERS, *CHOICES)


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as it is now. fixed: the configuration states it, so no page changes it.

    source: `file` or `environment` when it is fixed, else `database` or `default`.
    """

    name: str
    value: int | str
    fixed: bool
    source: str
    default: int | str


def settings(
    work: Work, fixed: frozenset[str], origins: Mapping[str, str] | None = None
) -> list[Shown]:
    """Return the settings; needs accounts.read. origins: which of file and environment states."""
    work.actor.require(Permission.ACCOUNTS_READ)
    usual = Config()
    kept = {
        row.name
        for row in work.session.scalars(select(Setting))
        if row.name in NAMES and parsed(row.name, row.value) is not None
    }

    def source(name: str) -> str:
        if name in fixed:
            return (origins or {}).get(name, "file")
        return "database" if name in kept else "default"

    return [
        Shown(name, getattr(work.config, name), name in fixed, source(name), getattr(usual, name))
        for name in NAMES
    ]


def change(work: Work, values: Mapping[str, Any], fixed: frozenset[str]) -> None:
    """Change settings; needs accounts.write. The same values again change nothing.

    Raises Invalid, and Conflict (setting.fixed) for one that the configuration states.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    _require_good(values)
    for name, value in values.items():
        before = getattr(work.config, name)
        if value == before:
            continue
        if name in fixed:
            raise Conflict("setting.fixed", name=name)
        row = work.session.get(Setting, name)
        if row is None:
            row = Setting(name=name, value="", changed_at=work.now(), changed_by="")
            work.session.add(row)
        row.value, row.changed_at, row.changed_by = str(value), work.now(), work.actor.name
        audit.record(work, "setting.changed", "setting", 0, name, before=before, now=value)
    work.session.flush()


def parsed(name: str, text: str) -> int | str | None:
    """Return the value that is kept as `text`; None when this version takes no such one."""
    if name in CHOICES:
        return text if text in CHOICES[name] else None
    if name not in NUMBERS or not text.isdecimal():
        return None
    number = int(text)
    return number if least(name) <= number <= most(name) else None


def _require_good(values: Mapping[str, Any]) -> None:
    wrong: dict[str, list[str]] = {}
    for name, value in values.items():
        if name not in NAMES:
            wrong[name] = ["Unknown field."]
        elif parsed(name, str(value)) is None:
            wrong[name] = (
                [f"Must be one of: {', '.join(CHOICES[name])}."]
                if name in CHOICES
                else [_bounds(name, str(value))]
            )
    if wrong:
        raise Invalid(wrong)


def _bounds(name: str, text: str) -> str:
    too_much = text.isdecimal() and int(text) > most(name)
    return f"Must be at most {most(name)}." if too_much else f"Must be at least {least(name)}."
