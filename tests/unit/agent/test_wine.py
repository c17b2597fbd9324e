"""What Wine is lent: once, and only where it lacks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tremplin_agent.platform.wine import CARRIED, LENT, lend


@pytest.fixture
def python(tmp_path: Path) -> Path:
    made = tmp_path / "python"
    made.mkdir()
    (made / CARRIED).write_bytes(b"ours")
    return made


def test_it_is_lent_once(python: Path, tmp_path: Path) -> None:
    lend(python, tmp_path)
    assert (python / LENT).read_bytes() == b"ours"
    (python / CARRIED).write_bytes(b"newer")
    lend(python, tmp_path)
    assert (python / LENT).read_bytes() == b"ours"
    assert {path.name for path in python.iterdir()} == {CARRIED, LENT}


def test_a_system_that_has_it_gets_none(python: Path, tmp_path: Path) -> None:
    (tmp_path / LENT).write_bytes(b"its own")
    lend(python, tmp_path)
    assert {path.name for path in python.iterdir()} == {CARRIED}


def test_a_directory_without_it_is_left_as_it_is(tmp_path: Path) -> None:
    lend(tmp_path, tmp_path / "system")
    assert list(tmp_path.iterdir()) == []
