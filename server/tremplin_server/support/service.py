"""Support sessions as technicians have them: make a key, look at the queue, take, ask, end.

create ──▶ OPEN ──customer comes──▶ WAITING ──take──▶ ASKED ──answer──▶ ACTIVE ──▶ ENDED
                                                             `end` may come at any time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Select, or_, select
from tremplin_agent.wire import Grant, shown_key

from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound
from tremplin_server.permissions import ActorKind, Permission
from tremplin_server.sessions import service as sessions
from tremplin_server.support import chat, keys
from tremplin_server.support.models import (
    MemberState,
    SupportMember,
    SupportPin,
    SupportSession,
    SupportState,
)

DEFAULT_MINUTES, LEAST_MINUTES, MOST_MINUTES = 60, 5, 24 * 60
MAX_REASON = 1024
GRANTS = tuple(grant.value for grant in Grant)


@dataclass(frozen=True, slots=True)
class Created:
    """A new support session and its key, which is told this once, in the form people read."""

    session: SupportSession
    key: str = field(repr=False)
    link: str = field(repr=False)


def create(
    work: Work,
    *,
    valid_minutes: int = DEFAULT_MINUTES,
    reason: str = "",
    wanted: Sequence[str] = GRANTS,
) -> Created:
    """Make a support session and the key that one customer comes in with.

    valid_minutes: how long he may take to come, LEAST_MINUTES to MOST_MINUTES. wanted: what
    he will be asked for (`Grant` values). Needs sessions.start. Raises Invalid.
    """
    work.actor.require(Permission.SESSIONS_START)
    wrong: dict[str, list[str]] = {}
    if not LEAST_MINUTES <= valid_minutes <= MOST_MINUTES:
        bounds = f"Must be from {LEAST_MINUTES} to {MOST_MINUTES}."
        wrong["valid_minutes"] = [bounds]
    if len(reason) > MAX_REASON:
        wrong["reason"] = [f"Longer than maximum length {MAX_REASON}."]
    if not wanted or any(grant not in GRANTS for grant in wanted):
        wrong["permissions"] = [f"Must be one or more of: {', '.join(GRANTS)}."]
    if wrong:
        raise Invalid(wrong)
    person = work.actor.kind is ActorKind.USER
    key = keys.new_key()
    session = SupportSession(
        key_hash=keys.hash_of(work.config, key),
        state=SupportState.OPEN,
        reason=reason.strip(),
        wanted=[grant for grant in GRANTS if grant in wanted],
        granted=[],
        created_at=work.now(),
        created_by=work.actor.name,
        expires_at=work.now() + timedelta(minutes=valid_minutes),
        owner_id=work.actor.id if person else None,
        owner=work.actor.name if person else "",
    )
    work.session.add(session)
    work.session.flush()
    tell(work, session, "support.created", reason=session.reason, permissions=session.wanted)
    chat.changed(work, session)
    link = f"{work.config.effective_public_urls[0]}{keys.LINKS}{shown_key(key)}"
    return Created(session, shown_key(key), link)


# --- looking up -----------------------------------------------------------------------


def query(work: Work, *, state: str | None = None, live: bool = False) -> Select[SupportSession]:
    """Return the support sessions that the actor sees, newest first; needs sessions.read.

    The queue is everybody's: whoever may start sessions sees all that are not over. Past
    ones are seen by who was in them, and by who sees all groups. live: not those.
    """
    work.actor.require(Permission.SESSIONS_READ)
    found = select(SupportSession).order_by(SupportSession.id.desc())
    if state is not None:
        found = found.where(SupportSession.state == state)
    if live:
        found = found.where(SupportSession.state != SupportState.ENDED)
    if work.actor.may(Permission.SEE_ALL_GROUPS):
        return found
    mine = select(SupportMember.support_id).where(SupportMember.user_id == _user(work))
    seen = [SupportSession.id.in_(mine), SupportSession.owner_id == _user(work)]
    if work.actor.may(Permission.SESSIONS_START):
        seen.append(SupportSession.state != SupportState.ENDED)
    return found.where(or_(*seen))


def get(work: Work, support_id: int, *, lock: bool = False) -> SupportSession:
    """Return a support session that the actor sees; NotFound (support.missing) otherwise."""
    found = query(work).where(SupportSession.id == support_id)
    session = work.session.scalar(found.with_for_update() if lock else found)
    if session is None:
        raise NotFound("support.missing", id=support_id)
    return session


def members(work: Work, session: SupportSession) -> list[SupportMember]:
    """Return the technicians that are in a session or invited to it."""
    found = select(SupportMember).where(
        SupportMember.support_id == session.id, SupportMember.state != MemberState.LEFT
    )
    return list(work.session.scalars(found.order_by(SupportMember.since, SupportMember.user_id)))


def member(work: Work, session: SupportSession) -> SupportMember | None:
    """Return the actor's own place in a session."""
    return work.session.get(SupportMember, (session.id, _user(work)))


def is_in(work: Work, session: SupportSession) -> bool:
    """Return whether the actor is in a session now."""
    own = member(work, session)
    return own is not None and own.state == MemberState.IN


def may_read(work: Work, session: SupportSession) -> bool:
    """Return whether the actor may read what was said: who was in it, and who audits."""
    was_in = member(work, session) is not None
    return was_in or work.actor.may(Permission.AUDIT_READ)


def _user(work: Work) -> int:
    return work.actor.id if work.actor.kind is ActorKind.USER else 0


# --- having it ------------------------------------------------------------------------


def inside(work: Work, support_id: int) -> SupportSession:
    """Return a session that the actor is in, locked, which is not over.

    Raises NotFound (support.missing), Denied (support.not_in), Conflict (support.ended).
    """
    work.actor.require(Permission.SESSIONS_START)
    session = get(work, support_id, lock=True)
    if session.state == SupportState.ENDED:
        raise Conflict("support.ended")
    if not is_in(work, session):
        raise Denied("support.not_in")
    return session


def take(work: Work, support_id: int) -> SupportSession:
    """Have a session whose customer waits; he is asked what he allows.

    Raises Conflict: support.no_customer, support.taken, support.ended; and Denied.
    """
    work.actor.require(Permission.SESSIONS_START)
    session = get(work, support_id, lock=True)
    if not _user(work):
        raise Denied("auth.denied", permission="user")
    if session.state == SupportState.ENDED:
        raise Conflict("support.ended")
    if session.state == SupportState.OPEN:
        raise Conflict("support.no_customer")
    if session.state != SupportState.WAITING:
        if session.owner_id == _user(work):
            return session
        raise Conflict("support.taken", technician=session.owner)
    session.owner_id, session.owner = work.actor.id, work.actor.name
    session.taken_at = work.now()
    session.state = SupportState.ASKED
    session.question += 1
    enter(work, session, work.actor.id, work.actor.name, MemberState.IN)
    tell(work, session, "support.taken")
    chat.event(work, session, "taken", work.actor.name)
    return session


def ask(work: Work, support_id: int) -> None:
    """Ask the customer again for everything that the session wants."""
    session = inside(work, support_id)
    _require_there(session)
    session.question += 1
    session.raising = False
    session.state = SupportState.ASKED
    tell(work, session, "support.asked")
    chat.event(work, session, "asked", work.actor.name)


def raise_rights(work: Work, support_id: int) -> None:
    """Ask the customer for the administrator's rights; he types his password on his side."""
    session = inside(work, support_id)
    _require_there(session)
    if session.state != SupportState.ACTIVE:
        raise Conflict("support.no_answer")
    if Grant.ELEVATION.value not in session.granted:
        raise Denied("support.not_granted", what=Grant.ELEVATION.value)
    if session.elevated:
        raise Conflict("support.elevated")
    session.question += 1
    session.raising = True
    tell(work, session, "support.raise_asked")
    chat.event(work, session, "raise_asked", work.actor.name)


def say(work: Work, support_id: int, text: str) -> None:
    """Say something to the customer and to the others who are in."""
    chat.add_line(work, inside(work, support_id), text)


def _require_there(session: SupportSession) -> None:
    if session.state in (SupportState.OPEN, SupportState.WAITING):
        raise Conflict("support.no_customer")
    if session.worker_id is None:
        raise Conflict("support.customer_away")


def enter(
    work: Work, session: SupportSession, user_id: int, name: str, state: MemberState
) -> SupportMember:
    """Give a technician a place in a session, or change the one that he has."""
    known = work.session.get(SupportMember, (session.id, user_id))
    if known is None:
        known = SupportMember(support_id=session.id, user_id=user_id, name=name)
        work.session.add(known)
    known.state, known.since, known.name = state, work.now(), name
    work.session.flush()
    return known


# --- ending ---------------------------------------------------------------------------


def end(work: Work, support_id: int) -> None:
    """End a session: who has it, who made its key, or who may change groups.

    Raises NotFound, Denied (support.not_owner). One that is over stays as it is.
    """
    work.actor.require(Permission.SESSIONS_START)
    session = get(work, support_id, lock=True)
    own = session.owner_id is not None and session.owner_id == _user(work)
    made = session.owner_id is None and session.created_by == work.actor.name
    if not (own or made or work.actor.may(Permission.GROUPS_WRITE)):
        raise Denied("support.not_owner")
    close(work, session, "support.closed", work.actor.name)


def close(work: Work, session: SupportSession, code: str, who: str = "") -> None:
    """End a session and everything in it. Twice is harmless."""
    if session.state == SupportState.ENDED:
        return
    session.state = SupportState.ENDED
    session.ended_at, session.ended_by, session.end_code = work.now(), who[:255], code
    session.key_hash = None
    waiting = select(SupportPin).where(
        SupportPin.support_id == session.id, SupportPin.ended_at.is_(None)
    )
    for pin in work.session.scalars(waiting):
        pin.ended_at, pin.code = work.now(), "pin.customer_offline"
    sessions.end_of_guest(work, session.id, "session.support_over")
    tell(work, session, "support.ended", code=code)
    chat.event(work, session, "ended", who)


def tell(
    work: Work, session: SupportSession, action: str, reason: str = "", **detail: object
) -> None:
    """Record something about a session in the audit log."""
    name = session.hostname or f"support {session.id}"
    audit.record(work, action, "support", session.id, name, reason=reason, **detail)
