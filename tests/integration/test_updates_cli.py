"""`tremplin update`, run as a command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_clients_cli import Shell
from tests.integration.test_update_orders import make_payload
from tests.stage import Agent

OUTDATED = "1.0.0"
NEWER = "2.0.0"
REFUSED = 3


@pytest.fixture
def shell(tmp_path: Path, sqlite_url: str) -> Iterator[Shell]:
    made = Shell(tmp_path, sqlite_url)
    yield made
    made.close()


@pytest.fixture
def agents(shell: Shell) -> dict[str, Agent]:
    """Two agents that are online with an old version, and a newer payload."""
    make_payload(shell.directory, NEWER)
    return {
        name: shell.stage.online(
            shell.stage.installer(external_id=name), fingerprint=f"{number:064x}", hostname=name
        )
        for number, name in enumerate(("web1", "web2"))
    }


def test_how_the_fleet_stands(shell: Shell, agents: dict[str, Agent]) -> None:
    told = shell.json("update", "status")
    assert (told["mode"], told["versions"]) == ("off", {OUTDATED: 2})
    assert [one["version"] for one in told["payloads"]] == [NEWER]
    assert f"linux-64 {NEWER}" in shell.run("update", "status").stdout
    assert shell.json("update", "list") == []


def test_one_is_ordered_and_listed(shell: Shell, agents: dict[str, Agent]) -> None:
    [row] = shell.json("update", "now", "web1")
    assert (row["name"], row["version"], row["code"]) == ("web1", NEWER, "")
    [listed] = shell.json("update", "list")
    assert (listed["name"], listed["state"], listed["version"]) == ("web1", "wanted", NEWER)
    assert shell.json("update", "list", "--state", "done") == []


def test_all_that_are_outdated(shell: Shell, agents: dict[str, Agent]) -> None:
    assert {row["name"] for row in shell.json("update", "now", "--all")} == {"web1", "web2"}
    assert {row["name"] for row in shell.json("update", "list")} == {"web1", "web2"}


def test_what_cannot_be(shell: Shell, agents: dict[str, Agent]) -> None:
    for words in ((), ("--all", "web1")):
        assert "name Jump Clients" in shell.run("update", "now", *words, status=2).stderr
    assert "nobody" in shell.run("update", "now", "nobody", status=4).stderr
    make_payload(shell.directory, OUTDATED)
    told = shell.run("update", "now", "web1", "--json", status=REFUSED)
    assert "update.current" in told.stdout
