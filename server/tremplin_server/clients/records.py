"""Making a record for an agent that was let in, or giving it the one it had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select, text
from tremplin_agent.wire import b64encode

from tremplin_server.audit import service as audit
from tremplin_server.clients import facts, removal
from tremplin_server.clients.lifecycle import Event, State, after
from tremplin_server.clients.models import ClosedBy, JumpClient, Tombstone, TombstoneKind
from tremplin_server.db import Work
from tremplin_server.errors import Conflict
from tremplin_server.installers.models import Installer

_LOCK = 0x7472_656D_706C_6E01
"""Key of PostgreSQL's advisory lock for enrolments; SQLite has one writer anyway."""


def one_at_a_time(work: Work) -> None:
    """Let nobody else enrol, or become active, until the work ends: limits hold exactly."""
    if work.session.get_bind().dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


@dataclass(frozen=True, slots=True)
class Arrival:
    """An agent at the door. facts: what its host says about itself, as it came."""

    public_key: bytes
    fingerprint: str
    public_ip: str
    version: str
    platform: str
    facts: Mapping[str, Any] = field(repr=False)


def require_room(work: Work, record: JumpClient | None, connection_type: str) -> None:
    """Raise Conflict (limit.total, limit.active) when the site has no room for a record.

    record: the one that is taken over, which has its place already unless its agent was
    uninstalled.
    """
    placed = record is not None and record.state != State.UNINSTALLED
    if not placed and _is_full(work, work.config.limit_clients, _INSTALLED):
        raise Conflict("limit.total")
    counted = placed and record is not None and record.connection_type == "active"
    if connection_type == "active" and not counted:
        require_active_room(work, "limit.active")


def require_active_room(work: Work, code: str) -> None:
    """Raise Conflict (`code`) when the site has no room for another active client."""
    active = _INSTALLED.where(JumpClient.connection_type == "active")
    if _is_full(work, work.config.limit_active_clients, active):
        raise Conflict(code)


_INSTALLED = select(func.count()).where(JumpClient.state != State.UNINSTALLED.value)


def _is_full(work: Work, limit: int, query: Select[int]) -> bool:
    return bool(limit) and (work.session.scalar(query) or 0) >= limit


def create(
    work: Work, installer: Installer, arrival: Arrival, properties: Mapping[str, Any]
) -> JumpClient:
    """Make a new record in state `pending`."""
    client = JumpClient(
        state=State.PENDING,
        created_at=work.now(),
        statistics={},
        hostname="",
        fqdn="",
    )
    _settle_in(work, client, installer, arrival, properties)
    client.name = properties.get("name") or client.hostname or client.fqdn or "Jump Client"
    client.name = client.name[:128]
    work.session.add(client)
    work.session.flush()
    _tell(work, "client.enrolled", client, installer, arrival)
    return client


def replace(
    work: Work,
    installer: Installer,
    arrival: Arrival,
    properties: Mapping[str, Any],
    client: JumpClient,
) -> JumpClient:
    """Give an existing record to the arrival; the old key is revoked under a tombstone.

    The record keeps its id and what this installation does not state. Orders meant for
    the old installation are forgotten, and its connection, if it has one, is closed.
    """
    grave = removal.bury(
        work, client, TombstoneKind.REPLACED, closed_by=ClosedBy.REPLACED, reason="enrolled anew"
    )
    removal.forget_orders(work, client.id)
    work.notify(
        "client.close",
        client_id=client.id,
        code="enrol.key_replaced",
        public_key=b64encode(grave.public_key),
    )
    client.state = after(State(client.state), Event.REENROLLED)
    client.worker_id = None
    _settle_in(work, client, installer, arrival, properties)
    client.name = properties.get("name") or client.name
    work.session.flush()
    _tell(work, "client.reenrolled", client, installer, arrival)
    return client


def _settle_in(
    work: Work,
    client: JumpClient,
    installer: Installer,
    arrival: Arrival,
    properties: Mapping[str, Any],
) -> None:
    for name, value in properties.items():
        if name != "name":
            setattr(client, name, value)
    told = {**facts.columns(arrival.facts), **facts.installation(arrival.facts)}
    for name, value in told.items():
        setattr(client, name, value)
    client.statistics = facts.numbers(arrival.facts)
    client.networks = facts.networks(arrival.facts)
    client.public_key = arrival.public_key
    client.fingerprint = arrival.fingerprint
    client.public_ip = arrival.public_ip
    client.agent_version = arrival.version
    client.platform = arrival.platform
    client.installer_id = installer.id
    client.updated_at = client.last_seen = work.now()


def _tell(
    work: Work, action: str, client: JumpClient, installer: Installer, arrival: Arrival
) -> None:
    audit.record(
        work,
        action,
        "client",
        client.id,
        client.name,
        installer_id=installer.id,
        external_id=client.external_id,
        fingerprint=arrival.fingerprint,
        hostname=client.hostname,
        public_ip=arrival.public_ip,
    )
    work.notify("client.changed", client_id=client.id, state=State.PENDING.value)


def settle_old_graves(work: Work, client: JumpClient) -> None:
    """Close tombstones that wait for an installation which this one stands in the place of.

    An installer never unpacks over a directory that exists: a new installation in the
    same place of the same machine proves that the deleted one is gone.
    """
    if not client.fingerprint or not client.install_dir:
        return
    waiting = select(Tombstone).where(
        Tombstone.kind == TombstoneKind.DELETED,
        Tombstone.closed_at.is_(None),
        Tombstone.fingerprint == client.fingerprint,
        Tombstone.install_dir == client.install_dir,
    )
    for tombstone in work.session.scalars(waiting):
        removal.close(work, tombstone, ClosedBy.REPLACED)
