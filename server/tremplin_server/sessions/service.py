"""The life of a session: asked for, redeemed, open, ended; who may do what, and the limits.

    start ──ticket──▶ redeem ──▶ (the agent's end arrives) opened ──▶ ended
                                      `end` may come at any time

Nothing here waits for a host: the gateway's `SessionHub` brings the two ends together and
writes what became of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from tremplin_agent.terms import Capability, Terms

from tremplin_server.accounts.models import User
from tremplin_server.accounts.service import language_of
from tremplin_server.accounts.tokens import hash_of
from tremplin_server.audit import service as audit
from tremplin_server.clients import waking
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient, Worker
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied, NotFound, TremplinError
from tremplin_server.permissions import ActorKind, Permission
from tremplin_server.sessions import hosts, listing, policy_gate, policy_notices
from tremplin_server.sessions.checks import MAX_KEYS as MAX_KEYS
from tremplin_server.sessions.checks import MAX_REASON as MAX_REASON
from tremplin_server.sessions.checks import START_SECONDS as START_SECONDS
from tremplin_server.sessions.checks import Request as Request
from tremplin_server.sessions.grants import Limits, granted
from tremplin_server.sessions.hosts import SessionHost
from tremplin_server.sessions.models import Front, JumpSession, SessionState
from tremplin_server.sessions.policy_gate import TIME_UP, Admission

TICKET_SECONDS = 30
_ENDS = (
    "session.ended",
    "session.stopped",
    "session.time_up",
    "session.policy_closed",
    "session.idle",
    "session.host_lost",
    "session.worker_lost",
    "session.draining",
    "session.disabled",
    "session.removed",
    "session.revoked",
    "session.withdrawn",
    "session.support_over",
)
"""What a technician may read on the host's terminal, where only its SSH server can write."""

_NOTICES = {
    "en": "Tremplin: {technician} has opened a session on this computer.",
    "fr": "Tremplin : {technician} a ouvert une session sur cet ordinateur.",
}


@dataclass(frozen=True, slots=True)
class Started:
    """A session that waits for its technician's end. ticket: told once, for TICKET_SECONDS."""

    session_id: str
    ticket: str = field(repr=False)
    expires_at: datetime
    """When the ticket expires."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A session that can be connected now; what `SessionHub.connect` takes.

    holder: the worker that holds the client's control channel, by the database. host_key: the
    raw Ed25519 key that the host's SSH server proves (see `host_keys.ssh_public_key`). passive:
    the client may be away; wake: where it is woken then, if anywhere. limit_code: why the
    session ends at `expires_at`.
    """

    session_id: str
    client_id: int
    client_name: str
    front: Front
    terms: Terms
    expires_at: datetime
    host_key: bytes
    holder: str | None
    passive: bool = False
    wake: waking.Target | None = None
    limit_code: str = TIME_UP


# --- starting -------------------------------------------------------------------------


def start(work: Work, client_id: int, request: Request) -> Started:
    """Make a session and the ticket that its technician's end is opened with.

    Needs sessions.start and the right to start in the client's group. Raises NotFound
    (client.missing), Denied, Invalid, Conflict (client.offline, client.uninstalled,
    client.removing, jump.not_connected, jump.disabled, jump.version, jump.policy),
    Unavailable (jump.busy). A refusal is audited although the error ends the work.
    """
    with _refusals_audited(work, client_id, request):
        host, admission = hosts.startable(work, client_id, request)
        ticket = secrets.token_urlsafe(32)
        session = _add(work, host, request, ticket, admission)
    return Started(session.id, ticket, session.ticket_expires_at)


def start_here(work: Work, client_id: int, request: Request, worker_id: str) -> Opening:
    """Make a session whose technician's end is at this worker already: no ticket is needed.

    Raises what `start` raises.
    """
    with _refusals_audited(work, client_id, request):
        host, admission = hosts.startable(work, client_id, request)
        session = _add(work, host, request, "", admission)
    session.worker_id = worker_id
    return _opening(work, session, host)


def redeem(
    work: Work, session_id: str, ticket: str, worker_id: str, front: Front, who: int | None = None
) -> Opening:
    """Use up a ticket: its technician's end is at worker `worker_id` now.

    who: id of the technician, where the front knows who comes. Raises TremplinError
    (session.ticket) when the ticket is unknown, used, expired, of another front or of
    somebody else; that is audited when there is such a session.
    """
    session = work.session.get(JumpSession, session_id, with_for_update=True)
    fault = _ticket_fault(work, session, ticket, front, who)
    if session is None or fault:
        if session is not None:
            _audit(work, session, "session.ticket_refused", fault=fault)
            work.commit()
        raise TremplinError("session.ticket")
    client = hosts.of(work, session)
    if client is None:
        raise NotFound("client.missing", id=session.client_id or "?")
    session.ticket_hash = ""
    session.worker_id = worker_id
    return _opening(work, session, client)


def opening(work: Work, session_id: str) -> Opening | None:
    """Return what the holder of the control channel tells the agent; None when it is off."""
    session = work.session.get(JumpSession, session_id)
    if session is None or session.state != SessionState.STARTING:
        return None
    client = hosts.of(work, session)
    return None if client is None else _opening(work, session, client)


@contextmanager
def _refusals_audited(work: Work, client_id: int, request: Request) -> Iterator[None]:
    try:
        yield
    except TremplinError as error:
        client = work.session.get(JumpClient, client_id)
        audit.record(
            work,
            "session.refused",
            "client" if client_id > 0 else "support",
            abs(client_id),
            client.name if client is not None else "",
            reason=request.reason[:MAX_REASON],
            code=error.code,
            front=request.front.value,
            **error.details(),
        )
        # The caller's work is undone by the error, and this must outlast it.
        work.commit()
        raise


def _add(
    work: Work, client: SessionHost, request: Request, ticket: str, admission: Admission
) -> JumpSession:
    now = work.now()
    latest = now + timedelta(hours=work.config.session_hours)
    until = min(latest, admission.until or latest)
    idle = work.config.session_idle_minutes
    grant = admission.grant or granted(request.capabilities, Limits(), idle)
    ports = work.config.session_ports if request.ports is None else request.ports
    session = JumpSession(
        id=secrets.token_hex(16),
        client_id=client.id if client.id > 0 else None,
        guest_id=-client.id if client.id < 0 else None,
        client_name=client.name,
        client_external_id=client.external_id,
        user_id=work.actor.id if work.actor.kind is ActorKind.USER else None,
        actor=work.actor.name,
        actor_kind=work.actor.kind.value,
        actor_id=work.actor.id,
        front=request.front,
        state=SessionState.STARTING,
        reason=request.reason,
        technician_ip=(request.technician_ip or work.actor.source_ip)[:64],
        capabilities=list(grant.capabilities),
        ports=list(ports) if Capability.FORWARD.value in grant.capabilities else [],
        targets=list(request.targets) if Capability.FORWARD.value in grant.capabilities else [],
        keys=list(request.keys),
        vouched=request.open,
        ticket_hash=hash_of(ticket) if ticket else "",
        ticket_expires_at=now + timedelta(seconds=TICKET_SECONDS),
        created_at=now,
        expires_at=until,
        limit_code=admission.code if until == admission.until else TIME_UP,
        ticket_id=request.ticket_id.strip(),
        jump_policy_id=admission.policy_id,
        session_policy_id=grant.policy_id,
        recorded=grant.record,
        idle_minutes=grant.idle_minutes,
    )
    work.session.add(session)
    work.session.flush()
    _audit(
        work,
        session,
        "session.started",
        reason=request.reason,
        front=request.front.value,
        capabilities=session.capabilities,
        ports=session.ports,
        ticket_id=session.ticket_id,
        **({"targets": session.targets} if session.targets else {}),
    )
    policy_notices.started(work, session)
    _tell(work, session)
    return session


def _ticket_fault(
    work: Work, session: JumpSession | None, ticket: str, front: Front, who: int | None
) -> str:
    if session is None:
        return "unknown"
    if not session.ticket_hash or session.state != SessionState.STARTING:
        return "used"
    if not secrets.compare_digest(session.ticket_hash, hash_of(ticket)):
        return "unknown"
    if session.ticket_expires_at <= work.now():
        return "expired"
    if session.front != front:
        return "front"
    return "technician" if who is not None and who != session.actor_id else ""


def _opening(work: Work, session: JumpSession, client: SessionHost) -> Opening:
    return Opening(
        session_id=session.id,
        client_id=client.id,
        client_name=client.name,
        front=Front(session.front),
        terms=_terms(work, session),
        expires_at=session.expires_at,
        host_key=client.public_key,
        holder=client.worker_id,
        passive=client.connection_type == "passive",
        wake=waking.target_of_passive(client),
        limit_code=session.limit_code,
    )


def _terms(work: Work, session: JumpSession) -> Terms:
    config = work.config
    technician = work.session.get(User, session.user_id) if session.user_id else None
    language = (language_of(technician) if technician else "") or config.language
    notice = _NOTICES[config.language].format(technician=session.actor)
    ends = {code: f"{TremplinError(code).text(language)} ({code})" for code in _ENDS}
    return Terms(
        keys=tuple(session.keys),
        open=session.vouched,
        capabilities=tuple(session.capabilities),
        ports=tuple(session.ports),
        targets=tuple(session.targets),
        expires_at=session.expires_at.timestamp(),
        idle_seconds=session.idle_minutes * 60,
        record_bytes=config.session_recording_mb * 1024 * 1024 * session.recorded,
        technician=session.actor,
        notice=notice if config.session_notice and session.guest_id is None else "",
        ends=ends | {TIME_UP: ends.get(session.limit_code, ends[TIME_UP])},
        **policy_notices.warning(session, language),
    )


# --- what the gateway writes ----------------------------------------------------------


def opened(work: Work, session_id: str) -> None:
    """Note that both ends are there."""
    session = work.session.get(JumpSession, session_id, with_for_update=True)
    if session is None or session.state != SessionState.STARTING:
        return
    session.state = SessionState.OPEN
    session.opened_at = work.now()
    client = work.session.get(JumpClient, session.client_id) if session.client_id else None
    if client is not None:
        client.last_access = work.now()
    _tell(work, session)


def ended(
    work: Work, session_id: str, code: str = "", to_host: int = 0, from_host: int = 0
) -> None:
    """Note that a session is over. code: why; empty for a plain end. Twice is harmless.

    A session that was stopped before keeps that reason; only the bytes are added.
    """
    session = work.session.get(JumpSession, session_id, with_for_update=True)
    if session is None:
        return
    session.bytes_to_host, session.bytes_from_host = to_host, from_host
    _end(work, session, code or "session.ended", to_host=to_host, from_host=from_host)


def explained(work: Work, session_id: str, code: str) -> None:
    """Note why the host ended a session that seemed to end plainly: the word came late."""
    session = work.session.get(JumpSession, session_id, with_for_update=True)
    if session is not None and session.end_code == "session.ended":
        session.end_code = session.limit_code if code == TIME_UP else code[:64]
        _audit(work, session, "session.end_explained", code=session.end_code)
        _tell(work, session)


def still_open(work: Work, session_ids: Iterable[str]) -> None:
    """Note that these sessions live, although their worker was taken for dead."""
    lost = select(JumpSession).where(
        JumpSession.id.in_(list(session_ids)), JumpSession.end_code == "session.worker_lost"
    )
    for session in work.session.scalars(lost):
        session.state, session.end_code, session.ended_at = SessionState.OPEN, "", None
        _audit(work, session, "session.found_alive")
        _tell(work, session)


def agent_refused(work: Work, session_id: str, fault: str, source_ip: str) -> None:
    """Audit that somebody came to a session's socket who was not let in.

    Nothing is written of a session that does not exist: ids are not guessed, and nobody
    shall fill the log with invented ones.
    """
    session = work.session.get(JumpSession, session_id)
    if session is not None:
        _audit(work, session, "session.agent_refused", fault=fault, from_ip=source_ip)


# --- ending ---------------------------------------------------------------------------


def end(work: Work, session_id: str, reason: str = "") -> JumpSession:
    """End a session, wherever it runs; one that is over stays as it is.

    Technicians end their own sessions, who may change groups ends any. Raises NotFound
    (session.missing) and Denied.
    """
    session = listing.get(work, session_id)
    work.actor.require(Permission.SESSIONS_START)
    if not listing.is_own(work, session) and not work.actor.may(Permission.GROUPS_WRITE):
        raise Denied("auth.denied", permission="sessions.end")
    work.session.refresh(session, with_for_update=True)
    _end(work, session, "session.stopped", reason=reason)
    return session


def end_of_guest(
    work: Work,
    guest_id: int,
    code: str,
    *,
    technician: int | None = None,
    needs: Callable[[list[str]], bool] | None = None,
) -> None:
    """End the sessions on a guest; whoever asks has settled that they must.

    technician: only his. needs: only those whose capabilities it says yes to.
    """
    living = select(JumpSession).where(
        JumpSession.guest_id == guest_id, JumpSession.state != SessionState.ENDED
    )
    if technician is not None:
        living = living.where(JumpSession.user_id == technician)
    for session in work.session.scalars(living.with_for_update()):
        if needs is None or needs(session.capabilities):
            _end(work, session, code)


def _end(work: Work, session: JumpSession, code: str, **detail: Any) -> None:
    if session.state == SessionState.ENDED:
        return
    session.state = SessionState.ENDED
    session.ended_at = work.now()
    session.end_code = session.limit_code if code == TIME_UP else code[:64]
    session.ticket_hash = ""
    began = session.opened_at or session.created_at
    seconds = max(0, round((work.now() - began).total_seconds()))
    _audit(work, session, "session.ended", code=session.end_code, seconds=seconds, **detail)
    policy_notices.ended(work, session)
    _tell(work, session)


def sweep(work: Work, living: Iterable[str]) -> list[str]:
    """End the sessions whose worker is none of `living` and those that nobody came to.

    Returns their ids.
    """
    unfinished = select(JumpSession).where(JumpSession.state != SessionState.ENDED)
    workers = set(living)
    late = work.now() - timedelta(seconds=START_SECONDS)
    over = []
    for session in work.session.scalars(unfinished):
        if session.worker_id is None and session.created_at < late:
            _end(work, session, "session.not_begun")
        elif session.worker_id is not None and session.worker_id not in workers:
            _end(work, session, "session.worker_lost")
        else:
            continue
        over.append(session.id)
    return over


def doomed(work: Work, session_ids: Iterable[str]) -> dict[str, str]:
    """Return which of these sessions must not go on, with the code that says why.

    They were ended, their technician was disabled or deleted, the hours of their Jump Policy
    are over, or their Jump Client was disabled or removed: for a worker to look now and then,
    because a notice can be lost.
    """
    wanted = list(session_ids)
    over = policy_gate.out_of_hours(work, wanted)
    over |= dict.fromkeys(work.session.scalars(listing.of_disabled(wanted)), "session.revoked")
    found = select(
        JumpSession.id,
        JumpSession.state,
        JumpSession.end_code,
        JumpSession.guest_id,
        JumpClient.state,
    ).outerjoin(JumpClient, JumpClient.id == JumpSession.client_id)
    for session_id, state, code, guest, client in work.session.execute(
        found.where(JumpSession.id.in_(wanted))
    ):
        if state == SessionState.ENDED:
            over[session_id] = code
        elif guest is None and (client is None or client in FORBIDDING):
            over[session_id] = FORBIDDING.get(client, "session.removed")
    return over


FORBIDDING = {
    State.DISABLED.value: "session.disabled",
    State.REMOVING.value: "session.removed",
    State.UNINSTALLED.value: "session.removed",
}
"""Why a session ends when its Jump Client comes into one of these states."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the technician's end of a session is: a worker and its peer listener."""

    worker_id: str
    address: str


def place(work: Work, session_id: str) -> Place:
    """Return where the technician's end of a session that starts waits for the agent's.

    Raises NotFound (session.missing) and Conflict (session.ended).
    """
    session = work.session.get(JumpSession, session_id)
    if session is None:
        raise NotFound("session.missing", id=session_id)
    worker = work.session.get(Worker, session.worker_id) if session.worker_id else None
    if session.state != SessionState.STARTING or worker is None:
        raise Conflict("session.ended")
    return Place(worker.id, worker.peer_address)


def _audit(work: Work, session: JumpSession, action: str, reason: str = "", **detail: Any) -> None:
    audit.record(
        work,
        action,
        *hosts.subject(session),
        session.client_name,
        reason=reason,
        session_id=session.id,
        technician=session.actor,
        **detail,
    )


def _tell(work: Work, session: JumpSession) -> None:
    work.notify(
        "session.changed",
        session_id=session.id,
        client_id=session.client_id or 0,
        state=str(session.state),
        code=session.end_code,
    )
