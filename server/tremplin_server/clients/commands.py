"""Orders to agents: stored, signed, repeated until acknowledged."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete, or_, select
from tremplin_agent import wire
from tremplin_agent.wire import CommandKind

from tremplin_server.audit import service as audit
from tremplin_server.clients import removal, updating
from tremplin_server.clients.identity import SiteIdentity, site_identity
from tremplin_server.clients.models import (
    ClosedBy,
    Command,
    JumpClient,
    Tombstone,
    TombstoneKind,
)
from tremplin_server.db import Work


def order(work: Work, client_id: int, kind: CommandKind, body: Mapping[str, Any]) -> Command:
    """Store an order for a client and wake the gateway.

    A second order of a kind replaces the first, except to uninstall: only the last counts.
    """
    if kind is not CommandKind.UNINSTALL:
        work.session.execute(
            delete(Command).where(Command.client_id == client_id, Command.kind == kind.value)
        )
    command = Command(
        id=str(uuid.uuid4()),
        client_id=client_id,
        kind=kind.value,
        body=dict(body),
        created_at=work.now(),
        created_by=work.actor.name,
    )
    work.session.add(command)
    work.session.flush()
    work.notify("client.command", client_id=client_id)
    return command


def pending(work: Work, client_ids: Iterable[int]) -> dict[int, list[wire.Command]]:
    """Return the orders that wait for these clients, oldest first, signed where needed.

    A deleted record's order to uninstall is among them, under the id it had.
    """
    wanted = list(client_ids)
    stored = work.session.scalars(
        select(Command).where(Command.client_id.in_(wanted)).order_by(Command.created_at)
    ).all()
    buried = work.session.scalars(
        select(Tombstone).where(
            Tombstone.client_id.in_(wanted),
            Tombstone.kind == TombstoneKind.DELETED,
            or_(
                Tombstone.closed_at.is_(None),
                Tombstone.closed_by.not_in([ClosedBy.HOST.value, ClosedBy.UNINSTALLED.value]),
            ),
        )
    ).all()
    if not stored and not buried:
        return {}
    identity = site_identity(work)
    found: dict[int, list[wire.Command]] = defaultdict(list)
    for command in stored:
        kind = CommandKind(command.kind)
        found[command.client_id].append(
            _signed(identity, command.id, kind, command.client_id, command.body)
        )
    for grave in buried:
        body = {"reason": grave.reason}
        found[grave.client_id].append(
            _signed(identity, grave.command_id, CommandKind.UNINSTALL, grave.client_id, body)
        )
    return dict(found)


def _signed(
    identity: SiteIdentity, command_id: str, kind: CommandKind, client_id: int, body: dict[str, Any]
) -> wire.Command:
    signature = ""
    if kind.signed:
        signed = wire.command_bytes(command_id, kind.value, client_id, body)
        signature = wire.b64encode(identity.sign(signed))
    return wire.Command(command_id, kind.value, client_id, body, signature)


def acknowledge(work: Work, client_id: int, public_key: bytes, ack: wire.Ack) -> None:
    """Note that the agent with this key carried an order out, or failed for good.

    Done orders are forgotten; a done `uninstall` ends the record as the host's own word
    does. A failed one is audited; a failed `uninstall` stays, for the next connection.
    An acknowledgement of an unknown order, such as a repeated one, changes nothing.
    """
    grave = work.session.scalar(
        select(Tombstone).where(
            Tombstone.client_id == client_id,
            Tombstone.command_id == ack.id,
            Tombstone.public_key == public_key,
        )
    )
    command = work.session.get(Command, ack.id)
    if command is not None and command.client_id != client_id:
        command = None
    if command is None and grave is None:
        return
    if ack.code:
        _failed(work, client_id, ack, command)
    elif grave is not None:
        removal.close(work, grave, ClosedBy.HOST)
    elif command is not None and command.kind == CommandKind.UNINSTALL:
        removal.host_is_gone(work, client_id, public_key, wire.UninstallReason.COMMAND.value)
    elif command is not None:
        if command.kind == CommandKind.UPGRADE:
            updating.ended(work, command.id, client_id)
        work.session.delete(command)


def _failed(work: Work, client_id: int, ack: wire.Ack, command: Command | None) -> None:
    client = work.session.get(JumpClient, client_id)
    kind = command.kind if command is not None else CommandKind.UNINSTALL.value
    audit.record(
        work,
        "client.command_failed",
        "client",
        client_id,
        client.name if client is not None else "",
        kind=kind,
        code=ack.code[:64],
        detail=ack.detail[:1024],
    )
    if command is not None and kind == CommandKind.UPGRADE:
        updating.ended(work, command.id, client_id, ack.code, ack.detail)
    if command is not None and kind != CommandKind.UNINSTALL:
        work.session.delete(command)


def waiting(work: Work, client_ids: Iterable[int]) -> set[int]:
    """Return which of these connected clients have an order waiting.

    For the gateway to look now and then: an order by the `tremplin` command reaches it
    through the database only.
    """
    wanted = list(client_ids)
    stored = select(Command.client_id).where(Command.client_id.in_(wanted))
    buried = select(Tombstone.client_id).where(
        Tombstone.client_id.in_(wanted),
        Tombstone.kind == TombstoneKind.DELETED,
        Tombstone.closed_at.is_(None),
    )
    return {*work.session.scalars(stored), *work.session.scalars(buried)}
