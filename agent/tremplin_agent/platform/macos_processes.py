"""What sessions ask of macOS about their processes.

Nothing there makes a process adopt orphans, nor tells it that its parent died. The first is
made up for by sessions in the sense of POSIX: what a program leaves behind is in the one
that was made for it, unless it makes one of its own, as daemons do. The second is what the
socket to the parent tells.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Collection, Dict

import psutil

_INIT = 1


def adopt_orphans() -> None:
    """Do nothing: see above."""


def end_with_parent() -> None:
    """Do nothing: see above."""


def set_name(name: str) -> None:
    """Do nothing: a process has its program's name."""


def parents(leaders: Collection[int]) -> Dict[int, int]:
    """Return the parent of every process that has not ended; this one for orphans of ours.

    leaders: the programs that this process started, each the leader of a POSIX session.
    """
    found: Dict[int, int] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = process.ppid()
    for pid in [pid for pid, parent in found.items() if parent == _INIT]:
        with suppress(OSError):
            if os.getsid(pid) in leaders:
                found[pid] = os.getpid()
    return found
