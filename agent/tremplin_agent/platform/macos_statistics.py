"""What a Mac looks like now: the values of `wire.Statistics`, none of which needs root."""

from __future__ import annotations

import plistlib
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Mapping
from xml.parsers.expat import ExpatError

import psutil

from tremplin_agent.platform.statistics import values

VERSION = Path("/System/Library/CoreServices/SystemVersion.plist")
DATA = Path("/System/Volumes/Data")
"""Where people's files are, since the volume of the system itself is sealed."""


def statistics(private_ip: str, console_user: str) -> Dict[str, Any]:
    """Return the values: see `statistics.values`."""
    disk = str(DATA) if DATA.is_dir() else "/"
    uptime = time.time() - psutil.boot_time()
    return values(private_ip, console_user, operating_system(), uptime, disk)


@lru_cache(maxsize=1)
def operating_system() -> str:
    """Return the name, version and build, such as "macOS 15.1 (24B83)"."""
    try:
        return named(plistlib.loads(VERSION.read_bytes()))
    except (OSError, plistlib.InvalidFileException, ValueError, ExpatError):
        return "macOS"


def named(version: Mapping[str, Any]) -> str:
    """Return the name of a macOS from what SystemVersion.plist says."""
    name, number = version.get("ProductName", "macOS"), version.get("ProductVersion", "")
    build = version.get("ProductBuildVersion", "")
    return f"{name} {number}".strip() + (f" ({build})" if build else "")
