"""Which tests of a long family a run of CI tries: they take turns.

A family is one test with many parameters, or what names the same `family`, marked `turns(n)`:
killed at this task or at that one, for instance. So are integration's tests on PostgreSQL, each
of which runs on SQLite as well. A run of CI tries every n-th, and the next commit the next ones,
so that n commits try all. Elsewhere, and with TREMPLIN_ALL_TURNS=1, all run. See decision 0065.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def take(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, as deselected, what is not of this commit's turn."""
    if not os.environ.get("CI") or os.environ.get("TREMPLIN_ALL_TURNS"):
        return
    number = _commits()
    seen: Counter[str] = Counter()
    kept, left = [], []
    for item in items:
        family, every = _family(item)
        is_now = (seen[family] + number) % every == 0
        seen[family] += 1
        (kept if is_now else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)


def _family(item: pytest.Item) -> tuple[str, int]:
    """Return the family of a test, and how many commits try all of it."""
    marker = item.get_closest_marker("turns")
    if marker is not None:
        return marker.kwargs.get("family") or item.nodeid.partition("[")[0], marker.args[0]
    if "tests/integration/" in item.nodeid and "[postgresql" in item.nodeid:
        return "postgresql", 3
    return item.nodeid, 1


def _commits() -> int:
    """Return how many commits lead here; 0 where git does not tell."""
    command = ["git", "-C", str(REPOSITORY), "rev-list", "--count", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 else 0
