"""Connecting to the server: one TCP connection to the first of its addresses that answers."""

from __future__ import annotations

import asyncio
import socket

from tremplin_agent.tls import NoAnswer

TCP_SECONDS = 6.0
"""Short, so that a try which fell into a network cut does not outlive the cut for long."""


async def dial(host: str, port: int) -> socket.socket:
    """Return a connected socket, the host's addresses tried in order; NoAnswer if none is."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NoAnswer(f"the name {host} is not known: {error.strerror}") from error
    trouble = "no address"
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await asyncio.wait_for(loop.sock_connect(sock, address), TCP_SECONDS)
        except asyncio.TimeoutError:
            trouble = "no answer in time"
        except OSError as error:
            trouble = error.strerror or str(error)
        else:
            return sock
        sock.close()
    raise NoAnswer(trouble)
