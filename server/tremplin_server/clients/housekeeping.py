"""What time does to records: purging, expiring, wiping; and what agents are told of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select

from tremplin_server.clients import copies, presence, removal
from tremplin_server.clients.lifecycle import (
    State,
    check_in_seconds,
    is_expired,
    offline_limit_minutes,
    overdue_after,
)
from tremplin_server.clients.models import ClosedBy, JumpClient, Tombstone, UnknownKey
from tremplin_server.clients.presence import Identity
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.installers import service as installers
from tremplin_server.permissions import Permission


@dataclass(frozen=True, slots=True)
class Purged:
    """A record that was (or, in a dry run, would be) purged."""

    id: int
    name: str
    external_id: str | None
    last_seen: datetime
    limit_minutes: int


def settings_for(config: Config, identity: Identity) -> dict[str, Any]:
    """Return the `Welcome.settings` of a client; an offline limit of 0 means never."""
    limit = limit_of(config, identity)
    return {
        "heartbeat_seconds": config.heartbeat_seconds,
        "statistics_seconds": config.statistics_seconds,
        "offline_limit_minutes": limit,
        "connection_type": identity.connection_type,
        "check_in_seconds": check_in_seconds(config.check_in_seconds, limit),
        "wake_port": config.wake_port,
    }


def limit_of(config: Config, client: Identity | JumpClient | copies.AsListed) -> int:
    """Return after how many minutes away a client is dropped; 0 means never."""
    return offline_limit_minutes(
        config.delete_days,
        max_offline_minutes=client.max_offline_minutes,
        ephemeral=client.ephemeral,
        pinned_forever=client.pinned_forever,
    )


def expires_at(config: Config, client: JumpClient | copies.AsListed) -> datetime | None:
    """Return when an agent that is away will remove itself, if it ever does."""
    limit = limit_of(config, client)
    near = client.state in (State.ONLINE, State.RESTING) or client.worker_id
    if near or client.state == State.UNINSTALLED or not limit:
        return None
    try:
        return (client.last_seen or client.created_at) + timedelta(minutes=limit)
    except OverflowError:
        return None


def purge(work: Work, dry_run: bool) -> list[Purged]:
    """Delete the records that have been away for longer than their limit.

    dry_run: only tell which. Needs clients.delete and sight of all groups. The agents
    have removed themselves by then; should one live on, its tombstone awaits it.
    """
    work.actor.require(Permission.CLIENTS_DELETE)
    work.actor.require(Permission.SEE_ALL_GROUPS)
    purged = []
    for client, last_seen, limit in list(_expired(work)):
        purged.append(Purged(client.id, client.name, client.external_id, last_seen, limit))
        if not dry_run:
            gone = ClosedBy.UNINSTALLED if client.state == State.UNINSTALLED else None
            removal.remove(work, client, "client.purged", reason="offline_limit", gone=gone)
    return purged


def _expired(work: Work) -> Iterator[tuple[JumpClient, datetime, int]]:
    away = select(JumpClient).where(
        JumpClient.worker_id.is_(None),
        JumpClient.state != State.ONLINE,
        JumpClient.pinned_forever.is_(False),
        # No limit is shorter than a minute, so this alone sorts most records out.
        or_(
            JumpClient.last_seen.is_(None), JumpClient.last_seen < work.now() - timedelta(minutes=1)
        ),
    )
    for client in work.session.scalars(away.order_by(JumpClient.id)):
        last_seen = client.last_seen or client.created_at
        limit = limit_of(work.config, client)
        if client.state == State.UNINSTALLED:
            limit = work.config.delete_days * 24 * 60
        if is_expired(last_seen, work.now(), limit):
            yield client, last_seen, limit


def sweep(work: Work) -> int:
    """Do all of housekeeping once: purge, expire tombstones, forget, wipe secrets.

    Returns how many records were purged.
    """
    purged = purge(work, dry_run=False)
    presence.mark_overdue(work, overdue_after(work.config.check_in_seconds))
    _remove_dated(work)
    copies.remove_dated(work)
    _expire_tombstones(work)
    forgotten = work.now() - timedelta(days=work.config.delete_days)
    work.session.execute(delete(UnknownKey).where(UnknownKey.last_seen < forgotten))
    installers.wipe_expired(work)
    return len(purged)


def _remove_dated(work: Work) -> None:
    """Remove the records whose date has come; their hosts are told like those of a deletion."""
    for client in work.session.scalars(
        select(JumpClient).where(JumpClient.remove_at <= work.now()).order_by(JumpClient.id)
    ).all():
        gone = ClosedBy.UNINSTALLED if client.state == State.UNINSTALLED else None
        removal.remove(work, client, "client.expired", reason="remove_at", gone=gone)


def _expire_tombstones(work: Work) -> None:
    past = select(Tombstone).where(Tombstone.closed_at.is_(None), Tombstone.expires_at < work.now())
    for tombstone in work.session.scalars(past).all():
        removal.close(work, tombstone, ClosedBy.EXPIRED)
