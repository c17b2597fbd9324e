"""Control groups of the lab: what makes a power cut possible and leftovers findable."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab.wait import until

TOP = "tremplin-lab"
_MOUNT = Path("/run/tremplin-lab-cgroup2")
"""Our own view of cgroup2, wherever the machine has it mounted, or nowhere."""


def root() -> Path:
    """Return the lab's own group; it is made, and the hierarchy mounted, when needed."""
    if not (_MOUNT / "cgroup.procs").exists():
        _MOUNT.mkdir(exist_ok=True)
        command = ["mount", "-t", "cgroup2", "cgroup2", str(_MOUNT)]
        subprocess.run(command, check=True, capture_output=True, text=True)
    top = _MOUNT / TOP
    top.mkdir(exist_ok=True)
    return top


def populated(group: Path) -> bool:
    """Return whether any process lives in `group` or below."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text("ascii")
    except OSError:
        return False


def kill(group: Path) -> None:
    """End every process of `group` at one instant, as a power cut does, and wait for it."""
    if group.is_dir():
        (group / "cgroup.kill").write_text("1")
        until(lambda: not populated(group), f"{group.name} to be dead", seconds=10)


def remove(group: Path) -> None:
    """Remove an empty group and its children, if it is there."""
    if not group.is_dir():
        return
    for child in group.iterdir():
        if child.is_dir():
            remove(child)
    until(lambda: _removed(group), f"{group.name} to be removed", seconds=10)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
