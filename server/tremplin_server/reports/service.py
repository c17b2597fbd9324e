"""The rows of the reports, each narrowed to what the actor sees, and their CSV."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, select

from tremplin_server.audit import service as audit
from tremplin_server.audit.models import AuditEvent
from tremplin_server.clock import rfc3339
from tremplin_server.db import Work
from tremplin_server.errors import Invalid
from tremplin_server.installers import service as installers
from tremplin_server.installers.models import Installer, InstallerUse
from tremplin_server.permissions import Permission
from tremplin_server.sessions import listing
from tremplin_server.sessions.models import JumpSession

KINDS = ("sessions", "clients", "deployments", "audit")
MOST_DAYS = 366
MOST_ROWS = 50_000
"""Of one file; a longer span is told in several."""
HEADS = {
    "sessions": ("when", "who", "client", "way", "state", "ended", "reason", "from"),
    "clients": ("when", "who", "action", "client", "reason", "detail", "from"),
    "deployments": ("when", "host", "installer", "result", "client", "from"),
    "audit": ("when", "who", "action", "subject", "reason", "detail", "from"),
}
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` to `last`, both included, UTC."""

    first: date
    last: date

    @property
    def begin(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last, time(), UTC) + timedelta(days=1)

    def days(self) -> list[date]:
        """Return each day."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


def span(first: str, last: str, today: date) -> Span:
    """Return the span between two days as `2026-11-23`; the last 30 days when both are empty.

    Raises Invalid when one is no day, they are the wrong way round or too far apart.
    """
    try:
        end = date.fromisoformat(last) if last else today
        begin = date.fromisoformat(first) if first else end - timedelta(days=29)
    except (ValueError, OverflowError) as error:
        raise Invalid({"first": ["Not a day of the form 2026-11-23."]}) from error
    if not 0 <= (end - begin).days < MOST_DAYS or begin.year < 1970 or end.year > 9000:
        raise Invalid({"first": [f"A span of 1 to {MOST_DAYS} days is needed."]})
    return Span(begin, end)


def kinds(work: Work) -> list[str]:
    """Return the reports that the actor may see."""
    needs = {
        "sessions": Permission.SESSIONS_READ,
        "clients": Permission.AUDIT_READ,
        "deployments": Permission.INSTALLERS_READ,
        "audit": Permission.AUDIT_READ,
    }
    return [kind for kind in KINDS if work.actor.may(needs[kind])]


def query(work: Work, kind: str, within: Span) -> Select[Any]:
    """Return the rows of a report, newest first, for `cells`; Denied without the right."""
    if kind == "sessions":
        return _within(listing.query(work), JumpSession.created_at, within)
    if kind == "deployments":
        seen = installers.query(work).with_only_columns(Installer.id).order_by(None)
        uses = select(InstallerUse).where(InstallerUse.installer_id.in_(seen))
        return _within(uses, InstallerUse.at, within).order_by(InstallerUse.id.desc())
    events = audit.events(work, subject_kind="client" if kind == "clients" else None)
    return _within(events, AuditEvent.at, within)


def _within(found: Select[Any], column: Any, within: Span) -> Select[Any]:
    return found.where(column >= within.begin, column < within.end)


def cells(row: Any) -> tuple[str, ...]:
    """Return the texts of a row under the HEADS of its report."""
    if isinstance(row, JumpSession):
        told = (row.actor, row.client_name, row.front, row.state, rfc3339(row.ended_at) or "")
        return (rfc3339(row.created_at) or "", *map(str, told), row.reason, row.technician_ip)
    if isinstance(row, InstallerUse):
        result, client = row.code or "enrolled", str(row.client_id or "")
        at = rfc3339(row.at) or ""
        return (at, row.hostname, str(row.installer_id), result, client, row.public_ip)
    subject = row.subject_name or f"{row.subject_kind} {row.subject_id}"
    detail = json.dumps(row.detail, ensure_ascii=False) if row.detail else ""
    at = rfc3339(row.at) or ""
    return (at, row.actor_name, row.action, subject, row.reason, detail, row.source_ip)


def per_day(work: Work, kind: str, within: Span) -> list[tuple[date, int]]:
    """Return how many rows each day of the span has."""
    rows = query(work, kind, within).order_by(None)
    column = rows.subquery().c["created_at" if kind == "sessions" else "at"]
    counts = Counter(moment.date() for moment in work.session.scalars(select(column)))
    return [(day, counts[day]) for day in within.days()]


def as_csv(work: Work, kind: str, within: Span) -> str:
    """Return a report as CSV with a byte order mark; its newest MOST_ROWS rows."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADS[kind])
    for row in work.session.scalars(query(work, kind, within).limit(MOST_ROWS)):
        writer.writerow(harmless(cells(row)))
    return "\ufeff" + out.getvalue()


def harmless(texts: Sequence[str]) -> list[str]:
    """Return cells that no spreadsheet takes for a formula (CWE-1236)."""
    return [f"'{text}" if text.lstrip(" ").startswith(_RISKY) else text for text in texts]
