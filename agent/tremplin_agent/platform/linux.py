"""What the agent asks of a Linux host: who it is, who sits at it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Dict, Iterable, List

MACHINE_ID = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
PRODUCT_UUID = Path("/sys/class/dmi/id/product_uuid")
HARDWARE_FILE = "hardware"
"""Hash of the product UUID, which root alone may read: init-script writes it into the
installation's directory at each start, so that a copied disk does not carry it along."""

SESSIONS = Path("/run/systemd/sessions")
_MACHINES = {"x86_64": "linux-64", "amd64": "linux-64", "aarch64": "linux-arm64"}


def platform_name() -> str:
    """Return the platform as payloads are named, or the machine's own word for it."""
    machine = os.uname().machine
    return _MACHINES.get(machine, f"{os.uname().sysname.lower()}-{machine}")


def first_text(paths: Iterable[Path]) -> str:
    """Return the stripped text of the first file that can be read, or nothing."""
    for path in paths:
        try:
            text = path.read_text("utf-8", "replace").strip()
        except OSError:
            continue
        if text:
            return text
    return ""


def machine_id() -> str:
    """Return the machine id, or nothing."""
    return first_text(MACHINE_ID)


def hardware(directory: Path) -> str:
    """Return the hash of the DMI product UUID as 64 hexadecimal characters, or nothing."""
    uuid = first_text([PRODUCT_UUID])
    if uuid:
        return hashlib.sha256((uuid + "\n").encode()).hexdigest()
    return first_text([directory / HARDWARE_FILE])


def console_user() -> str:
    """Return who sits at the host's own screen, or nothing."""
    sessions = _logind_sessions(SESSIONS)
    for session in sessions:
        if session.get("SEAT") and session.get("ACTIVE") == "1" and session.get("CLASS") == "user":
            return session.get("USER", "")
    return "" if sessions else _utmp_user()


def _logind_sessions(directory: Path) -> List[Dict[str, str]]:
    found = []
    try:
        paths = sorted(directory.iterdir())
    except OSError:
        return []
    for path in paths:
        if path.suffix == ".ref":
            continue
        lines = first_text([path]).splitlines()
        found.append(dict(line.split("=", 1) for line in lines if "=" in line))
    return found


def _utmp_user() -> str:
    import psutil

    for user in psutil.users():
        terminal = str(user.terminal or "")
        if terminal.startswith(("tty", ":", "console")):
            return str(user.name)
    return ""
