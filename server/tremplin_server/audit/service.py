"""Adding to the audit log and reading it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from tremplin_server.audit.models import AuditEvent
from tremplin_server.db import Work
from tremplin_server.permissions import Permission


def record(
    work: Work,
    action: str,
    subject_kind: str,
    subject_id: int,
    subject_name: str = "",
    *,
    reason: str = "",
    **detail: Any,
) -> None:
    """Add an event by the work's actor, in the same transaction as what it tells of.

    action: `<thing>.<verb>`, such as `client.deleted`. detail: JSON values, no secrets.
    """
    work.session.add(
        AuditEvent(
            at=work.now(),
            actor_kind=work.actor.kind.value,
            actor_id=work.actor.id,
            actor_name=work.actor.name,
            source_ip=work.actor.source_ip,
            action=action,
            subject_kind=subject_kind,
            subject_id=subject_id,
            subject_name=subject_name,
            reason=reason,
            detail=detail,
        )
    )


def events(
    work: Work,
    *,
    action: str | None = None,
    actor_name: str | None = None,
    subject_kind: str | None = None,
    subject_id: int | None = None,
) -> Select[AuditEvent]:
    """Return the query of the events that match, newest first; needs audit.read."""
    work.actor.require(Permission.AUDIT_READ)
    query = select(AuditEvent).order_by(AuditEvent.id.desc())
    wanted = {
        AuditEvent.action: action,
        AuditEvent.actor_name: actor_name,
        AuditEvent.subject_kind: subject_kind,
        AuditEvent.subject_id: subject_id,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    return query
