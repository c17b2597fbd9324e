"""Opening an RDP Jump Shortcut: the `.rdp` file, and the way through a Jump Client.

A computer is reached directly, or through a Jump Client: as its host, or beside it in its
network. The technician's own ssh then forwards a port by way of the bastion, where the word
`shortcut-5` means the client of that shortcut, in a session that reaches its computer and
nothing else. The bytes stay encrypted from his machine to the client's host.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from tremplin_agent import targets

from tremplin_server.audit import service as audit
from tremplin_server.clients import service as clients
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ItemPermission, Permission
from tremplin_server.sessions import reach
from tremplin_server.sessions.policy_gate import Asked, Item, admit
from tremplin_server.shortcuts import service
from tremplin_server.shortcuts.models import RdpShortcut

RDP_PORT = 3389
FIRST_PORT, PORTS = 33_900, 1000
"""Where the forwarded ports of the technician's machine are; one for each shortcut."""
_WORD = re.compile(r"shortcut-([0-9]{1,9})", re.ASCII)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_QUALITY = {
    "low": (1, 15),
    "performance": (2, 16),
    "performance_quality": (4, 24),
    "quality": (5, 32),
    "best_performance": (7, 32),
    "lossless": (6, 32),
}
"""Connection type and colours of the `.rdp` file."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How a shortcut is opened. ssh: what to run first, empty for a direct connection."""

    shortcut: RdpShortcut
    rdp: str
    ssh: str = ""


def connection(work: Work, number: int) -> Connection:
    """Return how the actor opens a shortcut; needs sessions.start, there and in its group.

    Raises NotFound and Conflict: shortcut.client_gone, shortcut.port,
    shortcut.special_address and bastion.off.
    """
    work.actor.require(Permission.SESSIONS_START)
    shortcut = service.get(work, number)
    groups.require_item(work, shortcut, ItemPermission.START)
    if not shortcut.through_client:
        return Connection(shortcut, rdp_file(shortcut, shortcut.hostname))
    local = FIRST_PORT + shortcut.id % PORTS
    return Connection(
        shortcut, rdp_file(shortcut, f"localhost:{local}"), _forward(work, shortcut, local)
    )


def may_open(work: Work, shortcut: RdpShortcut) -> bool:
    """Return whether the actor may open a shortcut that he sees."""
    try:
        work.actor.require(Permission.SESSIONS_START)
        groups.require_item(work, shortcut, ItemPermission.START)
    except Denied:
        return False
    return True


def opened(work: Work, number: int, asked: Asked | None = None) -> Connection:
    """Return how a shortcut is opened, and note that the actor does.

    asked: what the actor brings for the shortcut's own Jump Policy; that of the Jump Client
    that it leads through is asked when the way is opened. Raises what `connection` does,
    PolicyRefusal (jump.policy) and Invalid (code).
    """
    found = connection(work, number)
    shortcut = found.shortcut
    asked = asked or Asked()
    admit(work, shortcut.jump_policy_id, Item("shortcut", number, shortcut.name), asked)
    audit.record(
        work,
        "shortcut.opened",
        "shortcut",
        number,
        shortcut.name,
        reason=asked.reason,
        hostname=shortcut.hostname,
        ticket_id=asked.ticket_id,
    )
    return found


def rdp_file(shortcut: RdpShortcut, address: str) -> str:
    """Return the `.rdp` file of a shortcut for `address`; no value has a line break."""
    kind, colours = _QUALITY[shortcut.quality]
    lines = [
        f"full address:s:{address}",
        f"administrative session:i:{int(shortcut.console)}",
        f"authentication level:i:{0 if shortcut.ignore_untrusted else 2}",
        f"connection type:i:{kind}",
        f"session bpp:i:{colours}",
        f"compression:i:{int(shortcut.quality != 'lossless')}",
        "prompt for credentials:i:0",
    ]
    if shortcut.rdp_username:
        lines.append(f"username:s:{shortcut.rdp_username}")
    if shortcut.domain:
        lines.append(f"domain:s:{shortcut.domain}")
    return "".join(f"{line}\r\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Passage:
    """What a session is granted that leads to a shortcut's computer: a port of the client's
    own loopback, or one of another machine as `tremplin_agent.targets` writes it."""

    client: JumpClient
    ports: tuple[int, ...] = ()
    targets: tuple[str, ...] = ()


def number_in(word: str) -> int | None:
    """Return the number of the shortcut that a word of the bastion means; None for others."""
    found = _WORD.fullmatch(word.lower())
    return int(found[1]) if found else None


def passage(work: Work, number: int) -> Passage:
    """Return the way of the actor through a Jump Client to a shortcut's computer.

    Raises what `connection` raises, and Conflict (shortcut.direct) for one without a client.
    """
    work.actor.require(Permission.SESSIONS_START)
    shortcut = service.get(work, number)
    groups.require_item(work, shortcut, ItemPermission.START)
    if not shortcut.through_client:
        raise Conflict("shortcut.direct", name=shortcut.name)
    return _passage(work, shortcut)


def _passage(work: Work, shortcut: RdpShortcut) -> Passage:
    if shortcut.jumpoint_id is None:
        raise Conflict("shortcut.client_gone", name=shortcut.name)
    client = clients.get(work, shortcut.jumpoint_id)
    host, port = _target(shortcut.hostname)
    if _is_host_of(client, host):
        if port not in work.config.session_ports:
            raise Conflict("shortcut.port", port=port)
        return Passage(client, ports=(port,))
    address = targets.address_in(host)
    if address is not None and targets.is_special(address) and not shortcut.vetted:
        raise Conflict("shortcut.special_address", hostname=shortcut.hostname)
    return Passage(client, targets=(targets.written(host, port),))


def _forward(work: Work, shortcut: RdpShortcut, local: int) -> str:
    way = _passage(work, shortcut)
    there = way.targets[0] if way.targets else f"localhost:{way.ports[0]}"
    entrance = reach.bastion(work)
    jump = f"{work.actor.name}@{entrance.host}:{entrance.port}"
    # The host proves the client's key, which the known hosts have under the client's names.
    alias = f"HostKeyAlias=id-{way.client.id}"
    forward = f"127.0.0.1:{local}:{there}"
    return shlex.join(
        ["ssh", "-N", "-o", alias, "-L", forward, "-J", jump, f"shortcut-{shortcut.id}"]
    )


def _target(text: str) -> tuple[str, int]:
    """Return host and port of a hostname as shortcuts have it."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest else RDP_PORT
    host, colon, port = text.partition(":")
    if colon and ":" not in port:
        return host, int(port)
    return text, RDP_PORT


def _is_host_of(client: JumpClient, host: str) -> bool:
    names = (client.hostname, client.fqdn, client.private_ip, client.name)
    return host.lower() in (*LOOPBACK, *(name.lower() for name in names if name))
