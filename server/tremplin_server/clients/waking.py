"""Waking a host that is switched off, through a Jump Client in the same network."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from tremplin_server.audit import service as audit
from tremplin_server.clients import service
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Conflict
from tremplin_server.groups import service as groups
from tremplin_server.permissions import Permission

MOST = 3
"""Neighbours that are asked at once: one may stand behind a switch that drops broadcasts."""
_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A Jump Client that was asked to wake another."""

    id: int
    name: str


def wake(work: Work, client_id: int) -> list[Neighbour]:
    """Have up to `MOST` neighbours wake a host; return who was asked.

    Needs sessions.start and the right to start in its group. The neighbours may belong to any
    group: nothing of them is used but their place. Raises Conflict: wake.awake, wake.unknown
    (it never told its network cards), wake.nobody (no neighbour is connected).
    """
    work.actor.require(Permission.SESSIONS_START)
    client = service.get(work, client_id)
    groups.require_item(work, client, "start")
    if client.worker_id is not None:
        raise Conflict("wake.awake", name=client.name)
    if not client.networks:
        raise Conflict("wake.unknown", name=client.name)
    asked = _neighbours(work, client)
    if not asked:
        networks = ", ".join(sorted({one["network"] for one in client.networks}))
        raise Conflict("wake.nobody", name=client.name, networks=networks)
    for one in asked:
        work.notify("client.wake", client_id=one.id, target=client.id)
    names = [one.name for one in asked]
    audit.record(work, "client.wake", "client", client.id, client.name, through=names)
    return asked


def can_wake(client: JumpClient) -> bool:
    """Whether it makes sense to offer waking: it is away, and told once how to."""
    gone = client.state in (State.UNINSTALLED, State.REMOVING)
    return client.worker_id is None and not gone and bool(client.networks)


def targets(work: Work, client_id: int, neighbour_id: int) -> dict[str, str]:
    """Return what `wire.Wake` says to a neighbour of a client: card → network."""
    client = work.session.get(JumpClient, client_id)
    neighbour = work.session.get(JumpClient, neighbour_id)
    if client is None or neighbour is None:
        return {}
    near = {one["network"] for one in neighbour.networks}
    return {one["mac"]: one["network"] for one in client.networks if one["network"] in near}


def _neighbours(work: Work, client: JumpClient) -> list[Neighbour]:
    """Return connected clients behind the same public address that share a network.

    Private networks have the same numbers everywhere; the public address tells them apart.
    """
    wanted = {one["network"] for one in client.networks}
    query = (
        select(JumpClient.id, JumpClient.name, JumpClient.networks)
        .where(
            JumpClient.public_ip == client.public_ip,
            JumpClient.worker_id.is_not(None),
            JumpClient.id != client.id,
            JumpClient.state != State.REMOVING.value,
        )
        .order_by(JumpClient.last_connect.desc())
        .limit(_LOOKED_AT)
    )
    found = [
        Neighbour(row.id, row.name)
        for row in work.session.execute(query)
        if wanted & {one["network"] for one in row.networks}
    ]
    return found[:MOST]
