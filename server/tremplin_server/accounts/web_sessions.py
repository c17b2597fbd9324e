"""The browsers in which people are signed in: each is a row that can be listed and revoked.

A cookie carries a random token whose row is looked up at every request, so that revoking
takes effect with the next one; `ENDED` tells the gateways, which close what is open.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, delete, func, select

from tremplin_server.accounts.access_models import Way, WebSession
from tremplin_server.accounts.models import User
from tremplin_server.accounts.tokens import hash_of
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Denied, NotFound
from tremplin_server.permissions import Actor, ActorKind, Permission, Role

ENDED = "web_session.ended"
"""Topic of the notice: `ids` of those that are over."""
SEEN_EVERY = timedelta(minutes=1)
"""A request that comes sooner after the last noted one writes nothing."""
PRESENT = timedelta(minutes=20)
"""Whoever was seen so lately counts as there: an open page asks at least every 15 minutes."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose cookie it is. stale: `touch` is due."""

    session: WebSession
    user: User
    stale: bool


def begin(work: Work, user: User, way: Way, browser: str) -> tuple[WebSession, str]:
    """Sign `user` in at a browser; return the row and the token for its cookie.

    Raises Denied (limit.technicians) when as many others as may be are there. An
    administrator is let in whatever the number: somebody must be able to raise it.
    """
    _check_limit(work, user)
    now, token = work.now(), secrets.token_urlsafe(32)
    made = WebSession(
        user_id=user.id,
        token_hash=hash_of(token),
        way=way,
        source_ip=work.actor.source_ip[:64],
        browser=browser[:255],
        created_at=now,
        seen_at=now,
        expires_at=now + timedelta(hours=work.config.sign_in_hours),
    )
    work.session.add(made)
    work.session.flush()
    audit.record(work, "user.signed_in", "user", user.id, user.username, way=str(way))
    return made, token


def _check_limit(work: Work, user: User) -> None:
    limit = work.config.limit_technicians
    if limit and user.role != Role.ADMINISTRATOR and present(work, but=user.id) >= limit:
        raise Denied("limit.technicians", limit=limit)


def present(work: Work, *, but: int = 0) -> int:
    """Return how many people are signed in and were seen lately, `but` not counted."""
    counted = select(func.count(WebSession.user_id.distinct())).where(
        WebSession.expires_at > work.now(),
        WebSession.seen_at > work.now() - PRESENT,
        WebSession.user_id != but,
    )
    return work.session.scalar(counted) or 0


def holder(work: Work, token: str) -> Holder | None:
    """Return whose token it is; None for one that is unknown, over, or of who is disabled."""
    found = work.session.scalar(select(WebSession).where(WebSession.token_hash == hash_of(token)))
    if found is None or found.expires_at <= work.now():
        return None
    user = work.session.get(User, found.user_id)
    if user is None or not user.enabled:
        return None
    return Holder(found, user, work.now() - found.seen_at >= SEEN_EVERY)


def touch(work: Work, session_id: int) -> None:
    """Note that a browser was seen now, and from where."""
    found = work.session.get(WebSession, session_id)
    if found is not None:
        found.seen_at = work.now()
        found.source_ip = work.actor.source_ip[:64]


def query(work: Work, user_id: int) -> Select[WebSession]:
    """Return where a person is signed in, newest first.

    One's own for everybody; those of others need accounts.read.
    """
    _require(work.actor, user_id, Permission.ACCOUNTS_READ)
    return (
        select(WebSession)
        .where(WebSession.user_id == user_id, WebSession.expires_at > work.now())
        .order_by(WebSession.seen_at.desc(), WebSession.id.desc())
    )


def end(work: Work, user_id: int, session_id: int) -> None:
    """Sign a person out of one browser; NotFound when it is none of theirs.

    One's own for everybody; those of others need accounts.write.
    """
    _require(work.actor, user_id, Permission.ACCOUNTS_WRITE)
    found = work.session.get(WebSession, session_id)
    if found is None or found.user_id != user_id:
        raise NotFound("request.not_found", what="web session", id=session_id)
    _end(work, user_id, [found.id])


def end_all(work: Work, user_id: int, *, but: int = 0) -> int:
    """Sign a person out everywhere, except in the session `but`; return in how many.

    Their connections to the bastion end too. One's own, or accounts.write.
    """
    _require(work.actor, user_id, Permission.ACCOUNTS_WRITE)
    user = work.session.get(User, user_id)
    if user is None:
        raise NotFound("request.not_found", what="user", id=user_id)
    user.session_epoch += 1
    return forget(work, user_id, but=but)


def forget(work: Work, user_id: int, *, but: int = 0) -> int:
    """End a person's browser sessions without asking for rights, for other services."""
    found = select(WebSession.id).where(WebSession.user_id == user_id, WebSession.id != but)
    ids = list(work.session.scalars(found))
    _end(work, user_id, ids)
    return len(ids)


def leave(work: Work, token: str) -> None:
    """End the session of a cookie: its person signs out."""
    found = holder(work, token)
    if found is not None:
        work.session.delete(found.session)
        work.notify(ENDED, ids=[found.session.id])
        audit.record(work, "user.signed_out", "user", found.user.id, found.user.username)


def living(work: Work, ids: Collection[int]) -> set[int]:
    """Return those of `ids` that are not over."""
    found = select(WebSession.id).where(WebSession.id.in_(ids), WebSession.expires_at > work.now())
    return set(work.session.scalars(found))


def expire(work: Work) -> int:
    """Forget sessions whose time is over; return how many."""
    over = list(
        work.session.scalars(select(WebSession.id).where(WebSession.expires_at <= work.now()))
    )
    _delete(work, over)
    return len(over)


def _end(work: Work, user_id: int, ids: Sequence[int]) -> None:
    if not ids:
        return
    _delete(work, ids)
    user = work.session.get(User, user_id)
    name = user.username if user is not None else ""
    audit.record(work, "user.sessions_revoked", "user", user_id, name, count=len(ids))


def _delete(work: Work, ids: Sequence[int]) -> None:
    if ids:
        work.session.execute(delete(WebSession).where(WebSession.id.in_(ids)))
        work.notify(ENDED, ids=list(ids))


def _require(actor: Actor, user_id: int, permission: Permission) -> None:
    own = actor.kind is ActorKind.USER and actor.id == user_id
    if not own:
        actor.require(permission)
