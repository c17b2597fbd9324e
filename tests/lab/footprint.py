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
    r"(run|tmp/systemd-|var/tmp/systemd-|var/log|var/cache|var/lib/(misc|sudo|urandom|private))(/|$)"
    r"|var/lib/systemd/(?!linger/.)|etc/(\.pwd\.lock|mtab|adjtime|network/run|resolv\.conf)"
    rf"|etc/({'|'.join(_ACCOUNTS)})-?$|etc/init\.d/\.depend|(etc|etc/.*|usr|usr/.*)/__pycache__"
    r"|(root|home/[^/]+)/\.(ansible|bash_history|lesshst)(/|$)"
)
"""What a running system writes by itself, and what Ansible keeps in a home directory.

The account files are compared by content: their former versions remember who was there.
"""


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
    files = {path for path in _files(disk) if not _COMES_AND_GOES.match(path)}
    listed = host.run("pgrep -af tremplin").out if host.powered else ""
    ours = [line.split(" ", 1)[1] for line in listed.splitlines() if "pgrep" not in line]
    # Inside, the shell that asks is itself a process with that word in its command line.
    return Footprint(frozenset(files), _accounts(host, disk), tuple(ours))


def _files(disk: Path) -> list[str]:
    """Return what was made since the base: directories too, but no deletions."""
    found = []
    for directory, directories, names in os.walk(disk):
        for name in (*directories, *names):
            path = Path(directory, name)
            details = path.lstat()
            deleted = stat.S_ISCHR(details.st_mode) and details.st_rdev == 0
            if not deleted:
                found.append(str(path.relative_to(disk)))
    return found


def _accounts(host: Host, disk: Path) -> str:
    lines = []
    for name in _ACCOUNTS:
        file = next(
            (p for p in (disk / "etc" / name, host.base / "etc" / name) if p.is_file()), None
        )
        lines += sorted(file.read_text("utf-8").splitlines()) if file else []
    return "\n".join(lines)
