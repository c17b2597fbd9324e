"""How a record ends: buried under a tombstone, or gone because its host said so.

Only this module deletes records and makes or closes tombstones, so that no path leaves a
key alive on a host without a record or a tombstone at the server.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import delete, select
from tremplin_agent.wire import CommandKind

from tremplin_server.audit import service as audit
from tremplin_server.clients import waking
from tremplin_server.clients.lifecycle import Event, State, after, offline_limit_minutes
from tremplin_server.clients.models import (
    ClosedBy,
    Command,
    JumpClient,
    Tombstone,
    TombstoneKind,
)
from tremplin_server.db import Work
from tremplin_server.groups import service as groups


def bury(
    work: Work,
    client: JumpClient,
    kind: TombstoneKind,
    *,
    reason: str = "",
    closed_by: ClosedBy | None = None,
) -> Tombstone:
    """Make the tombstone of a record's present key; the record itself is left to the caller.

    A pending order to uninstall lends its id, so that an acknowledgement that is on its
    way still counts. closed_by: close the tombstone at once.
    """
    minutes = offline_limit_minutes(
        work.config.delete_days,
        max_offline_minutes=client.max_offline_minutes,
        ephemeral=client.ephemeral,
        pinned_forever=client.pinned_forever,
    )
    tombstone = Tombstone(
        kind=kind,
        client_id=client.id,
        public_key=client.public_key,
        command_id=_uninstall_order(work, client.id) or str(uuid.uuid4()),
        external_id=client.external_id,
        name=client.name,
        hostname=client.hostname,
        fingerprint=client.fingerprint,
        install_dir=client.install_dir,
        jump_group=groups.owner(work, client.jump_group_type, client.jump_group_id).label,
        shared_group_id=client.shared_group_id,
        owner_user_id=client.owner_user_id,
        deleted_at=work.now(),
        deleted_by=work.actor.name,
        reason=reason,
        expires_at=work.now() + timedelta(minutes=minutes) if minutes else None,
        closed_at=work.now() if closed_by else None,
        closed_by=closed_by or "",
        listening=waking.buried(client),
    )
    work.session.add(tombstone)
    work.session.flush()
    return tombstone


def _uninstall_order(work: Work, client_id: int) -> str | None:
    return work.session.scalar(
        select(Command.id).where(
            Command.client_id == client_id, Command.kind == CommandKind.UNINSTALL.value
        )
    )


def remove(
    work: Work, client: JumpClient, action: str, *, reason: str = "", gone: ClosedBy | None = None
) -> Tombstone:
    """Delete a record, leave a tombstone, audit it as `action`, tell the gateway.

    gone: how the tombstone is closed at once, when the host's half is known to be gone.
    """
    tombstone = bury(work, client, TombstoneKind.DELETED, reason=reason, closed_by=gone)
    audit.record(
        work,
        action,
        "client",
        client.id,
        client.name,
        reason=reason,
        external_id=client.external_id,
        hostname=client.hostname,
        state=str(client.state),
        jump_group=tombstone.jump_group,
    )
    forget_orders(work, client.id)
    work.session.delete(client)
    work.session.flush()
    work.notify("client.deleted", client_id=client.id)
    return tombstone


def forget_orders(work: Work, client_id: int) -> None:
    """Delete the orders that wait for a client."""
    work.session.execute(delete(Command).where(Command.client_id == client_id))


def close(work: Work, tombstone: Tombstone, how: ClosedBy) -> None:
    """Close a tombstone. What the host itself says replaces what was guessed before."""
    if tombstone.closed_at is not None and how != ClosedBy.HOST:
        return
    if tombstone.closed_by == ClosedBy.HOST:
        return
    tombstone.closed_at = work.now()
    tombstone.closed_by = how.value
    audit.record(
        work,
        "tombstone.closed",
        "tombstone",
        tombstone.id,
        tombstone.name,
        how=how.value,
        client_id=tombstone.client_id,
    )


def host_is_gone(work: Work, client_id: int, public_key: bytes, reason: str) -> None:
    """Note that the agent with this key is gone from its host. Saying it twice is harmless.

    reason: a `wire.UninstallReason` value. The record becomes `uninstalled`, or leaves
    with a closed tombstone where the site wants that; a tombstone of the key is closed.
    """
    client = work.session.get(JumpClient, client_id)
    if client is not None and client.public_key == public_key:
        _record_is_gone(work, client, reason)
        return
    waiting = select(Tombstone).where(
        Tombstone.client_id == client_id,
        Tombstone.public_key == public_key,
        Tombstone.kind == TombstoneKind.DELETED,
    )
    for tombstone in work.session.scalars(waiting):
        close(work, tombstone, ClosedBy.HOST)


def _record_is_gone(work: Work, client: JumpClient, reason: str) -> None:
    if client.state == State.UNINSTALLED:
        return
    if work.config.uninstalled_records == "remove":
        remove(work, client, "client.uninstalled", reason=reason, gone=ClosedBy.HOST)
        return
    client.state = after(State(client.state), Event.HOST_UNINSTALLED)
    client.last_seen = client.updated_at = work.now()
    forget_orders(work, client.id)
    audit.record(work, "client.uninstalled", "client", client.id, client.name, reason=reason)
    work.notify("client.changed", client_id=client.id, state=State.UNINSTALLED.value)
