"""What a session may be refused for before it begins: rights, values, states, limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import func, select, text
from tremplin_agent.terms import Capability
from tremplin_agent.wire import version_numbers

from tremplin_server.clients import service as clients
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied, Invalid, Unavailable
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ItemPermission, Permission
from tremplin_server.sessions import grants
from tremplin_server.sessions.models import Front, JumpSession, SessionState
from tremplin_server.sessions.policy_gate import Admission, Asked, Item, admit

START_SECONDS = 60
"""A start that is older than this no longer counts among those at once."""

MAX_KEYS = 50
MAX_KEYS_LENGTH = 64 * 1024
"""All together; the terms of a session must fit into one frame."""

MAX_REASON = 1024
MAX_TICKET_ID = 255

_START_LOCK = 0x7472_656D_706C_6E04
_KEY = re.compile(r"[a-z0-9@.-]{3,64} [A-Za-z0-9+/=]{16,16384}( [^\r\n\0]{0,255})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Request:
    """What a technician asks for.

    ports: of the host's loopback that he wants to forward to; None for all that the site
    allows. targets: ports of machines beside the host, as `tremplin_agent.targets` writes
    them; that he may have those is the caller's to settle. keys: OpenSSH public keys that he
    signs in with on the host. open: the front
    vouches for him, and the host lets him in without a key. technician_ip: where he comes
    from; the actor's address when empty. ticket_id: of what he works on. code: of his second
    factor, for a Jump Policy that asks for it again. proven: the front has just taken one.
    """

    front: Front
    capabilities: tuple[Capability, ...] = tuple(Capability)
    ports: tuple[int, ...] | None = None
    targets: tuple[str, ...] = ()
    reason: str = ""
    technician_ip: str = ""
    keys: tuple[str, ...] = ()
    open: bool = False
    ticket_id: str = ""
    code: str = field(default="", repr=False)
    proven: bool = False


def startable(work: Work, client_id: int, request: Request) -> tuple[JumpClient, Admission]:
    """Return the Jump Client of a session that may begin, and what its policies say.

    See `service.start` for the errors.

    Until the work ends, no other start of the site passes: limits are exact.
    """
    work.actor.require(Permission.SESSIONS_START)
    client, place = clients.get(work, client_id), clients.place(work, client_id)
    groups.require_item(work, place, ItemPermission.START)
    require_values(work, request)
    _require_ready(work, client)
    grant = grants.of(work, place, client, request.capabilities)
    _one_at_a_time(work)
    asked = Asked(
        request.reason,
        request.ticket_id,
        request.code,
        continues=request.front is Front.FILES,
        proven=request.proven,
    )
    item = Item("client", place.id, client.name, client.id)
    admission = admit(work, place.jump_policy_id, item, asked)
    require_room(work)
    return client, replace(admission, grant=grant)


def require_values(work: Work, request: Request) -> None:
    """Raise Invalid or Denied (session.port) when a request is none that can be granted."""
    wrong: dict[str, list[str]] = {}
    if len(request.reason) > MAX_REASON:
        wrong["reason"] = [f"Longer than maximum length {MAX_REASON}."]
    if len(request.ticket_id) > MAX_TICKET_ID:
        wrong["ticket_id"] = [f"Longer than maximum length {MAX_TICKET_ID}."]
    if not request.capabilities:
        wrong["capabilities"] = ["Missing data for required field."]
    if sum(map(len, request.keys)) > MAX_KEYS_LENGTH or len(request.keys) > MAX_KEYS:
        wrong["public_keys"] = ["Too many keys."]
    elif not all(_KEY.fullmatch(key) for key in request.keys):
        wrong["public_keys"] = ["Not OpenSSH public keys."]
    elif not request.keys and not request.open:
        wrong["public_keys"] = ["Missing data for required field."]
    if wrong:
        raise Invalid(wrong)
    for port in request.ports or ():
        if port not in work.config.session_ports:
            raise Denied("session.port", port=port)


REFUSALS = {
    State.UNINSTALLED: "client.uninstalled",
    State.REMOVING: "client.removing",
    State.DISABLED: "jump.disabled",
    State.PENDING: "jump.not_connected",
    State.OFFLINE: "client.offline",
}


def _require_ready(work: Work, client: JumpClient) -> None:
    state = State(client.state)
    away = state in (State.PENDING, State.OFFLINE) or client.worker_id is None
    if client.connection_type == "passive" and away and state not in _FINAL:
        return
    if state in REFUSALS:
        raise Conflict(REFUSALS[state])
    if client.worker_id is None:
        raise Conflict("jump.not_connected")
    _require_version(work, client)


def _require_version(work: Work, client: JumpClient) -> None:
    """Raise Conflict (jump.version) when the agent is older than what this site talks to."""
    oldest = version_numbers(work.config.oldest_agent)
    if client.agent_version and version_numbers(client.agent_version) < oldest:
        raise Conflict("jump.version", version=client.agent_version)


_FINAL = (State.UNINSTALLED, State.REMOVING, State.DISABLED)


def _one_at_a_time(work: Work) -> None:
    """Let starts count one another: on SQLite they are alone anyway."""
    if work.session.get_bind().dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _START_LOCK})


def starting(work: Work) -> int:
    """Return how many sessions of the site are starting now."""
    found = select(func.count()).where(
        JumpSession.state == SessionState.STARTING,
        JumpSession.created_at > work.now() - timedelta(seconds=START_SECONDS),
    )
    return work.session.scalar(found) or 0


def require_room(work: Work) -> None:
    """Raise Unavailable (jump.busy) when too many sessions start at once."""
    _one_at_a_time(work)
    limit = work.config.session_starts_at_once
    if limit and starting(work) >= limit:
        raise Unavailable("jump.busy")
