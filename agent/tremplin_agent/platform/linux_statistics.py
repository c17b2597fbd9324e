"""What a Linux host looks like now: the values of `wire.Statistics`."""

from __future__ import annotations

import os
import shlex
import socket
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict

import psutil

from tremplin_agent.platform import linux

OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))


def statistics(private_ip: str, console_user: str) -> Dict[str, Any]:
    """Return the values; the CPU share is that since the last call.

    private_ip: the address of this end of the control connection.
    """
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage("/")
    hostname = socket.gethostname()
    return {
        "hostname": hostname,
        "fqdn": fqdn(hostname),
        "operating_system": operating_system(),
        "private_ip": private_ip,
        "console_user": console_user,
        "uptime_seconds": int(_uptime()),
        "cpu_percent": psutil.cpu_percent(interval=None),
        "cpu_count": psutil.cpu_count() or 1,
        "memory_total_bytes": memory.total,
        "memory_used_bytes": memory.total - memory.available,
        "disk_total_bytes": disk.total,
        "disk_used_bytes": disk.used,
    }


def _uptime() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@lru_cache(maxsize=1)
def operating_system() -> str:
    """Return the distribution's own name, such as "Debian GNU/Linux 12 (bookworm)"."""
    for line in linux.first_text(OS_RELEASE).splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return " ".join(shlex.split(value))
    system = os.uname()
    return f"{system.sysname} {system.release}"


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
