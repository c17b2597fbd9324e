"""All that a host has beyond its base: whatever an installation leaves behind shows here."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from tests.lab.host import Host

_ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
_COMES_AND_GOES = re.compile(
    r"(run|var/log|var/cache|var/lib/(misc|sudo|urandom|private)|usr/lib/rc/cache)(/|$)"
    r"|(var/)?tmp/systemd-|var/lib/systemd/(?!linger/.)"
    r"|etc/(\.pwd\.lock|mtab|adjtime|network/run|resolv\.conf)|etc/init\.d/\.depend"
    rf"|etc/({'|'.join(_ACCOUNTS)})-?$|(etc|usr)/(.*/)?__pycache__"
    r"|(root|home/[^/]+)/(\.(ansible|bash_history|lesshst)(/|$)|\.cache$)"
)
"""What a running system writes by itself, and what Ansible keeps in a home directory.

The account files are compared by content: their former versions remember who was there.
"""
_RANK = re.compile(r"(etc/rc\w\.d/[SK])\d\d")
"""insserv gives the scripts of others new ranks whenever it is asked for anything."""


@dataclass(frozen=True)
class Footprint:
    """Files by path, accounts, and the command lines of Tremplin's processes."""

    files: frozenset[str]
    accounts: str
    processes: tuple[str, ...]

    def added_to(self, before: Footprint) -> list[str]:
        """Return what is here and was not there before, in words."""
        found = sorted(self.files - before.files)
        if self.accounts != before.accounts:
            old = before.accounts.splitlines()
            found += [f"account {line}" for line in self.accounts.splitlines() if line not in old]
        return found + [f"process {line}" for line in self.processes]


def of(host: Host) -> Footprint:
    """Return the footprint of a host. What is off has no processes."""
    disk = Path(host.entry.disk) / "up"
    files = {_RANK.sub(r"\1", path) for path in _files(disk, host.base)}
    files = {path for path in files if not _COMES_AND_GOES.match(path)}
    listed = host.run("pgrep -af tremplin").out if host.powered else ""
    ours = [line.split(" ", 1)[1] for line in listed.splitlines() if "pgrep" not in line]
    # Inside, the shell that asks is itself a process with that word in its command line.
    return Footprint(frozenset(files), _accounts(host, disk), tuple(ours))


def _files(disk: Path, base: Path) -> list[str]:
    """Return what was made since the base, the files that were changed, no deletions."""
    ranked = {_RANK.sub(r"\1", str(p.relative_to(base))) for p in base.glob("etc/rc?.d/*")}
    found = []
    for directory, directories, names in os.walk(disk):
        for name in (*directories, *names):
            path = Path(directory, name)
            inside = str(path.relative_to(disk))
            try:
                details = path.lstat()
            except FileNotFoundError:
                # It went while we looked: an uninstallation is at work.
                continue
            deleted = stat.S_ISCHR(details.st_mode) and details.st_rdev == 0
            known = (base / inside).is_dir() or _RANK.sub(r"\1", inside) in ranked
            if not deleted and not known:
                found.append(inside)
    return found


def _accounts(host: Host, disk: Path) -> str:
    lines = []
    for name in _ACCOUNTS:
        file = next(
            (p for p in (disk / "etc" / name, host.base / "etc" / name) if p.is_file()), None
        )
        lines += sorted(file.read_text("utf-8").splitlines()) if file else []
    return "\n".join(lines)
