"""Looking sessions up: who sees which."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, and_, or_, select

from tremplin_server.accounts.models import User
from tremplin_server.clients import copies
from tremplin_server.clients import service as clients
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work, same_text
from tremplin_server.errors import NotFound
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ActorKind, Permission
from tremplin_server.sessions.models import JumpSession, SessionState


def query(
    work: Work,
    *,
    client_id: int | None = None,
    state: str | None = None,
    user: str | None = None,
    front: str | None = None,
) -> Select[JumpSession]:
    """Return the sessions that the actor sees and that match, newest first.

    Who does not see all groups sees his own sessions, and those on Jump Clients of groups in
    which he may see reports. user: the technician's name. Needs sessions.read.
    """
    found = _seen(work).order_by(JumpSession.created_at.desc(), JumpSession.id)
    if client_id is not None:
        if copies.is_copy(client_id):
            client_id = clients.get(work, client_id).id
        found = found.where(JumpSession.client_id == client_id)
    if state is not None:
        found = found.where(JumpSession.state == state)
    if user is not None:
        found = found.where(same_text(JumpSession.actor, user))
    if front is not None:
        found = found.where(JumpSession.front == front)
    return found


def get(work: Work, session_id: str) -> JumpSession:
    """Return a session that the actor sees; NotFound (session.missing) otherwise."""
    session = work.session.scalar(_seen(work).where(JumpSession.id == session_id))
    if session is None:
        raise NotFound("session.missing", id=session_id)
    return session


def is_own(work: Work, session: JumpSession) -> bool:
    """Return whether the actor is the technician of this session."""
    kind, number = work.actor.kind, work.actor.id
    return number != 0 and session.actor_kind == kind.value and session.actor_id == number


def of_disabled(session_ids: list[str]) -> Select[str]:
    """Return the ids of those that are not over and whose technician was disabled or deleted."""
    return (
        select(JumpSession.id)
        .outerjoin(User, User.id == JumpSession.user_id)
        .where(
            JumpSession.id.in_(session_ids),
            JumpSession.state != SessionState.ENDED,
            JumpSession.actor_kind == ActorKind.USER.value,
            or_(User.id.is_(None), User.enabled.is_(False)),
        )
    )


def _seen(work: Work) -> Select[JumpSession]:
    work.actor.require(Permission.SESSIONS_READ)
    if work.actor.may(Permission.SEE_ALL_GROUPS):
        return select(JumpSession)
    visible = groups.reported(work, select(JumpClient.id), JumpClient)
    return select(JumpSession).where(or_(JumpSession.client_id.in_(visible), _own(work)))


def _own(work: Work) -> ColumnElement[bool]:
    return and_(
        JumpSession.actor_kind == work.actor.kind.value,
        JumpSession.actor_id == work.actor.id,
        JumpSession.actor_id != 0,
    )
