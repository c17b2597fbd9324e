"""Forwarding to another machine than the host, which the terms of a session name.

The agent resolves the name, because it is the one inside the network, and connects to the
very address that it looked at. A name never leads to a special address (`targets.is_special`):
whoever answers for a name could else lead a session to the host's own loopback or to a
cloud's metadata. Only an address that the terms spell out may be one; the server grants that
for what an administrator wrote.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import List

from tremplin_agent import targets

LOOPBACK_ONLY = "loopback-only"
"""A file of this name in the installation's directory forbids it, whatever the server says."""


class Refused(Exception):
    """The address must not be reached; the text says why."""


def is_forbidden(var: Path) -> bool:
    """Return whether the host forbids it. var: the agent's directory in the installation."""
    return (var.parent / LOOPBACK_ONLY).exists()


async def address(host: str, port: int) -> str:
    """Return the address to connect to for a host that the terms name.

    Raises Refused, and OSError when the name is not known.
    """
    spelt = targets.address_in(host)
    if spelt is not None:
        return str(spelt)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts: List[str] = [str(entry[4][0]) for entry in found]
    for text in texts:
        parsed = targets.address_in(text)
        if parsed is not None and not targets.is_special(parsed):
            return str(parsed)
    raise Refused(f"{host} is {', '.join(texts)} here, which a name may not lead to")
