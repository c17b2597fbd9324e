"""The way through the bastion, as salt-ssh's command line takes it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Loader = Callable[..., ModuleType]
RECORDS = [
    {"id": 2, "external_id": "web1", "name": "one", "state": "online", "run_as": "tremplin-jc"},
    {"id": 1, "external_id": "", "name": "desk 7", "state": "online", "run_as": ""},
    {"id": 3, "external_id": "", "name": "web1", "state": "online", "run_as": None},
    {"id": 4, "external_id": "web4", "name": "", "state": "offline", "run_as": "x"},
]


class Client:
    def get(self, path: str) -> Any:
        assert path == "/bastion"
        return {"host": "jump.example.net", "port": 8022, "user": "salt"}


@pytest.fixture
def roster(loaded: Loader, tmp_path: Path) -> ModuleType:
    utils = {
        "tremplin.settings": lambda given: given or None,
        "tremplin.api": lambda account, cachedir: Client(),
        "tremplin.pages": lambda client, path: RECORDS,
        "tremplin.text": lambda client, path: "id-2 ssh-ed25519 AAAA\n",
    }
    opts = {
        "tremplin": {"api": {"url": "https://jump.example.net:8443"}},
        "cachedir": str(tmp_path),
        "pki_dir": str(tmp_path / "pki"),
        "roster_defaults": {"tty": True},
    }
    return loaded("_roster/tremplin.py", utils=utils, opts=opts)


def test_a_target_is_reached_by_its_id(roster: ModuleType, tmp_path: Path) -> None:
    target = roster.targets("web1")["web1"]
    assert (target["host"], target["user"], target["tty"]) == ("id-2", "tremplin-jc", True)
    known = tmp_path / "tremplin" / "known_hosts"
    assert known.read_text() == "id-2 ssh-ed25519 AAAA\n"
    # salt-ssh puts them on a command line and splits it as a shell does.
    words = shlex.split(" ".join(f"-o {option}" for option in target["ssh_options"]))
    options = dict(word.split("=", 1) for word in words if word != "-o")
    assert options["UserKnownHostsFile"] == str(known)
    assert options["StrictHostKeyChecking"] == "yes"
    command = shlex.split(options["ProxyCommand"])
    assert command[:3] == ["ssh", "-o", "BatchMode=yes"]
    assert command[-7:] == ["-p", "8022", "-l", "salt", "-W", "%h:%p", "jump.example.net"]
    assert "StrictHostKeyChecking=yes" in command
    assert target["priv"].endswith("salt-ssh.rsa")


@pytest.mark.parametrize(
    ("target", "kind", "found"),
    [
        ("*", "glob", ["desk 7", "web1", "web1-id-3"]),
        ("web*", "glob", ["web1", "web1-id-3"]),
        ("web1,nobody", "list", ["web1"]),
        ("web1", "pcre", ["web1"]),
    ],
)
def test_targets_match(roster: ModuleType, target: str, kind: str, found: list[str]) -> None:
    assert sorted(roster.targets(target, kind)) == found


def test_other_ways_of_matching_are_refused(roster: ModuleType) -> None:
    with pytest.raises(ValueError, match="not grain"):
        roster.targets("os:Debian", "grain")
