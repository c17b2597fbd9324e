"""Attaching the customer's computer as a Jump Client: asked for here, done by his client.

The server makes an installer that works once; the customer's client installs with it from
the payload that it is itself, after he agreed.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from tremplin_agent.codes import Code

from tremplin_server.clients import records
from tremplin_server.clients.facts import account
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import CATALOGUE, Conflict, NotFound, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.installers import service as installers
from tremplin_server.installers.models import Installer, InstallerUse, OnDuplicate
from tremplin_server.permissions import Permission
from tremplin_server.support import chat, service
from tremplin_server.support.models import SupportPin, SupportSession, SupportState

VALID_MINUTES = 10
"""How long a customer may take to agree, and his client to install."""


def request(
    work: Work,
    support_id: int,
    *,
    jump_group_type: str,
    jump_group_id: int,
    tag: str = "",
    comments: str = "",
    name: str = "",
) -> SupportPin:
    """Ask the customer to have his computer attached as a Jump Client.

    Needs the right to add to the Jump Group. Raises Conflict: pin.no_customer,
    pin.customer_offline, pin.pending, pin.already, limit.total, limit.active; Denied, Invalid.
    """
    work.actor.require(Permission.INSTALLERS_WRITE)
    session = _ready(work, support_id)
    if waiting(work, session) is not None:
        raise Conflict("pin.pending")
    record = _require_new(work, session)
    records.require_room(work, record, "active")
    made = installers.create(
        work,
        {
            "jump_group_type": jump_group_type,
            "jump_group_id": jump_group_id,
            "tag": tag,
            "comments": comments,
            "name": name,
            "valid_duration": VALID_MINUTES,
            "max_uses": 1,
            "platform": session.platform or "linux-64",
            "on_duplicate": OnDuplicate.REPLACE.value,
        },
    ).installer
    owner = groups.owner(work, jump_group_type, jump_group_id)
    pin = SupportPin(
        support_id=session.id,
        installer_id=made.id,
        group=owner.label[:255],
        asked_by=work.actor.name,
        asked_at=work.now(),
    )
    work.session.add(pin)
    work.session.flush()
    service.tell(work, session, "support.pin_asked", jump_group=owner.label)
    chat.event(work, session, "pin_asked", work.actor.name)
    return pin


def _ready(work: Work, support_id: int) -> SupportSession:
    session = service.get(work, support_id, lock=True)
    if session.state in (SupportState.OPEN, SupportState.ENDED):
        raise Conflict("pin.no_customer")
    session = service.inside(work, support_id)
    if session.worker_id is None:
        raise Conflict("pin.customer_offline")
    if session.state != SupportState.ACTIVE:
        raise Conflict("support.no_answer")
    return session


def _require_new(work: Work, session: SupportSession) -> JumpClient | None:
    """Raise Conflict (pin.already) for a computer that has a Jump Client; return the record
    that an installation there would take over."""
    pinned = select(SupportPin.client_id).where(
        SupportPin.support_id == session.id, SupportPin.client_id.is_not(None)
    )
    attached = select(JumpClient).where(
        JumpClient.id.in_(pinned), JumpClient.state != State.UNINSTALLED.value
    )
    if work.session.scalars(attached).first() is not None:
        raise Conflict("pin.already")
    same = select(JumpClient).where(JumpClient.fingerprint == session.fingerprint)
    found = list(work.session.scalars(same)) if session.fingerprint else []
    # What another user of the computer has for himself alone is not this customer's.
    machine = [client for client in found if _owner(client) in ("", session.console_user)]
    if any(client.worker_id is not None for client in machine):
        raise Conflict("pin.already")
    return machine[0] if machine else None


def _owner(client: JumpClient) -> str:
    return account(client.install_mode, client.run_as)


def waiting(work: Work, session: SupportSession) -> SupportPin | None:
    """Return the request that the customer has not answered, if there is one."""
    found = select(SupportPin).where(
        SupportPin.support_id == session.id, SupportPin.ended_at.is_(None)
    )
    return work.session.scalars(found.order_by(SupportPin.id.desc())).first()


def latest(work: Work, session: SupportSession) -> SupportPin | None:
    """Return the newest request of a session."""
    found = select(SupportPin).where(SupportPin.support_id == session.id)
    return work.session.scalars(found.order_by(SupportPin.id.desc())).first()


_OTHER_WORDS = {
    Code.ENROL_DUPLICATE_REFUSED.value: "pin.already",
    Code.INSTALL_DIR_EXISTS.value: "pin.already",
}
"""What the installer calls otherwise: its directory is there when a Jump Client is."""


def finish(work: Work, pin: SupportPin, code: str, detail: str = "") -> None:
    """Write what became of a request. code: empty when the Jump Client is installed."""
    session = work.session.get(SupportSession, pin.support_id)
    if pin.ended_at is not None or session is None:
        return
    pin.ended_at = work.now()
    pin.detail = detail[:255]
    pin.client_id = _enrolled(work, pin)
    code = _OTHER_WORDS.get(code, code)
    if not code and pin.client_id is None:
        code = "pin.failed"
    pin.code = code if code in CATALOGUE or not code else "pin.failed"
    _revoke(work, pin)
    outcome = "pin_failed" if pin.code else "pinned"
    service.tell(work, session, f"support.{outcome}", code=pin.code, client_id=pin.client_id)
    chat.event(work, session, outcome)


def _enrolled(work: Work, pin: SupportPin) -> int | None:
    made = select(InstallerUse.client_id).where(
        InstallerUse.installer_id == pin.installer_id, InstallerUse.code == ""
    )
    number = work.session.scalars(made).first()
    return number if number and work.session.get(JumpClient, number) is not None else None


def _revoke(work: Work, pin: SupportPin) -> None:
    """Leave nothing that could still be used."""
    installer = work.session.get(Installer, pin.installer_id) if pin.installer_id else None
    if installer is not None and installer.revoked_at is None:
        installer.revoked_at, installer.revoked_by = work.now(), work.actor.name
        installer.sealed_secret = None


def expire(work: Work) -> None:
    """End the requests that nobody answered while their installer was valid."""
    old = work.now() - timedelta(minutes=VALID_MINUTES)
    late = select(SupportPin).where(SupportPin.ended_at.is_(None), SupportPin.asked_at < old)
    for pin in work.session.scalars(late):
        finish(work, pin, "pin.timeout")


def outcome(pin: SupportPin, language: str) -> str:
    """Return why a request came to nothing, in words; empty when it did not."""
    if not pin.code:
        return ""
    try:
        return TremplinError(pin.code, detail=pin.detail or "?").text(language)
    except KeyError:
        return f"{pin.code} {pin.detail}".strip()


def attached(work: Work, pin: SupportPin) -> JumpClient:
    """Return the Jump Client that a request made. Raises NotFound (client.missing)."""
    client = work.session.get(JumpClient, pin.client_id) if pin.client_id else None
    if client is None:
        raise NotFound("client.missing", id=pin.client_id or "?")
    return client
