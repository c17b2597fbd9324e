"""Who may connect, and who is connected: read and written for hundreds of agents at once.

Everything here is one or two statements for a whole batch, on Core rows: after a restart
of the server all its agents come back within seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, select, update

from tremplin_server.audit import service as audit
from tremplin_server.clients.lifecycle import Event, State, after, at_rest
from tremplin_server.clients.models import (
    ClosedBy,
    JumpClient,
    Tombstone,
    TombstoneKind,
    Worker,
)
from tremplin_server.db import Work
from tremplin_server.errors import Conflict

CLIENTS = cast(Table, JumpClient.__table__)
TOMBSTONES = cast(Table, Tombstone.__table__)
_CONFIRMED = (ClosedBy.HOST, ClosedBy.UNINSTALLED)


@dataclass(frozen=True, slots=True)
class Identity:
    """A key that belongs, or belonged, to a client id.

    tombstone: None for a record. command_id: of the uninstall order of a tombstone that
    still waits, else empty. closed: the host confirmed that this key is gone; nothing is
    said to it but `client.uninstalled`.
    """

    client_id: int
    public_key: bytes
    state: State
    fingerprint: str
    max_offline_minutes: int
    ephemeral: bool
    pinned_forever: bool = False
    tombstone: TombstoneKind | None = None
    command_id: str = ""
    closed: bool = False
    connection_type: str = "active"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a connection. Empty texts leave what is known.

    public_key: the key that a newcomer proved; empty where nothing was proved just now.
    """

    client_id: int
    event: Event
    at: datetime
    worker_id: str
    public_ip: str = ""
    version: str = ""
    platform: str = ""
    fingerprint: str = ""
    public_key: bytes = b""


def identity_of(client: JumpClient) -> Identity:
    """Return the identity of a record."""
    return Identity(
        client.id,
        client.public_key,
        State(client.state),
        client.fingerprint,
        client.max_offline_minutes,
        client.ephemeral,
        client.pinned_forever,
        connection_type=client.connection_type,
    )


def identity_of_tombstone(tombstone: Tombstone) -> Identity:
    """Return the identity of a key without a record."""
    return _buried(
        tombstone.client_id,
        tombstone.public_key,
        tombstone.fingerprint,
        tombstone.kind,
        tombstone.command_id,
        tombstone.closed_by,
    )


def identities(work: Work, client_ids: Iterable[int]) -> dict[int, list[Identity]]:
    """Return every key, living and buried, of up to a few hundred client ids.

    The record comes first; the one whose key verifies the proof is the caller's.
    """
    wanted = list(client_ids)
    found: dict[int, list[Identity]] = defaultdict(list)
    c, t = CLIENTS.c, TOMBSTONES.c
    records = select(
        c.id,
        c.public_key,
        c.state,
        c.fingerprint,
        c.max_offline_minutes,
        c.ephemeral,
        c.pinned_forever,
        c.connection_type,
    ).where(c.id.in_(wanted))
    for row in work.session.execute(records):
        known = Identity(row[0], row[1], State(row[2]), *row[3:7], connection_type=row[7])
        found[row.id].append(known)
    buried = select(
        t.client_id, t.public_key, t.fingerprint, t.kind, t.command_id, t.closed_by
    ).where(t.client_id.in_(wanted))
    for grave in work.session.execute(buried):
        found[grave.client_id].append(_buried(*grave))
    return dict(found)


def _buried(
    client_id: int,
    public_key: bytes,
    fingerprint: str,
    kind: str,
    command_id: str,
    closed_by: str,
) -> Identity:
    # A deleted key that shows up although nobody heard its host confirm is still told to
    # go: closing a tombstone by hand ends the waiting, not the order.
    closed = kind == TombstoneKind.DELETED and closed_by in _CONFIRMED
    waits = kind == TombstoneKind.DELETED and not closed
    return Identity(
        client_id,
        public_key,
        State.REMOVING if waits else State.UNINSTALLED,
        fingerprint,
        0,
        False,
        tombstone=TombstoneKind(kind),
        command_id=command_id if waits else "",
        closed=closed,
    )


# --- writing --------------------------------------------------------------------------

_COLUMNS = (
    "state",
    "worker_id",
    "last_connect",
    "last_disconnect",
    "last_seen",
    "public_ip",
    "agent_version",
    "platform",
    "fingerprint",
)
_UPDATE = (
    update(CLIENTS)
    .where(CLIENTS.c.id == bindparam("row_id"))
    .values({name: bindparam(f"new_{name}", type_=CLIENTS.c[name].type) for name in _COLUMNS})
)


def write(work: Work, changes: Sequence[Change]) -> set[tuple[int, bytes]]:
    """Write a batch of changes, in their order, in one go.

    A record that was deleted meanwhile is left out: its tombstone speaks. A DISCONNECTED
    of a worker that no longer holds the client is ignored. What the life cycle does not
    know from where the record stands changes times only, never the state.
    Returns (client id, key) of the newcomers whose key is not that of a record any more.
    """
    strangers = set()
    rows = _rows(work, {change.client_id for change in changes})
    states = {client_id: row["state"] for client_id, row in rows.items()}
    for change in changes:
        row = rows.get(change.client_id)
        if change.public_key and (row is None or row["public_key"] != change.public_key):
            strangers.add((change.client_id, change.public_key))
        elif row is not None:
            _fold(work, row, change)
    _store(work, rows)
    for client_id, row in rows.items():
        if row["state"] != states[client_id]:
            work.notify("client.changed", client_id=client_id, state=str(row["state"]))
    return strangers


def _rows(work: Work, ids: set[int]) -> dict[int, dict[str, Any]]:
    columns = [
        CLIENTS.c[name] for name in ("id", "name", "public_key", "connection_type", *_COLUMNS)
    ]
    query = select(*columns).where(CLIENTS.c.id.in_(ids)).order_by(CLIENTS.c.id).with_for_update()
    return {row.id: dict(row._mapping) for row in work.session.execute(query)}


def _store(work: Work, rows: dict[int, dict[str, Any]]) -> None:
    values = [
        {"row_id": client_id, **{f"new_{name}": row[name] for name in _COLUMNS}}
        for client_id, row in rows.items()
    ]
    if values:
        work.session.connection().execute(_UPDATE, values)


def _fold(work: Work, row: dict[str, Any], change: Change) -> None:
    if change.event is Event.DISCONNECTED:
        if row["worker_id"] not in (None, change.worker_id):
            return
        row.update(worker_id=None, last_disconnect=change.at)
    elif change.event in (Event.CONNECTED, Event.CHECKED_IN):
        _note_fingerprint(work, row, change)
        stays = change.event is Event.CONNECTED
        row.update(
            worker_id=change.worker_id if stays else None,
            last_connect=change.at,
            last_disconnect=row["last_disconnect"] if stays else change.at,
            public_ip=change.public_ip[:64] or row["public_ip"],
            agent_version=change.version[:32] or row["agent_version"],
            platform=change.platform[:32] or row["platform"],
            fingerprint=change.fingerprint[:64] or row["fingerprint"],
        )
    state = State(row["state"])
    if state is State.UNINSTALLED and row["last_seen"] and change.at <= row["last_seen"]:
        # The farewell connection of an agent that has been uninstalled in the meantime.
        return
    row["last_seen"] = change.at
    row["state"] = _next(state, change.event)
    if change.event is Event.DISCONNECTED:
        row["state"] = at_rest(row["state"], row["connection_type"])


def _next(state: State, event: Event) -> State:
    try:
        return after(state, event)
    except Conflict:
        # One late word of one agent must not lose the batch of all the others.
        return state


def _note_fingerprint(work: Work, row: dict[str, Any], change: Change) -> None:
    old, new = row["fingerprint"], change.fingerprint[:64]
    if new and old and new != old:
        audit.record(
            work,
            "client.fingerprint_changed",
            "client",
            row["id"],
            row["name"],
            old=old,
            new=new,
            public_ip=change.public_ip,
        )


# --- workers that died ----------------------------------------------------------------


def take_over_dead_workers(work: Work, dead_before: datetime) -> int:
    """Mark the clients of workers without a heartbeat since `dead_before` as offline.

    Clients of workers that have no row at all count too. They were last seen at the last
    heartbeat of their worker. Returns how many clients there were; one notice
    `client.changed` with client_id 0 tells of them all.
    """
    living = select(Worker.id).where(Worker.heartbeat_at >= dead_before)
    held = select(JumpClient.worker_id).where(
        JumpClient.worker_id.is_not(None), JumpClient.worker_id.not_in(living)
    )
    seen = {
        row.id: row.heartbeat_at
        for row in work.session.execute(
            select(Worker.id, Worker.heartbeat_at).where(Worker.heartbeat_at < dead_before)
        )
    }
    count = 0
    for worker_id in work.session.scalars(held.distinct()).all():
        count += _orphaned(work, str(worker_id), seen.get(str(worker_id)))
    work.session.execute(delete(Worker).where(Worker.heartbeat_at < dead_before))
    if count:
        work.notify("client.changed", client_id=0, state=State.OFFLINE.value)
    return count


def _orphaned(work: Work, worker_id: str, last_heartbeat: datetime | None) -> int:
    connection = work.session.connection()
    mine = CLIENTS.c.worker_id == worker_id
    times = {"last_disconnect": work.now()}
    if last_heartbeat is not None:
        times = {"last_disconnect": last_heartbeat, "last_seen": last_heartbeat}
    passive = CLIENTS.c.connection_type == "passive"
    for which, state in ((passive, State.RESTING), (~passive, State.OFFLINE)):
        connection.execute(
            update(CLIENTS)
            .where(mine, which, CLIENTS.c.state == State.ONLINE)
            .values(state=state.value)
        )
    return connection.execute(update(CLIENTS).where(mine).values(worker_id=None, **times)).rowcount


def mark_overdue(work: Work, allowed: timedelta) -> int:
    """Mark the passive clients that have not checked in for longer than `allowed` as offline.

    Returns how many there were; one notice `client.changed` with client_id 0 tells of all.
    """
    late = update(CLIENTS).where(
        CLIENTS.c.state == State.RESTING.value, CLIENTS.c.last_seen < work.now() - allowed
    )
    count = work.session.connection().execute(late.values(state=State.OFFLINE.value)).rowcount
    if count:
        work.notify("client.changed", client_id=0, state=State.OFFLINE.value)
    return count
