"""What the agent asks of a Mac: who it is, who sits at it, which language it speaks."""

from __future__ import annotations

import hashlib
import os
import plistlib
import pwd
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any, Mapping
from xml.parsers.expat import ExpatError

CONSOLE = Path("/dev/console")
PREFERENCES = Path("/Library/Preferences/.GlobalPreferences.plist")
PYTHONS = (
    "/Library/Frameworks/Python.framework/Versions/Current/bin/python3",
    "/opt/salt/bin/python3",
    "/Library/Developer/CommandLineTools/usr/bin/python3",
    "/Applications/Xcode.app/Contents/Developer/usr/bin/python3",
    "/opt/homebrew/bin/python3",
    "/usr/local/bin/python3",
)
"""Where a CPython is looked for: python.org's, Salt's, Apple's two, Homebrew's two.

Never /usr/bin/python3: without Apple's tools that is a stub, which opens a window that
asks whoever sits at the Mac to install them."""

_IOREG = ("/usr/sbin/ioreg", "-a", "-r", "-d", "1", "-c", "IOPlatformExpertDevice")
_SECONDS = 10
_MACHINES = {"x86_64": "macos-64", "arm64": "macos-arm64"}
_NOBODY = ("root", "loginwindow")


def platform_name() -> str:
    """Return the platform as payloads are named: of this Python, which may be translated."""
    machine = os.uname().machine
    return _MACHINES.get(machine, f"macos-{machine}")


@lru_cache(maxsize=1)
def machine_id() -> str:
    """Return the UUID of the hardware, or nothing. A system made anew keeps it."""
    try:
        done = subprocess.run(_IOREG, capture_output=True, check=True, timeout=_SECONDS)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return platform_uuid(done.stdout)


def platform_uuid(listing: bytes) -> str:
    """Return the IOPlatformUUID of what `ioreg -a` lists, or nothing."""
    for entry in _read(listing, []):
        found = entry.get("IOPlatformUUID") if isinstance(entry, dict) else None
        if isinstance(found, str):
            return found.strip()
    return ""


def hardware(directory: Path) -> str:
    """Return the hash of the hardware's UUID as 64 hexadecimal characters, or nothing."""
    uuid = machine_id()
    return hashlib.sha256(uuid.encode()).hexdigest() if uuid else ""


def console_user() -> str:
    """Return who sits at the Mac's own screen, or nothing: the console is theirs."""
    try:
        return person(pwd.getpwuid(CONSOLE.stat().st_uid).pw_name)
    except (OSError, KeyError):
        return ""


def person(owner: str) -> str:
    """Return the owner of the console, nothing for an account of the system's."""
    return "" if owner in _NOBODY or owner.startswith("_") else owner


def language() -> str:
    """Return the Mac's language as `LANG` has it."""
    try:
        return language_of(_read(PREFERENCES.read_bytes(), {}))
    except OSError:
        return language_of({})


def language_of(preferences: Mapping[str, Any]) -> str:
    """Return `LANG` for the global preferences; a Mac is in UTF-8 in any case."""
    locale = str(preferences.get("AppleLocale", "")).partition("@")[0]
    parts = [part for part in locale.replace("-", "_").split("_") if part]
    # Between language and region there may be a script, which locales of libc do not name.
    plain = len(parts) >= 2 and parts[0].isalpha() and len(parts[-1]) == 2
    return f"{parts[0]}_{parts[-1]}.UTF-8" if plain else "en_US.UTF-8"


def _read(content: bytes, otherwise: Any) -> Any:
    try:
        found = plistlib.loads(content)
    except (plistlib.InvalidFileException, ValueError, ExpatError):
        return otherwise
    return found if isinstance(found, type(otherwise)) else otherwise
