"""Queueing messages, and what becomes of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import Select, select

from tremplin_server import sealing
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid
from tremplin_server.mail.models import Mail

MOST_RECIPIENTS = 100
BATCH = 20
LEASE = timedelta(minutes=5)
"""How long a worker has for an attempt; afterwards another one tries."""
DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
"""Between the attempts; after the last one the message is given up."""

_PURPOSE = "tremplin mail v1"
_ADDRESS = re.compile(r"[^@\s,;<>\"()\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,253}")
_MAX_ERROR = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """What a message says, as text and as HTML."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is due, for whoever carries it to the mail server."""

    id: int
    recipient: str
    letter: Letter


def addresses(text: str) -> list[str]:
    """Return the addresses in `text`, once each: separated by commas, semicolons or spaces.

    Raises Invalid (recipients) when there is none, one is wrong or there are too many.
    """
    found = list(dict.fromkeys(word for word in re.split(r"[\s,;]+", text) if word))
    wrong = [word for word in found if not _ADDRESS.fullmatch(word)]
    if wrong:
        raise Invalid({"recipients": [f"Not a valid address: {word[:80]}" for word in wrong[:5]]})
    if not found:
        raise Invalid({"recipients": ["Missing data for required field."]})
    if len(found) > MOST_RECIPIENTS:
        raise Invalid({"recipients": [f"At most {MOST_RECIPIENTS} addresses at once."]})
    return found


def queue(
    work: Work, letter: Letter, recipients: Iterable[str], kind: str, number: int, name: str
) -> list[Mail]:
    """Let `letter` be sent to each recipient by itself, soon.

    kind, number, name: what it is about, for the audit log. Who may is the caller's to
    check. Raises Conflict (mail.off) when the site has no mail server.
    """
    if not work.config.smtp_host:
        raise Conflict("mail.off")
    body = json.dumps(asdict(letter)).encode()
    made = [
        Mail(
            recipient=recipient,
            subject_kind=kind,
            subject_id=number,
            sealed=sealing.seal(work.config, _PURPOSE, recipient, body),
            created_at=work.now(),
            created_by=work.actor.name,
            attempts=0,
            next_at=work.now(),
            error="",
        )
        for recipient in recipients
    ]
    work.session.add_all(made)
    work.session.flush()
    told = [mail.recipient for mail in made]
    audit.record(work, "mail.queued", kind, number, name, recipients=told)
    return made


def about(kind: str, number: int) -> Select[Mail]:
    """Return the messages about one thing, newest first; who may see it may see them."""
    query = select(Mail).where(Mail.subject_kind == kind, Mail.subject_id == number)
    return query.order_by(Mail.id.desc())


# --- sending: for the gateway ---------------------------------------------------------


def claim(work: Work) -> list[Outgoing]:
    """Return messages that are due; for a while no other worker gets them."""
    due = select(Mail).where(Mail.next_at <= work.now()).order_by(Mail.next_at).limit(BATCH)
    found = []
    for mail in work.session.scalars(due.with_for_update(skip_locked=True)).all():
        mail.attempts += 1
        mail.next_at = work.now() + LEASE
        try:
            body = sealing.unseal(work.config, _PURPOSE, mail.recipient, mail.sealed or b"")
        except sealing.Unreadable:
            _over(mail, "the site's secret_key was changed")
            continue
        found.append(Outgoing(mail.id, mail.recipient, Letter(**json.loads(body))))
    work.session.flush()
    return found


def sent(work: Work, number: int) -> None:
    """Note that the mail server took a message."""
    mail = work.session.get(Mail, number)
    if mail is not None:
        mail.sent_at = work.now()
        _over(mail, "")


def failed(work: Work, number: int, error: str, *, for_good: bool) -> None:
    """Note that an attempt failed; it is tried again unless that makes no sense."""
    mail = work.session.get(Mail, number)
    if mail is None:
        return
    if for_good or mail.attempts > len(DELAYS):
        _over(mail, error)
        audit.record(
            work, "mail.failed", mail.subject_kind, mail.subject_id, mail.recipient, reason=error
        )
    else:
        mail.error = error[:_MAX_ERROR]
        mail.next_at = work.now() + DELAYS[mail.attempts - 1]


def _over(mail: Mail, error: str) -> None:
    mail.error, mail.next_at, mail.sealed = error[:_MAX_ERROR], None, None
