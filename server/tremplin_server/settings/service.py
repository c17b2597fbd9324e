"""Which settings there are, and changing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tremplin_server.audit import service as audit
from tremplin_server.config import form_of, least, most
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid
from tremplin_server.permissions import Permission
from tremplin_server.settings.models import Setting

NUMBERS = (
    "lost_days",
    "delete_days",
    "statistics_seconds",
    "limit_clients",
    "limit_active_clients",
    "limit_technicians",
    "update_concurrent",
    "update_bandwidth",
    "session_starts_at_once",
)
CHOICES = {
    "uninstalled_records": ("keep", "remove"),
    "update_mode": ("off", "this_version", "always"),
}
TEXTS = ("update_version", "update_days", "update_from", "update_until", "update_zone")
NAMES = (*NUMBERS, *CHOICES, *TEXTS)


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as it is now. fixed: the configuration states it, so no page changes it."""

    name: str
    value: int | str
    fixed: bool


def settings(work: Work, fixed: frozenset[str]) -> list[Shown]:
    """Return the settings; needs accounts.read."""
    work.actor.require(Permission.ACCOUNTS_READ)
    return [Shown(name, getattr(work.config, name), name in fixed) for name in NAMES]


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
    if name in TEXTS:
        return None if form_of(name, text) else text
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
            wrong[name] = [_what_it_takes(name, str(value))]
    if wrong:
        raise Invalid(wrong)


def _what_it_takes(name: str, value: str) -> str:
    if name in CHOICES:
        return f"Must be one of: {', '.join(CHOICES[name])}."
    return f"Takes {form_of(name, value)}." if name in TEXTS else f"Must be at least {least(name)}."
