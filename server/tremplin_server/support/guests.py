"""Customers' computers as hosts of sessions; see `tremplin_server.sessions.hosts`."""

from __future__ import annotations

from tremplin_agent.terms import GRANT_OF

from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied
from tremplin_server.sessions.checks import Request
from tremplin_server.sessions.hosts import Guest
from tremplin_server.sessions.models import Front
from tremplin_server.support import chat, service
from tremplin_server.support.models import SupportSession, SupportState


class SupportGuests:
    """`hosts.Guests`: a guest's number is the negative id of its support session."""

    def startable(self, work: Work, number: int, request: Request) -> Guest:
        """Return the customer's computer if the technician may do this on it now.

        Raises Denied (support.not_in, support.not_granted), Conflict (support.ended,
        support.no_answer, support.customer_away).
        """
        session = require(work, -number)
        for capability in request.capabilities:
            grant = GRANT_OF[capability.value].value
            if grant not in session.granted:
                raise Denied("support.not_granted", what=grant)
        chat.event(work, session, _EVENT.get(request.front, "terminal"), work.actor.name)
        return guest_of(session)

    def require(self, work: Work, number: int) -> None:
        """Raise TremplinError unless the actor may have sessions there."""
        require(work, -number)

    def find(self, work: Work, number: int) -> Guest | None:
        """Return the customer's computer, whoever asks."""
        session = work.session.get(SupportSession, -number)
        return guest_of(session) if session is not None else None


_EVENT = {Front.TERMINAL: "terminal", Front.FILES: "files"}


def require(work: Work, support_id: int) -> SupportSession:
    """Return a session that the actor is in, whose customer is there and has answered."""
    session = service.inside(work, support_id)
    if session.state != SupportState.ACTIVE:
        raise Conflict("support.no_answer")
    if session.worker_id is None:
        raise Conflict("support.customer_away")
    return session


def guest_of(session: SupportSession) -> Guest:
    """Return the customer's computer of a session."""
    return Guest(
        id=-session.id,
        name=(session.hostname or f"support {session.id}")[:128],
        public_key=session.public_key or b"",
        worker_id=session.worker_id,
        platform=session.platform,
    )
