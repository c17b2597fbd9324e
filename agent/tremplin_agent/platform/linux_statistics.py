"""What a Linux host looks like now: the values of `wire.Statistics`."""

from __future__ import annotations

import os
import shlex
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict

from tremplin_agent.platform import linux
from tremplin_agent.platform.statistics import values

OS_RELEASE = (Path("/etc/os-release"), Path("/usr/lib/os-release"))


def statistics(private_ip: str, console_user: str) -> Dict[str, Any]:
    """Return the values: see `statistics.values`."""
    return values(private_ip, console_user, operating_system(), _uptime(), "/")


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
