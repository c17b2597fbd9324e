"""Waking a host that is switched off, through a Jump Client in the same network."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from sqlalchemy import ColumnElement, or_, select

from tremplin_server.audit import service as audit
from tremplin_server.clients import service
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Conflict
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ItemPermission, Permission

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
    groups.require_item(work, service.place(work, client_id), ItemPermission.START)
    if client.worker_id is not None:
        raise Conflict("wake.awake", name=client.name)
    if not client.networks:
        raise Conflict("wake.unknown", name=client.name)
    asked = _neighbours(work, client)
    if not asked:
        networks = ", ".join(sorted({one["network"] for one in client.networks}))
        raise Conflict("wake.nobody", name=client.name, networks=networks)
    for one in asked:
        work.notify("client.wake_on_lan", client_id=one.id, target=client.id)
    names = [one.name for one in asked]
    audit.record(work, "client.wake_on_lan", "client", client.id, client.name, through=names)
    return asked


def can_wake(client: JumpClient) -> bool:
    """Whether it makes sense to offer waking: it is away, and told once how to."""
    gone = client.state in (State.UNINSTALLED, State.REMOVING)
    return client.worker_id is None and not gone and bool(client.networks)


def targets(work: Work, client_id: int, neighbour_id: int) -> dict[str, str]:
    """Return what `wire.WakeOnLan` says to a neighbour of a client: card → network."""
    client = work.session.get(JumpClient, client_id)
    neighbour = work.session.get(JumpClient, neighbour_id)
    if client is None or neighbour is None:
        return {}
    near = {one["network"] for one in neighbour.networks}
    return {one["mac"]: one["network"] for one in client.networks if one["network"] in near}


def _neighbours(work: Work, client: JumpClient) -> list[Neighbour]:
    """Return connected clients that share a network with one that is away."""
    wanted = {one["network"] for one in client.networks}
    query = (
        select(JumpClient.id, JumpClient.name, JumpClient.public_ip, JumpClient.networks)
        .where(
            or_(JumpClient.public_ip == client.public_ip, *_direct(client)),
            JumpClient.worker_id.is_not(None),
            JumpClient.id != client.id,
            JumpClient.state != State.REMOVING.value,
        )
        .order_by(JumpClient.last_connect.desc())
        .limit(_LOOKED_AT)
    )
    found = []
    for row in work.session.execute(query):
        shared = wanted & {one["network"] for one in row.networks}
        if shared and _is_one_place(client.public_ip, row.public_ip, shared):
            found.append(Neighbour(row.id, row.name))
    return found[:MOST]


def _is_one_place(mine: str, other: str, shared: set[str]) -> bool:
    """Whether hosts that the server sees at these addresses can stand in one of the networks.

    Private networks have the same numbers everywhere. Behind a router they are told apart by
    its public address; without one the server sees the hosts' own addresses.
    """
    if mine == other:
        return True
    try:
        addresses = (IPv4Address(mine), IPv4Address(other))
    except ValueError:
        return False
    networks = [IPv4Network(network) for network in shared]
    return any(all(one in network for one in addresses) for network in networks)


def _direct(client: JumpClient) -> list[ColumnElement[bool]]:
    """Return the condition that a host is seen at an address like those of the client's
    networks, by whole bytes: as near as every database can look."""
    conditions = []
    for one in client.networks:
        network = IPv4Network(one["network"])
        whole = network.prefixlen // 8
        start = ".".join(str(network.network_address).split(".")[:whole])
        conditions.append(JumpClient.public_ip.startswith(f"{start}." if whole else ""))
    return conditions
