"""The customer's side of a support session, for the gateway that holds his client's channel.

His client hears what it must do from `outgoing`, which the gateway asks after every change
and whenever the client has come back: nothing depends on one notice that may be lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from tremplin_agent import wire
from tremplin_agent.terms import GRANT_OF

from tremplin_server.clients import facts
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid, NotFound, TremplinError
from tremplin_server.installers import service as installers
from tremplin_server.installers.models import Installer
from tremplin_server.sessions import service as sessions
from tremplin_server.support import chat, keys, pins, service
from tremplin_server.support.models import (
    Author,
    SupportMessage,
    SupportPin,
    SupportSession,
    SupportState,
)

AWAY_MINUTES = 5
"""How long a session waits for a customer whose connection broke."""
MAX_LINES = 5000
"""Lines of one chat that a customer's client may bring it to."""
_OUTGOING = 200


@dataclass(frozen=True, slots=True)
class AttendRequest:
    """What a customer's client said. nonce: the one it was challenged with."""

    hello: wire.Hello
    attend: wire.Attend = field(repr=False)
    nonce: bytes
    public_ip: str


@dataclass(frozen=True, slots=True)
class Attending:
    """A customer's client that may come in. seen: the last line of the chat that it has."""

    support_id: int
    public_key: bytes
    fingerprint: str
    seen: int


@dataclass(frozen=True, slots=True)
class Position:
    """What a client's channel has carried so far: line of the chat, question, pin."""

    line: int = 0
    question: int = 0
    pin: int = 0


# --- coming and going -----------------------------------------------------------------


def attend(work: Work, request: AttendRequest, accepted_pins: frozenset[bytes]) -> Attending:
    """Let a customer's client into the session of its key.

    The first one that comes has the session; it may come back as long as that lasts. Raises
    NotFound (support.key_unknown), Conflict (support.key_used), TremplinError (enrol.bad_proof).
    """
    public_key = _proven_key(request, accepted_pins)
    try:
        hashed = keys.hash_of(work.config, request.attend.key)
    except wire.WireError as error:
        raise NotFound("support.key_unknown") from error
    found = select(SupportSession).where(SupportSession.key_hash == hashed)
    session = work.session.scalar(found.with_for_update())
    if session is None or (session.state == SupportState.OPEN and session.expires_at <= work.now()):
        raise NotFound("support.key_unknown")
    if session.public_key not in (None, public_key):
        raise Conflict("support.key_used")
    first = session.public_key is None
    _note(work, session, request, public_key)
    if first:
        session.state = SupportState.WAITING
        session.attended_at = work.now()
        service.tell(work, session, "support.attended", public_ip=session.public_ip)
        chat.event(work, session, "arrived", session.console_user or session.hostname)
    seen = request.attend.facts.get("seen")
    line = seen if isinstance(seen, int) and 0 < seen < 2**31 else 0
    return Attending(session.id, public_key, session.fingerprint, line)


def _proven_key(request: AttendRequest, accepted_pins: frozenset[bytes]) -> bytes:
    attend = request.attend
    try:
        pin, public_key = wire.b64decode(attend.ca_pin), wire.b64decode(attend.public_key)
        signed = wire.attend_bytes(attend.key, request.nonce, pin)
        signature = wire.b64decode(attend.signature)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except wire.WireError as error:
        raise NotFound("support.key_unknown") from error
    except (InvalidSignature, ValueError) as error:
        raise TremplinError("enrol.bad_proof") from error
    if pin not in accepted_pins:
        raise TremplinError("enrol.bad_proof")
    return public_key


def _note(work: Work, session: SupportSession, request: AttendRequest, public_key: bytes) -> None:
    said = request.attend.facts
    session.public_key = public_key
    session.hostname = facts.text(said.get("hostname"), 255)
    session.operating_system = facts.text(said.get("operating_system"), 255)
    session.console_user = facts.text(said.get("console_user"), 255)
    session.language = facts.text(said.get("language"), 8)
    session.platform = facts.text(request.hello.platform, 32)
    session.fingerprint = facts.text(request.hello.fingerprint, 64)
    session.public_ip = facts.text(request.public_ip, 64)
    elevated = said.get("elevated") is True
    if elevated and not session.elevated and session.attended_at is not None:
        session.raising = False
        service.tell(work, session, "support.elevated")
        chat.event(work, session, "elevated")
    session.elevated = elevated


def arrived(work: Work, support_id: int, worker_id: str) -> bool:
    """Note that the client is connected at a worker; False when its session is over."""
    session = _session(work, support_id)
    if session is None or session.state == SupportState.ENDED:
        return False
    if session.away_since is not None:
        chat.event(work, session, "back")
    session.worker_id, session.away_since = worker_id, None
    chat.changed(work, session)
    return True


def departed(work: Work, support_id: int, worker_id: str) -> None:
    """Note that the client's connection ended; another worker may have it by now."""
    session = _session(work, support_id)
    if session is not None and session.worker_id == worker_id:
        _away(work, session)


def _away(work: Work, session: SupportSession) -> None:
    session.worker_id = None
    if session.state != SupportState.ENDED:
        session.away_since = work.now()
        chat.event(work, session, "away")


def sweep(work: Work, living: Iterable[str]) -> None:
    """Do what time does: keys that nobody used, customers that did not come back, pins that
    were not answered, workers that died with a channel. living: ids of the workers."""
    now, workers = work.now(), set(living)
    unfinished = select(SupportSession).where(SupportSession.state != SupportState.ENDED)
    for session in work.session.scalars(unfinished):
        if session.worker_id is not None and session.worker_id not in workers:
            _away(work, session)
        if session.state == SupportState.OPEN and session.expires_at <= now:
            service.close(work, session, "support.key_expired")
        gone = session.away_since
        if gone is not None and gone < now - timedelta(minutes=AWAY_MINUTES):
            service.close(work, session, "support.customer_lost")
    pins.expire(work)


# --- what the client has to hear ------------------------------------------------------


def outgoing(
    work: Work, support_id: int, position: Position
) -> tuple[list[wire.ToCustomer], Position]:
    """Return what a client has not heard yet, and where it stands after that."""
    session = _session(work, support_id)
    if session is None or session.state == SupportState.ENDED:
        return [wire.SupportEnd(session.end_code if session else "support.ended")], position
    said: list[wire.ToCustomer] = []
    fresh = chat.lines(session.id).where(SupportMessage.id > position.line).limit(_OUTGOING)
    for line in work.session.scalars(fresh):
        said.append(wire.Chat(line.text, line.id, line.author, Author(line.kind).value))
        position = replace(position, line=line.id)
    if session.question > position.question:
        position = replace(position, question=session.question)
        if session.raising:
            said.append(wire.Raise(session.question, session.owner))
        elif session.state == SupportState.ASKED:
            wanted = dict.fromkeys(session.wanted, True)
            said.append(wire.Ask(session.question, session.owner, wanted))
    pin = pins.waiting(work, session)
    if pin is not None and pin.id > position.pin:
        position = replace(position, pin=pin.id)
        said += _pin(work, pin)
    return said, position


def _pin(work: Work, pin: SupportPin) -> list[wire.ToCustomer]:
    installer = work.session.get(Installer, pin.installer_id) if pin.installer_id else None
    try:
        text = installers.key_info(work, installer) if installer is not None else ""
    except TremplinError as error:
        pins.finish(work, pin, error.code)
        return []
    return [wire.Pin(pin.id, pin.asked_by, text, pin.group)]


# --- what the client says -------------------------------------------------------------


def answered(work: Work, support_id: int, answer: wire.Answer) -> None:
    """Take what the customer allows, or no longer allows."""
    session = _session(work, support_id)
    if session is None or session.state == SupportState.ENDED:
        return
    if answer.number and answer.number != session.question:
        return
    if session.raising and answer.number:
        session.raising = False
        chat.event(work, session, "raise_refused")
        return
    if session.state in (SupportState.OPEN, SupportState.WAITING):
        return
    before = set(session.granted)
    session.granted = [g for g in session.wanted if answer.granted.get(g) is True]
    session.state = SupportState.ACTIVE
    lost = before - set(session.granted)
    if lost:
        _end_what_needs(work, session, lost)
    gained = set(session.granted) - before
    what = "granted" if gained else "withdrawn" if lost else ""
    if not session.granted and not lost:
        what = "refused"
    service.tell(work, session, "support.answered", granted=session.granted)
    if what:
        chat.event(work, session, what, ", ".join(session.granted))
    chat.changed(work, session)


def _end_what_needs(work: Work, session: SupportSession, lost: set[str]) -> None:
    def needs(capabilities: list[str]) -> bool:
        return any(GRANT_OF[one].value in lost for one in capabilities if one in GRANT_OF)

    sessions.end_of_guest(work, session.id, "session.withdrawn", needs=needs)


def said(work: Work, support_id: int, text: str) -> None:
    """Take a line of the customer's."""
    session = _session(work, support_id)
    if session is None or session.state in (SupportState.OPEN, SupportState.ENDED):
        return
    count = work.session.scalars(chat.lines(session.id).offset(MAX_LINES).limit(1)).first()
    if count is not None:
        return
    try:
        name = session.console_user or session.hostname
        chat.add(work, session, Author.CUSTOMER, name, text[: chat.MAX_TEXT])
    except Invalid:
        # A line of nothing is none; the client has no use for an error about it.
        return


def pinned(work: Work, support_id: int, answer: wire.PinAnswer) -> None:
    """Take what became of a pin."""
    session = _session(work, support_id)
    pin = work.session.get(SupportPin, answer.number) if 0 < answer.number < 2**31 else None
    if session is not None and pin is not None and pin.support_id == session.id:
        pins.finish(work, pin, answer.code, answer.detail)


def ended(work: Work, support_id: int) -> None:
    """End a session because the customer says so."""
    session = _session(work, support_id)
    if session is not None:
        service.close(work, session, "support.customer_ended", session.console_user)


def _session(work: Work, support_id: int) -> SupportSession | None:
    return work.session.get(SupportSession, support_id, with_for_update=True)
