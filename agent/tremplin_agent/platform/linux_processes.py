"""What sessions ask of Linux about their processes."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Collection, Dict

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of what the children of this process leave behind."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """Get SIGTERM once the parent is gone."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def set_name(name: str) -> None:
    """Show this process under that name, of 15 characters at most."""
    _libc.prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()), 0, 0, 0)


def parents(leaders: Collection[int]) -> Dict[int, int]:
    """Return the parent of every process that has not ended. leaders: not needed here."""
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            text = Path(entry.path, "stat").read_text("utf-8", "replace")
        except OSError:
            continue
        # The name, in parentheses, may hold anything.
        state, parent = text.rpartition(")")[2].split()[:2]
        if state not in "ZX":
            found[int(entry.name)] = int(parent)
    return found
