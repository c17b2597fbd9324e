"""The survey of a host, on directories of our own and with the agent's own names."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tremplin.jump.plugins.module_utils import host, plan
from tremplin_agent.installer import checks, install
from tremplin_agent.parameters import BY_NAME, OVERRIDES, Kind
from tremplin_agent.platform import linux_boot


def run(arguments: Sequence[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    except OSError:
        return 127, ""
    return done.returncode, done.stdout


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "jump client"
    (made / "var").mkdir(parents=True)
    (made / "uninstall").touch()
    write(made / "install.json", complete=True, user="alice", scope="user", startup="cron")
    write(made / "var" / "state.json", client_id=7, phase="enrolled")
    return made


def write(path: Path, **content: Any) -> None:
    path.write_text(json.dumps(content))


def script(directory: Path, status: int) -> None:
    path = directory / "init-script"
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)


def survey(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = host.survey([str(directory)], run)
    return found


def only(directory: Path) -> dict[str, Any]:
    found: list[dict[str, Any]] = survey(directory)["installations"]
    assert len(found) == 1
    return found[0]


def test_a_complete_installation(directory: Path) -> None:
    script(directory, 0)
    assert only(directory) == {
        "directory": str(directory),
        "owned": True,
        "complete": True,
        "readable": True,
        "client_id": 7,
        "phase": "enrolled",
        "refused": "",
        "running": True,
        "version": "",
        "user": "alice",
        "scope": "user",
        "startup": "cron",
    }


def test_a_stopped_one(directory: Path) -> None:
    script(directory, 3)
    assert only(directory)["running"] is False


def test_what_a_cut_installation_leaves(directory: Path) -> None:
    write(directory / "install.json", user="alice")
    (directory / "var" / "state.json").unlink()
    partial = directory.with_name(directory.name + ".partial-1")
    partial.mkdir()
    found = survey(directory)
    assert found["installations"][0]["complete"] is False
    assert found["installations"][0]["client_id"] is None
    assert found["leftovers"] == [str(partial)]


def test_what_a_cut_removal_leaves(directory: Path) -> None:
    (directory / "removing").touch()
    assert only(directory)["phase"] == "removing"
    (directory / "uninstall").unlink()
    assert only(directory)["complete"] is False


def test_a_directory_of_somebody_else(tmp_path: Path) -> None:
    assert only(tmp_path)["owned"] is False


def test_an_installer_at_work_is_left_alone(directory: Path) -> None:
    partial = directory.with_name(directory.name + ".partial-1")
    partial.mkdir()
    with (partial / install.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = survey(directory)
    assert found["busy"] == [str(partial)]
    assert found["leftovers"] == []


def test_processes_of_the_directory_are_found(directory: Path) -> None:
    program = directory / "agent.py"
    program.write_text("import sys\nprint('up', flush=True)\nsys.stdin.read()\n")
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, program], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert survey(directory)["processes"] == [process.pid]
    assert survey(directory)["processes"] == []


def test_places_are_written_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = host.survey(["~/jump client/", str(directory), ""], run)
    assert found["places"] == [str(directory), found["default_directory"]]


def test_names_are_those_of_the_agent(tmp_path: Path) -> None:
    assert host.service_name(str(tmp_path)) == linux_boot.service_name(tmp_path)
    assert host.LOCK == install.LOCK
    assert Path(host.ROOT_DIRECTORY) == checks.SYSTEM_DIRECTORY
    assert Path(host.USER_DIRECTORY) == checks.USER_DIRECTORY


def test_the_plan_knows_the_parameters() -> None:
    described = {parameter.name for parameter in OVERRIDES.values()}
    assert set(plan.RECORD_PARAMETERS) == described
    assert set(plan.HOST_PARAMETERS) == set(BY_NAME) - described - {"install_dir", "key_info"}
    assert set(plan.SWITCHES) == {n for n, p in BY_NAME.items() if p.kind is Kind.SWITCH}
