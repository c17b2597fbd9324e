# SPDX-License-Identifier: Apache-2.0
# A copy of ansible_collection/plugins/module_utils/host.py, written by .ci/salt-shared.
"""The host's half of a Jump Client, as it is found on disk, in memory and at boot.

Runs on the managed host, so it keeps to the standard library of Python 3.9.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import pwd
from typing import Any, Callable

Run = Callable[[list[str]], tuple[int, str]]
"""Runs a command: its words in, its exit status and output out."""

PLATFORMS = {
    "x86_64": "linux-64",
    "amd64": "linux-64",
    "aarch64": "linux-arm64",
    "arm64": "linux-arm64",
}
ROOT_DIRECTORY = "/opt/tremplin-jump-client"
USER_DIRECTORY = ".local/share/tremplin-jump-client"
PUSH_DIRECTORY = ".tremplin-push-"
BOOT_DIRECTORIES = (
    "/etc/systemd/system",
    "/etc/systemd/system/multi-user.target.wants",
    "/etc/init.d",
    *(f"/etc/rc{level}.d" for level in "0123456S"),
    "/etc/runlevels/default",
    "/var/spool/cron/crontabs",
    "/var/spool/cron",
)
LOCK = ".installing"
"""An installer holds a lock on this file while it is at work in a directory."""
USER_UNITS = ".config/systemd/user"
LARGEST_CRONTAB = 256 * 1024


def survey(directories: list[str], run: Run) -> dict[str, Any]:
    """Return what this host has of Jump Clients, as a dictionary.

    directories: where to look; an empty one stands for the default of this user, and `~`
        for a home directory.
    run: callable (list of arguments) -> (exit status, output).
    """
    me = pwd.getpwuid(os.getuid())
    default = ROOT_DIRECTORY if me.pw_uid == 0 else os.path.join(me.pw_dir, USER_DIRECTORY)
    places = []
    for directory in directories:
        path = os.path.normpath(os.path.expanduser(directory)) if directory else default
        if path not in places:
            places.append(path)
    running = processes()
    pushed = [os.path.join(me.pw_dir, PUSH_DIRECTORY + _digest(place)) for place in places]
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "platform": PLATFORMS.get(platform.machine().lower())
        if platform.system() == "Linux"
        else None,
        "uid": me.pw_uid,
        "user": me.pw_name,
        "default_directory": default,
        "push_directory": pushed[0],
        "places": places,
        "installations": [
            found for found in (installation(place, run) for place in places) if found
        ],
        "busy": sorted(path for place in places for path in _trees(place) if _is_busy(path)),
        "leftovers": sorted(
            [path for place in places for path in _partials(place) if not _is_busy(path)]
            + [path for path in pushed if os.path.isdir(path) and not _inside(path, running)]
        ),
        "processes": sorted({pid for place in places for pid in _inside(place, running)}),
        "boot_entries": sorted({path for place in places for path in boot_entries(place, run)}),
    }


def installation(directory: str, run: Run) -> dict[str, Any] | None:
    """Return what is in `directory`, or None when it does not exist."""
    if not os.path.lexists(directory):
        return None
    facts, _unused = _json(os.path.join(directory, "install.json"))
    state, readable = _json(os.path.join(directory, "var", "state.json"))
    uninstall = os.path.join(directory, "uninstall")
    leaving = os.path.exists(os.path.join(directory, "removing"))
    return {
        "directory": directory,
        "owned": bool(facts) or os.path.exists(uninstall),
        "complete": facts.get("complete") is True and os.path.exists(uninstall),
        "readable": readable,
        "client_id": state.get("client_id") or None,
        "phase": "removing" if leaving else state.get("phase", ""),
        "refused": state.get("refused", ""),
        "running": _running(os.path.join(directory, "init-script"), run),
        "version": facts.get("version", ""),
        "user": facts.get("user", ""),
        "scope": facts.get("scope", ""),
        "startup": facts.get("startup", ""),
    }


def processes() -> dict[int, list[str]]:
    """Return the words of the command line of every process of this host, by process id."""
    found = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    found[int(name)] = file.read().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
    return found


def service_name(directory: str) -> str:
    """Return the name under which an installation is registered at boot."""
    return "tremplin-jump-client-" + _digest(directory)


def _digest(directory: str) -> str:
    return hashlib.sha256(directory.encode("utf-8")).hexdigest()[:8]


def boot_entries(directory: str, run: Run) -> list[str]:
    """Return what starts the installation in `directory` at boot: paths, or `crontab`."""
    name, found = service_name(directory), []
    units = [os.path.join(home, USER_UNITS) for home in _homes()]
    wants = [os.path.join(place, "default.target.wants") for place in units]
    for place in (*BOOT_DIRECTORIES, *units, *wants):
        for entry in _listed(place):
            path = os.path.join(place, entry)
            if name in entry or ("/cron" in place and "# " + name in _text(path)):
                found.append(path)
    status, table = run(["crontab", "-l"])
    if status == 0 and "# " + name in table:
        found.append("crontab")
    return found


def _homes() -> list[str]:
    """Return the homes to look into: of everybody for root, else one's own."""
    everybody = pwd.getpwall() if os.getuid() == 0 else [pwd.getpwuid(os.getuid())]
    return sorted({entry.pw_dir for entry in everybody})


def _trees(place: str) -> list[str]:
    return [path for path in (place, *_partials(place)) if os.path.isdir(path)]


def _partials(place: str) -> list[str]:
    """Return what installers make beside `place` before it is whole."""
    parent, prefix = os.path.dirname(place), os.path.basename(place) + ".partial-"
    return [os.path.join(parent, name) for name in _listed(parent) if name.startswith(prefix)]


def _is_busy(path: str) -> bool:
    """Return whether an installer is at work in `path`."""
    try:
        with open(os.path.join(path, LOCK), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _inside(directory: str, running: dict[int, list[str]]) -> list[int]:
    """Return the processes whose command line names something inside `directory`."""
    start = directory + "/"
    return [pid for pid, words in running.items() if any(word.startswith(start) for word in words)]


def _running(script: str, run: Run) -> bool:
    return os.path.exists(script) and run([script, "status"])[0] == 0


def _listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST_CRONTAB)
    except OSError:
        return ""


def _json(path: str) -> tuple[dict[str, Any], bool]:
    """Return the object in a file (empty without one), and whether it may be read."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except PermissionError:
        return {}, False
    except (OSError, ValueError):
        return {}, True
    return (content if isinstance(content, dict) else {}), True
