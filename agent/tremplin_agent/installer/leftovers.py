"""What an interrupted installer leaves, told from one that is still at work by a lock."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

from tremplin_agent.installation import NotInstalled, read

LOCK = ".installing"


def sweep(directory: Path) -> None:
    """Remove what an earlier, interrupted installation into `directory` left."""
    with suppress(OSError):
        for beside in directory.parent.iterdir():
            if beside.name.startswith(f"{directory.name}.partial-") and _is_abandoned(beside):
                shutil.rmtree(beside, ignore_errors=True)
    with suppress(NotInstalled):
        if not read(directory).complete and _is_abandoned(directory):
            subprocess.run(  # noqa: S603 - our own program, as `_is_abandoned` made sure
                ["/bin/sh", str(directory / "uninstall"), "--local", "--quiet"],
                stdin=subprocess.DEVNULL,
                check=False,
            )


def _is_abandoned(directory: Path) -> bool:
    """Return whether this user's installer left it, and no installer is at work there.

    Anybody may put something of that name into a directory that all may write to: what
    is not ours is left alone, above all by root.
    """
    try:
        facts = directory.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            return False
        os.close(take_lock(directory))
    except OSError:
        return False
    return True


def take_lock(directory: Path) -> int:
    """Return a handle that marks `directory` as being worked on, until this process ends."""
    handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
