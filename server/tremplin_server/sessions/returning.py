"""Coming back to a terminal whose link broke: the ticket for it, and where its shell is."""

from __future__ import annotations

import secrets

from itsdangerous import BadSignature, URLSafeTimedSerializer

from tremplin_server.clients.models import Worker
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, TremplinError
from tremplin_server.permissions import ActorKind, Permission
from tremplin_server.sessions import listing
from tremplin_server.sessions.models import Front, JumpSession, SessionState
from tremplin_server.sessions.service import TICKET_SECONDS, Place


def issue(work: Work, session_id: str) -> str:
    """Return a ticket for a page of the actor, whose terminal this is; good for a short time.

    The shell's room takes each of them once. Raises NotFound (session.missing), Denied and
    Conflict (session.ended, or why it ended).
    """
    work.actor.require(Permission.SESSIONS_START)
    session = listing.get(work, session_id)
    if session.front != Front.TERMINAL or not listing.is_own(work, session):
        raise TremplinError("session.not_yours")
    if session.state == SessionState.ENDED:
        raise Conflict(session.end_code or "session.ended")
    assert work.actor.kind is ActorKind.USER, "terminals are of the pages"
    said = [session_id, work.actor.id, secrets.token_hex(8)]
    return _serializer(work.config).dumps(said)


def check(config: Config, ticket: str, session_id: str, who: int) -> None:
    """Raise TremplinError (session.ticket) unless this ticket is for that session and user."""
    try:
        said = _serializer(config).loads(ticket, max_age=TICKET_SECONDS)
    except BadSignature as error:
        raise TremplinError("session.ticket") from error
    if said[:2] != [session_id, who]:
        raise TremplinError("session.ticket")


def place(work: Work, session_id: str) -> Place:
    """Return at which worker the shell of an open session is; Conflict (session.ended)."""
    session = work.session.get(JumpSession, session_id)
    worker = work.session.get(Worker, session.worker_id) if session and session.worker_id else None
    if session is None or worker is None or session.state == SessionState.ENDED:
        raise Conflict("session.ended")
    return Place(worker.id, worker.peer_address)


def _serializer(config: Config) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(config.secret_key, salt="tremplin terminal ticket")
