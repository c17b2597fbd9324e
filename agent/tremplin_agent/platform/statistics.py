"""What a host looks like now, as far as all operating systems tell it in the same way."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import Any, Dict

import psutil

from tremplin_agent.platform.networks import networks


def values(
    private_ip: str, console_user: str, operating_system: str, uptime_seconds: float, disk: str
) -> Dict[str, Any]:
    """Return the values of `wire.Statistics`; the CPU share is that since the last call.

    private_ip: the address of this end of the control connection. disk: path of what
    holds the operating system.
    """
    memory = psutil.virtual_memory()
    usage = psutil.disk_usage(disk)
    hostname = socket.gethostname()
    return {
        "hostname": hostname,
        "fqdn": fqdn(hostname),
        "operating_system": operating_system,
        "private_ip": private_ip,
        "console_user": console_user,
        "uptime_seconds": int(uptime_seconds),
        "cpu_percent": psutil.cpu_percent(interval=None),
        "cpu_count": psutil.cpu_count() or 1,
        "memory_total_bytes": memory.total,
        "memory_used_bytes": memory.total - memory.available,
        "disk_total_bytes": usage.total,
        "disk_used_bytes": usage.used,
        "networks": [one._asdict() for one in networks()],
    }


@lru_cache(maxsize=1)
def fqdn(hostname: str) -> str:
    """Return the fully qualified name, or the host name when none is known.

    It is asked for once per host name: an answer can take as long as the resolver likes.
    """
    try:
        found = socket.getaddrinfo(hostname, None, flags=socket.AI_CANONNAME)
    except OSError:
        return hostname
    names = [entry[3] for entry in found if entry[3]]
    return names[0] if names else hostname
