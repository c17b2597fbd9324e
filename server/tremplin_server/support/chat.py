"""The chat of a support session: what people say, and what happened in between."""

from __future__ import annotations

from sqlalchemy import Select, select

from tremplin_server.db import Work
from tremplin_server.errors import Invalid
from tremplin_server.support.models import Author, SupportMessage, SupportSession

MAX_TEXT = 2000

EVENTS = (
    "arrived", "away", "back", "taken", "asked", "granted", "refused", "withdrawn", "joined",
    "left", "transferred", "terminal", "files", "raise_asked", "raise_refused", "elevated",
    "pin_asked", "pinned", "pin_failed", "ended",
)  # fmt: skip
"""The codes of what happens; pages and clients have words for them."""


def add(work: Work, session: SupportSession, kind: Author, author: str, text: str) -> None:
    """Add a line and let everybody look. Raises Invalid for a text that is empty or too long."""
    text = text.strip()
    if not text:
        raise Invalid({"text": ["Missing data for required field."]})
    if len(text) > MAX_TEXT:
        raise Invalid({"text": [f"Longer than maximum length {MAX_TEXT}."]})
    work.session.add(
        SupportMessage(
            support_id=session.id, at=work.now(), kind=kind, author=author[:255], text=text
        )
    )
    work.session.flush()
    changed(work, session)


def add_line(work: Work, session: SupportSession, text: str) -> None:
    """Add what the actor, a technician, says."""
    add(work, session, Author.TECHNICIAN, work.actor.name, text)


def event(work: Work, session: SupportSession, what: str, who: str = "") -> None:
    """Add that something happened. what: one of EVENTS."""
    assert what in EVENTS, "pages and clients have words for what is listed"
    add(work, session, Author.EVENT, who, what)


def lines(session_id: int) -> Select[SupportMessage]:
    """Return the lines of a session, oldest first."""
    found = select(SupportMessage).where(SupportMessage.support_id == session_id)
    return found.order_by(SupportMessage.id)


def changed(work: Work, session: SupportSession) -> None:
    """Let pages, and the worker with the customer's channel, look at a session again."""
    work.notify("support.changed", support_id=session.id)
