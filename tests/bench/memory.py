"""Memory and processor time of a tree of processes, from /proc."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. pss counts a page shared by n processes as 1/n, so that a sum is honest.

    anonymous: the part of pss that no file backs; other programs that come and go on the
    machine do not move it, so that a difference is honest, too.
    """

    rss: int = 0
    pss: int = 0
    anonymous: int = 0

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss + other.rss, self.pss + other.pss, self.anonymous + other.anonymous)


def tree(pid: int) -> list[psutil.Process]:
    """Return the process and its descendants that live."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def of_process(pid: int) -> Memory:
    """Return the memory of one process; nothing when it is gone."""
    values: dict[str, int] = {}
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return Memory()
    for line in text.splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) * 1024
    return Memory(values.get("Rss", 0), values.get("Pss", 0), values.get("Pss_Anon", 0))


def of_tree(pid: int) -> Memory:
    """Return the memory of a process and its descendants."""
    total = Memory()
    for process in tree(pid):
        total += of_process(process.pid)
    return total


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and its descendants used so far."""
    total = 0.0
    for process in tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
