"""What connected agents tell: statistics, users, switches, farewells and log lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, func, select, update
from tremplin_agent import wire

from tremplin_server.audit import service as audit
from tremplin_server.clients import facts, history, removal, waking
from tremplin_server.clients.lifecycle import Event, State, after, at_rest
from tremplin_server.clients.models import JumpClient, UnknownKey
from tremplin_server.clients.presence import CLIENTS
from tremplin_server.db import Work
from tremplin_server.errors import Conflict

UNKNOWN_KEYS_KEPT = 10_000
"""Anyone can claim an id: the list of unknown keys does not grow beyond this."""

_FIELDS = (*facts.TEXT_LIMITS, "statistics", "networks", "listening")
_UPDATE = (
    update(CLIENTS)
    .where(CLIENTS.c.id == bindparam("row_id"))
    .values(
        last_seen=bindparam("now", type_=CLIENTS.c.last_seen.type),
        **{name: bindparam(f"new_{name}", type_=CLIENTS.c[name].type) for name in _FIELDS},
    )
)


def statistics(work: Work, values_by_client: Mapping[int, Mapping[str, Any]]) -> None:
    """Write the statistics of a batch of clients in a few statements.

    What a client did not send stays as it was; unknown clients are left out.
    """
    query = select(CLIENTS.c.id, *(CLIENTS.c[name] for name in _FIELDS)).where(
        CLIENTS.c.id.in_(list(values_by_client))
    )
    rows = []
    for row in work.session.execute(query):
        values = values_by_client[row.id]
        merged = {**row._mapping, **facts.columns(values)}
        merged["listening"] = waking.told(values) or row.listening or {}
        merged["statistics"] = {**(row.statistics or {}), **facts.numbers(values)}
        if "networks" in values:
            merged["networks"] = facts.networks(values)
        new = {f"new_{name}": merged[name] for name in _FIELDS}
        rows.append({"row_id": row.id, "now": work.now(), **new})
    if rows:
        work.session.connection().execute(_UPDATE, rows)
        told = {row["row_id"]: row["new_statistics"] for row in rows}
        history.note(work, {key: values for key, values in told.items() if values})


def user_changed(work: Work, client_id: int, console_user: str) -> None:
    """Note who sits at the console now (empty: nobody)."""
    statistics(work, {client_id: {"console_user": console_user}})


def disabled(work: Work, client_id: int) -> None:
    """Note that the local user switched the Jump Client off."""
    _switched(work, client_id, Event.DISABLED, "client.disabled")


def enabled(work: Work, client_id: int) -> None:
    """Note that the local user switched the Jump Client on again."""
    _switched(work, client_id, Event.ENABLED, "client.enabled")


def _switched(work: Work, client_id: int, event: Event, action: str) -> None:
    client = work.session.get(JumpClient, client_id, with_for_update=True)
    if client is None:
        return
    try:
        state = after(State(client.state), event)
    except Conflict:
        return
    if client.worker_id is None:
        state = at_rest(state, client.connection_type)
    if state != client.state:
        client.state = state
        audit.record(work, action, "client", client.id, client.name)
        work.notify("client.changed", client_id=client.id, state=state.value)


def host_uninstalled(work: Work, client_id: int, public_key: bytes, reason: str) -> None:
    """Note an agent's last word: it is gone from its host. See `removal.host_is_gone`."""
    removal.host_is_gone(work, client_id, public_key, facts.text(reason, 64))


def log(work: Work, client_id: int, line: wire.Log) -> None:
    """Keep a line that an agent finds worth keeping, in the audit log."""
    client = work.session.get(JumpClient, client_id)
    if client is None:
        return
    audit.record(
        work,
        "client.log",
        "client",
        client_id,
        client.name,
        level=facts.text(line.level, 16),
        code=facts.text(line.code, 64),
        detail=facts.text(line.detail, 1024),
    )


def unknown_key(work: Work, hello: wire.Hello, public_ip: str) -> None:
    """List an agent whose id no record and no tombstone has; it is never removed."""
    if not 0 < hello.client_id < 2**31:
        return
    known = work.session.get(UnknownKey, hello.client_id)
    if known is None:
        count = work.session.scalar(select(func.count()).select_from(UnknownKey)) or 0
        if count >= UNKNOWN_KEYS_KEPT:
            return
        known = UnknownKey(client_id=hello.client_id, first_seen=work.now())
        work.session.add(known)
    known.fingerprint = facts.text(hello.fingerprint, 64)
    known.public_ip = facts.text(public_ip, 64)
    known.last_seen = work.now()
    work.session.flush()
