"""Who is told of a session that a Jump Policy watches: the technician, and others by e-mail."""

from __future__ import annotations

from html import escape
from typing import Any

from tremplin_server.db import Work
from tremplin_server.error_texts.policies import sentence
from tremplin_server.errors import TremplinError
from tremplin_server.mail import service as mail
from tremplin_server.mail.service import Letter
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.policies.rules import WARN_SECONDS
from tremplin_server.sessions.models import JumpSession

_STARTED = (
    "Tremplin: {technician} has started a session on {host}",
    "Tremplin : {technician} a démarré une session sur {host}",
)
_ENDED = (
    "Tremplin: the session of {technician} on {host} has ended",
    "Tremplin : la session de {technician} sur {host} est terminée",
)
_LINES = (
    ("Session: {id}", "Session : {id}"),
    ("Started: {created_at}", "Début : {created_at}"),
    ("From: {ip}", "Depuis : {ip}"),
    ("Reason: {reason}", "Motif : {reason}"),
    ("Ticket: {ticket}", "Ticket : {ticket}"),
    ("Jump Policy: {policy}", "Jump Policy : {policy}"),
    ("Ended: {ended_at} ({code})", "Fin : {ended_at} ({code})"),
)


def warning(session: JumpSession, language: str) -> dict[str, Any]:
    """Return the fields of the terms that let the host warn before the end, with a policy."""
    lasts = (session.expires_at - session.created_at).total_seconds()
    seconds = int(min(WARN_SECONDS, lasts / 2))
    if session.jump_policy_id is None or seconds < 1:
        return {}
    why = TremplinError(session.limit_code).text(language)
    minutes = max(1, round(seconds / 60))
    text = sentence("warning", language, minutes=minutes, why=why)
    return {"warn_seconds": seconds, "warning": text}


def started(work: Work, session: JumpSession) -> None:
    """Tell whom the policy names that a session starts."""
    _tell(work, session, _STARTED)


def ended(work: Work, session: JumpSession) -> None:
    """Tell whom the policy names that a session has ended."""
    _tell(work, session, _ENDED)


def _tell(work: Work, session: JumpSession, subject: tuple[str, str]) -> None:
    number = session.jump_policy_id
    policy = work.session.get(JumpPolicy, number) if number is not None else None
    if policy is None or not policy.notify_recipients or not work.config.smtp_host:
        return
    recipients = mail.addresses(policy.notify_recipients)
    text = letter(session, subject, policy.display_name, work.config.language)
    mail.queue(work, text, recipients, "client", session.client_id or 0, session.client_name)


def letter(session: JumpSession, subject: tuple[str, str], policy: str, language: str) -> Letter:
    """Return what the addresses of a policy are written, in the language of the site."""
    french = language.startswith("fr")
    values = {
        "technician": session.actor,
        "host": session.client_name,
        "id": session.id,
        "created_at": f"{session.created_at:%Y-%m-%d %H:%M} UTC",
        "ended_at": f"{session.ended_at:%Y-%m-%d %H:%M} UTC" if session.ended_at else "",
        "ip": session.technician_ip,
        "reason": session.reason,
        "ticket": session.ticket_id,
        "policy": policy,
        "code": session.end_code,
    }
    empty = {name for name, value in values.items() if not value}
    lines = [
        line[french].format(**values)
        for line in _LINES
        if not any(f"{{{name}}}" in line[0] for name in empty)
    ]
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    page = f'<!doctype html><html lang="{"fr" if french else "en"}"><body>{body}</body></html>'
    return Letter(subject[french].format(**values), "\n".join(lines) + "\n", page)
