"""Where passive Jump Clients can be woken, and which of them an order waits for.

A host says itself where it listens, and is not believed blindly: the server calls nobody but
hosts, and says nothing to who does not answer as an agent does.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, update

from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import Command, JumpClient, Tombstone, TombstoneKind
from tremplin_server.db import Work

MAX_ADDRESSES = 16
MAX_FAULT = 255
_LOWEST_PORT, _HIGHEST_PORT = 1024, 65535
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII | re.I)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to wake, and where. places: names and addresses, the likeliest first.

    seen_at: the address that the server itself saw the host come from.
    """

    client_id: int
    port: int
    places: tuple[str, ...]
    seen_at: str = ""


def told(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the clean form of what an agent says of where it listens; None if nothing.

    values: those of `wire.Statistics`.
    """
    given = values.get("listening")
    if not isinstance(given, dict):
        return None
    port = given.get("port")
    number = port if isinstance(port, int) and not isinstance(port, bool) else 0
    addresses = given.get("addresses")
    texts = addresses if isinstance(addresses, list) else []
    fault = given.get("fault")
    return {
        "port": number if _LOWEST_PORT <= number <= _HIGHEST_PORT else 0,
        "addresses": [text for text in texts if _address(text)][:MAX_ADDRESSES],
        "fault": _clean(fault)[:MAX_FAULT] if isinstance(fault, str) else "",
    }


def _clean(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _address(text: Any) -> bool:
    try:
        ipaddress.ip_address(text if isinstance(text, str) else "")
    except ValueError:
        return False
    return True


def target(
    client_id: int, listening: Mapping[str, Any], public_ip: str, names: Sequence[str] = ()
) -> Target | None:
    """Return where a client can be woken; None when it listens nowhere.

    names: of the host, as it knows them itself.
    """
    port = int(listening.get("port") or 0)
    if not port:
        return None
    good = [name for name in names if _NAME.fullmatch(name)]
    places = [*listening.get("addresses", ()), public_ip, *good]
    return Target(client_id, port, tuple(dict.fromkeys(filter(None, places))), public_ip)


def target_of(client: JumpClient) -> Target | None:
    """Return where a record's host can be woken."""
    names = (client.fqdn, client.hostname)
    return target(client.id, client.listening or {}, client.public_ip, names)


def target_of_passive(host: object) -> Target | None:
    """Return where the host of a session can be woken; None unless it is a passive client."""
    if not isinstance(host, JumpClient) or host.connection_type != "passive":
        return None
    return target_of(host)


def buried(client: JumpClient) -> dict[str, Any]:
    """Return what a record's tombstone keeps, so that the host can still be woken."""
    if not (client.listening or {}).get("port"):
        return {}
    return {
        **client.listening,
        "public_ip": client.public_ip,
        "names": [client.fqdn, client.hostname],
    }


def is_allowed(address: str, seen_at: str) -> bool:
    """Return whether the server may call this address because a host named it.

    Never its own machine, a neighbour on the link (where clouds have their metadata) or a
    group; unless that is where the server itself saw the host.
    """
    if address == seen_at:
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return not (
        found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified
    )


# --- whom an order waits for ----------------------------------------------------------


def due(work: Work, limit: int) -> list[Target]:
    """Return whom to wake because of an order, each order once, `limit` orders at most.

    Whoever gets an order here is the one to wake for it. Clients that are connected are
    left out: they hear of it anyway.
    """
    found: dict[int, Target | None] = {}
    for client, order_ids in _ordered(work, limit).values():
        _mark(work, Command, order_ids)
        found[client.id] = target_of(client)
    graves = select(Tombstone).where(
        Tombstone.closed_at.is_(None),
        Tombstone.kind == TombstoneKind.DELETED,
        Tombstone.woken_at.is_(None),
    )
    graves = graves.order_by(Tombstone.id).limit(limit).with_for_update(skip_locked=True)
    for grave in work.session.scalars(graves).all():
        grave.woken_at = work.now()
        kept = grave.listening or {}
        found[grave.client_id] = target(
            grave.client_id, kept, kept.get("public_ip", ""), kept.get("names", ())
        )
    return [one for one in found.values() if one is not None]


def _ordered(work: Work, limit: int) -> dict[int, tuple[JumpClient, list[str]]]:
    query = (
        select(Command.id, JumpClient)
        .join(JumpClient, JumpClient.id == Command.client_id)
        .where(
            Command.woken_at.is_(None),
            or_(JumpClient.worker_id.is_(None), JumpClient.state == State.RESTING.value),
        )
        .order_by(Command.created_at)
        .limit(limit)
        .with_for_update(of=Command, skip_locked=True)
    )
    found: dict[int, tuple[JumpClient, list[str]]] = {}
    for order_id, client in work.session.execute(query).all():
        found.setdefault(client.id, (client, []))[1].append(order_id)
    return found


def _mark(work: Work, table: type[Command], ids: Sequence[str]) -> None:
    work.session.execute(update(table).where(table.id.in_(ids)).values(woken_at=work.now()))
