"""What a Windows host looks like now: the values of `wire.Statistics`."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any, Dict

import psutil

from tremplin_agent.platform.statistics import values
from tremplin_agent.platform.windows import registry_text

_VERSION_KEY = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_FIRST_OF_11 = 22000


def statistics(private_ip: str, console_user: str) -> Dict[str, Any]:
    """Return the values: see `statistics.values`."""
    disk = os.environ.get("SYSTEMDRIVE", "C:") + "\\"
    uptime = time.time() - psutil.boot_time()
    return values(private_ip, console_user, operating_system(), uptime, disk)


@lru_cache(maxsize=1)
def operating_system() -> str:
    """Return the name and build, such as "Windows Server 2022 Standard (20348)"."""
    return named(
        registry_text(_VERSION_KEY, "ProductName"), registry_text(_VERSION_KEY, "CurrentBuild")
    )


def named(product: str, build: str) -> str:
    """Return the name of a Windows. Its 11 still calls itself 10 in the registry."""
    product = product.replace("Microsoft ", "", 1) or "Windows"
    if build.isdigit() and int(build) >= _FIRST_OF_11:
        product = product.replace("Windows 10", "Windows 11", 1)
    return f"{product} ({build})" if build else product
