"""Several technicians in one support session: inviting, joining, handing over, leaving."""

from __future__ import annotations

from sqlalchemy import select

from tremplin_server.accounts.models import User
from tremplin_server.accounts.service import actor_in
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound
from tremplin_server.permissions import Permission
from tremplin_server.sessions import service as sessions
from tremplin_server.support import chat, service
from tremplin_server.support.models import MemberState, SupportSession, SupportState


def candidates(work: Work, session: SupportSession) -> list[User]:
    """Return the technicians that may be invited to a session: enabled, and not in it."""
    inside = {member.user_id for member in service.members(work, session)}
    found = select(User).where(User.enabled.is_(True)).order_by(User.username)
    return [
        user
        for user in work.session.scalars(found)
        if user.id not in inside and actor_in(work, user, "").may(Permission.SESSIONS_START)
    ]


def invite(work: Work, support_id: int, username: str) -> None:
    """Invite another technician, who may join then. Raises NotFound (support.nobody_to_add)."""
    session = service.inside(work, support_id)
    user = _chosen(work, session, username)
    service.enter(work, session, user.id, user.username, MemberState.INVITED)
    service.tell(work, session, "support.invited", technician=user.username)
    chat.changed(work, session)


def join(work: Work, support_id: int) -> None:
    """Come into a session as invited. Raises Denied (support.not_in), Conflict."""
    work.actor.require(Permission.SESSIONS_START)
    session = service.get(work, support_id, lock=True)
    own = service.member(work, session)
    if session.state == SupportState.ENDED:
        raise Conflict("support.ended")
    if own is None or own.state == MemberState.LEFT:
        raise Denied("support.not_in")
    if own.state == MemberState.INVITED:
        service.enter(work, session, own.user_id, own.name, MemberState.IN)
        service.tell(work, session, "support.joined")
        chat.event(work, session, "joined", work.actor.name)


def transfer(work: Work, support_id: int, username: str) -> None:
    """Hand a session over to another technician; who had it is out of it then."""
    session = service.inside(work, support_id)
    if session.owner_id != work.actor.id:
        raise Denied("support.not_owner")
    user = _chosen(work, session, username, also_inside=True)
    session.owner_id, session.owner = user.id, user.username
    service.enter(work, session, user.id, user.username, MemberState.IN)
    service.tell(work, session, "support.transferred", technician=user.username)
    chat.event(work, session, "transferred", user.username)
    _out(work, session)


def leave(work: Work, support_id: int) -> None:
    """Go out of a session that goes on; who has it hands it over or ends it instead."""
    session = service.inside(work, support_id)
    if session.owner_id == work.actor.id:
        raise Conflict("support.owner_stays")
    service.tell(work, session, "support.left")
    chat.event(work, session, "left", work.actor.name)
    _out(work, session)


def _out(work: Work, session: SupportSession) -> None:
    service.enter(work, session, work.actor.id, work.actor.name, MemberState.LEFT)
    sessions.end_of_guest(work, session.id, "session.support_over", technician=work.actor.id)


def _chosen(
    work: Work, session: SupportSession, username: str, *, also_inside: bool = False
) -> User:
    found = {user.username: user for user in candidates(work, session)}
    if also_inside:
        for member in service.members(work, session):
            user = work.session.get(User, member.user_id)
            if user is not None and user.enabled and user.id != work.actor.id:
                found[user.username] = user
    if username not in found:
        if not username:
            raise Invalid({"technician": ["Missing data for required field."]})
        raise NotFound("support.nobody_to_add", name=username[:64])
    return found[username]
