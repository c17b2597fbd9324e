"""Opening an RDP Jump Shortcut: the `.rdp` file, and the way through a Jump Client.

A computer is reached directly, or as the host of a Jump Client through a port that the
technician's own ssh forwards: the bytes stay encrypted from his machine to the host.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tremplin_server.audit import service as audit
from tremplin_server.clients import service as clients
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied
from tremplin_server.groups import service as groups
from tremplin_server.permissions import Permission
from tremplin_server.sessions import reach
from tremplin_server.sessions.policy_gate import Asked, admit
from tremplin_server.shortcuts import service
from tremplin_server.shortcuts.models import RdpShortcut

RDP_PORT = 3389
FIRST_PORT, PORTS = 33_900, 1000
"""Where the forwarded ports of the technician's machine are; one for each shortcut."""
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

    Raises NotFound and Conflict: shortcut.client_gone, shortcut.not_its_host,
    shortcut.port and bastion.off.
    """
    work.actor.require(Permission.SESSIONS_START)
    shortcut = service.get(work, number)
    groups.require_item(work, shortcut, "start")
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
        groups.require_item(work, shortcut, "start")
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
    admit(work, shortcut.jump_policy_id, None, asked)
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


def _forward(work: Work, shortcut: RdpShortcut, local: int) -> str:
    if shortcut.jumpoint_id is None:
        raise Conflict("shortcut.client_gone", name=shortcut.name)
    client = clients.get(work, shortcut.jumpoint_id)
    host, port = _target(shortcut.hostname)
    if not _is_host_of(client, host):
        raise Conflict("shortcut.not_its_host", hostname=shortcut.hostname, name=client.name)
    if port not in work.config.session_ports:
        raise Conflict("shortcut.port", port=port)
    entrance = reach.bastion(work)
    jump = f"{work.actor.name}@{entrance.host}:{entrance.port}"
    forward = f"127.0.0.1:{local}:localhost:{port}"
    return shlex.join(["ssh", "-N", "-L", forward, "-J", jump, f"id-{client.id}"])


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
