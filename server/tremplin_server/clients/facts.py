"""What a host says about itself, made fit for the database.

The values come from machines that the site does not control: only known keys are taken,
texts are cut to the column and stripped of control characters, numbers are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

from tremplin_agent.wire import STATISTICS_FIELDS

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
TEXT_LIMITS = {
    "hostname": 255,
    "fqdn": 255,
    "operating_system": 255,
    "private_ip": 64,
    "console_user": 255,
}
"""The statistics that have a column of their own; the others stay together as JSON."""
INSTALLATION_LIMITS = {"install_dir": 4096, "run_as": 255, "startup": 16}
NETWORKS_KEPT = 16
_NUMBERS = tuple(name for name in STATISTICS_FIELDS if name not in (*TEXT_LIMITS, "networks"))
_MAC = re.compile("[0-9a-f]{12}", re.ASCII)
_MODES = {"system": "service", "user": "user"}


def text(value: Any, limit: int) -> str:
    """Return `value` as one clean line of at most `limit` characters; empty if no text."""
    return _UNPRINTABLE.sub("", value)[:limit] if isinstance(value, str) else ""


def columns(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that statistics fill, those only that were sent."""
    return {k: text(values[k], limit) for k, limit in TEXT_LIMITS.items() if k in values}


def numbers(values: Mapping[str, Any]) -> dict[str, int | float]:
    """Return the numeric statistics, those only that are finite numbers."""
    return {k: values[k] for k in _NUMBERS if k in values and _is_number(values[k])}


def networks(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the network cards that were told, each `{mac, network}`; nonsense is left out."""
    told = values.get("networks")
    found = []
    for one in (told if isinstance(told, list) else [])[:NETWORKS_KEPT]:
        mac, network = (one.get("mac"), one.get("network")) if isinstance(one, dict) else ("", "")
        if isinstance(mac, str) and _MAC.fullmatch(mac) and _is_network(network):
            found.append({"mac": mac, "network": str(network)})
    return found


def _is_network(text: Any) -> bool:
    try:
        return isinstance(text, str) and str(IPv4Network(text)) == text
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 2**63


def installation(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that tell how the agent is installed."""
    found = {k: text(values.get(k), limit) for k, limit in INSTALLATION_LIMITS.items()}
    found["install_mode"] = _MODES.get(str(values.get("scope")), "unknown")
    return found


def account(install_mode: str, run_as: str) -> str:
    """Return whose own installation that is; empty for the machine's service."""
    return run_as if install_mode == "user" else ""


def plain(values: Mapping[str, Any]) -> dict[str, str | int | bool]:
    """Return a short, clean copy of what was given at an installation, for the history."""
    clean: dict[str, str | int | bool] = {}
    for key, value in list(values.items())[:32]:
        kept = value if isinstance(value, (bool, int)) else text(str(value), 1024)
        clean[text(key, 64)] = kept
    return clean
