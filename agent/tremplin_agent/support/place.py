"""Where a customer's client runs: a private temporary directory, gone afterwards.

The directory is locked for as long as a process of the client lives. One that is there
without a lock was left by a client that was killed: the next one removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

PREFIX = "tremplin-support-"
_LOCK = "lock"


class NoPlace(Exception):
    """There is nowhere to unpack to."""


def candidates() -> List[Path]:
    """Return where such a directory may be made, best first."""
    wanted = [os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp"]  # noqa: S108 - made private below
    home = os.environ.get("HOME", "")
    found = [Path(path) for path in wanted if path]
    return [*found, Path(home) / ".cache"] if home else found


def made() -> Tuple[Path, int]:
    """Return a new private directory and the handle of its lock; NoPlace if none can be."""
    for parent in candidates():
        try:
            if os.statvfs(parent).f_flag & os.ST_NOEXEC:
                continue
            directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            # Another client that sweeps just now may have taken it for one left behind.
            return directory, _locked(directory)
        except OSError:
            continue
    raise NoPlace


def sweep() -> None:
    """Remove what clients of this user left that were killed."""
    for directory in _left_behind():
        shutil.rmtree(directory, ignore_errors=True)


def _left_behind() -> Iterator[Path]:
    for parent in dict.fromkeys(candidates()):
        with suppress(OSError):
            for directory in parent.glob(f"{PREFIX}*"):
                if _is_abandoned(directory):
                    yield directory


def _is_abandoned(directory: Path) -> bool:
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        return False
    lock: Optional[int] = None
    with suppress(OSError):
        lock = _locked(directory)
    if lock is None:
        return False
    os.close(lock)
    return True


def _locked(directory: Path) -> int:
    """Return a handle on the lock, which a child may inherit; OSError while somebody has it."""
    handle = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
