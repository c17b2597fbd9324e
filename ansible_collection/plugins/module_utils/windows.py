# SPDX-License-Identifier: Apache-2.0
"""The host's half of a Jump Client on Windows, and what to do about its version.

Pure: what Windows' own modules read (registry, files, service) in, a survey as that of
`host.survey` out. One Jump Client is installed on a Windows host, by its MSI.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

PLATFORM = "windows-64-msi"
DEFAULT_DIRECTORY = r"C:\Program Files\Tremplin Jump Client"
PRODUCTS = uuid.UUID("0d1c2f4e-9c56-4b8e-8f0e-5d9d3f0c7a52")
"""The MSI's product codes are made below it, one for each version."""

SAME, UPGRADE, DOWNGRADE = "same", "upgrade", "downgrade"


class VersionError(Exception):
    """The server offers an older version than the host has, and nobody asked for that."""


def product_code(version: str) -> str:
    """Return the product code of a version, in braces."""
    return "{" + str(uuid.uuid5(PRODUCTS, "product " + version)).upper() + "}"


def survey(
    registry: dict[str, Any],
    facts: dict[str, Any],
    state: dict[str, Any],
    services: list[dict[str, Any]],
    wanted: str,
    exists: bool,
) -> dict[str, Any]:
    """Return what this host has of Jump Clients.

    registry: of win_reg_stat on the product's key. facts, state: of slurp on install.json
    and var\\state.json, or their failures. services: of win_service_info on our service.
    wanted: the directory that is asked for, or empty. exists: whether that is there.
    """
    values = {
        name: value.get("value", "") for name, value in registry.get("properties", {}).items()
    }
    directory = values.get("InstallDir", "").rstrip("\\")
    target = (wanted or directory or DEFAULT_DIRECTORY).rstrip("\\")
    found = []
    if directory:
        found.append(_installation(directory, values, _json(facts), _json(state), services))
    if exists and target.lower() != directory.lower():
        found.append(_installation(target, {}, {}, {}, []))
    return {
        "system": "Windows",
        "machine": "AMD64",
        "platform": PLATFORM,
        "uid": 1,
        "user": "SYSTEM",
        "default_directory": target,
        "places": [target],
        "installations": found,
        "busy": [],
        "leftovers": [],
        "product_code": values.get("ProductCode", ""),
        "version": values.get("Version", ""),
    }


def _installation(
    directory: str,
    values: dict[str, str],
    facts: dict[str, Any],
    state: dict[str, Any],
    services: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "directory": directory,
        "owned": bool(values.get("ProductCode")),
        "complete": facts.get("complete") is True,
        "readable": True,
        "client_id": state.get("client_id") or None,
        "phase": state.get("phase", ""),
        "refused": state.get("refused", ""),
        "running": any(service.get("state") == "started" for service in services),
        "version": values.get("Version", ""),
        "user": facts.get("user", ""),
        "scope": facts.get("scope", ""),
        "startup": facts.get("startup", ""),
    }


def _json(slurped: dict[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(base64.b64decode(slurped.get("content", "")))
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def step(installed: str, offered: str, downgrade: bool) -> str:
    """Return what a version that the server offers means for the one that is installed.

    downgrade: whether an older one may replace it. Raises VersionError.
    """
    if not installed or not offered or installed == offered:
        return SAME
    if _numbers(offered) > _numbers(installed):
        return UPGRADE
    if not downgrade:
        raise VersionError(
            f"version {installed} is installed, and the server offers {offered}; "
            "set tremplin_allow_downgrade to go back"
        )
    return DOWNGRADE


def _numbers(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]
