"""What a session can be held on: a Jump Client, or a guest that another feature brings.

A guest's number is negative: no Jump Client has one. The feature that brings guests stands
above this one, so it tells here who answers for them (`GUESTS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tremplin_server.clients import service as clients
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ItemPermission, Permission
from tremplin_server.sessions import checks, grants
from tremplin_server.sessions.checks import Request
from tremplin_server.sessions.models import JumpSession
from tremplin_server.sessions.policy_gate import Admission


@dataclass(frozen=True, slots=True)
class Guest:
    """A host that is no Jump Client, in the terms that sessions use of one.

    id: negative. worker_id: the worker that holds its control channel, if any does.
    """

    id: int
    name: str
    public_key: bytes
    worker_id: str | None
    external_id: str | None = None
    connection_type: str = "active"
    platform: str = ""


class Guests(Protocol):
    """Who answers for hosts with a negative number."""

    def startable(self, work: Work, number: int, request: Request) -> Guest:
        """Return the guest if the actor may start this session on it now; TremplinError."""

    def require(self, work: Work, number: int) -> None:
        """Raise TremplinError unless the actor may have sessions on the guest."""

    def find(self, work: Work, number: int) -> Guest | None:
        """Return the guest, whoever asks, even when it has gone; None if there never was one."""


GUESTS: list[Guests] = []
"""One at most: set by the composition root."""

SessionHost = JumpClient | Guest


def startable(work: Work, number: int, request: Request) -> tuple[SessionHost, Admission]:
    """Return the host of a session that may begin, and what its policy says.

    A guest has no Jump Policy; a session policy holds as for Jump Clients. See `service.start`
    for the errors.
    """
    if number > 0:
        return checks.startable(work, number, request)
    if not GUESTS:
        raise NotFound("client.missing", id=number)
    checks.require_values(work, request)
    # A refusal is committed, so nobody may be told of a start before it is sure.
    GUESTS[0].require(work, number)
    grant = grants.of_guest(work, request.capabilities)
    guest = GUESTS[0].startable(work, number, request)
    checks.require_room(work)
    return guest, Admission(grant=grant)


def require(work: Work, number: int) -> None:
    """Raise NotFound (client.missing) or Denied unless the actor may have sessions there."""
    work.actor.require(Permission.SESSIONS_START)
    if number < 0 and GUESTS:
        GUESTS[0].require(work, number)
        return
    groups.require_item(work, clients.place(work, number), ItemPermission.START)


def of(work: Work, session: JumpSession) -> SessionHost | None:
    """Return the host of a session; None once it is gone."""
    if session.guest_id is not None:
        return GUESTS[0].find(work, -session.guest_id) if GUESTS else None
    return work.session.get(JumpClient, session.client_id) if session.client_id else None


def subject(session: JumpSession) -> tuple[str, int]:
    """Return kind and id of a session's host, for the audit log."""
    if session.guest_id is not None:
        return "support", session.guest_id
    return "client", session.client_id or 0
