"""The bench itself works: figures come out, whatever they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.mark.timeout(300)
def test_many_agents_on_one_worker_are_measured() -> None:
    done = bench("sqlite", "--agents", "40", "--json")
    assert done.returncode == 0, done.stderr
    figures = {row["what"]: row for row in json.loads(done.stdout)}
    assert figures["idle agents held"]["value"] == 40
    assert figures["full-proof reconnects"]["value"] > 0
    assert figures["server memory per idle agent"]["target"]["value"] == 25
    assert figures["server memory, empty"]["met"] in (True, False)


def test_help_names_the_benches() -> None:
    done = bench("--help")
    assert done.returncode == 0
    assert all(
        name in done.stdout for name in ("sqlite", "postgres", "noticing", "agent", "console")
    )


@pytest.mark.parametrize("words", [("nonsense",), ("sqlite", "--agents", "0")])
def test_wrong_words_are_told(words: tuple[str, ...]) -> None:
    done = bench(*words)
    assert done.returncode == 2
    assert "usage" in done.stderr
