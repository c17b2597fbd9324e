"""`tremplin installer` and `tremplin client`, run as commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tremplin_agent.wire import KeyInfo
from tremplin_server.app import create_app
from tremplin_server.cli import main
from tremplin_server.clock import SystemClock
from tremplin_server.config import Config
from tremplin_server.db import Database

from tests.conftest import SECRET_KEY, dispose
from tests.stage import Agent, Stage
from tests.unit.server.installers.test_payload import BODY, HEADER


class Shell:
    """Runs `tremplin` on a site of its own."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self._environment = {
            "TREMPLIN_DATA_DIR": str(directory),
            "TREMPLIN_DATABASE_URL": url,
            "TREMPLIN_SECRET_KEY": SECRET_KEY,
            "TREMPLIN_PAYLOAD_DIR": str(directory),
            "LANG": "C",
        }
        app = create_app(
            Config(data_dir=directory, database_url=url, secret_key=SECRET_KEY), SystemClock()
        )
        database: Database = app.extensions["tremplin"]
        self.stage = Stage(database)
        self.close = lambda: dispose(app)

    def run(self, *words: str, status: int = 0, **options: Any) -> Result:
        result = CliRunner(env=self._environment).invoke(main, words, **options)
        assert result.exit_code == status, (result.output, result.exception)
        return result

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)


@pytest.fixture
def shell(tmp_path: Path, sqlite_url: str) -> Any:
    made = Shell(tmp_path, sqlite_url)
    yield made
    made.close()


@pytest.fixture
def agent(shell: Shell) -> Agent:
    return shell.stage.online(shell.stage.installer(external_id="web1"))


def test_an_installer_from_the_command_line(shell: Shell) -> None:
    group = shell.stage.group.code_name
    made = shell.run(
        "installer", "create", "--group", f"jumpgroup:{group}", "--valid", "60", "--allow", "tag",
        "--max-uses", "2",
    )  # fmt: skip
    key_info = made.stdout.strip()
    agent = Agent(key_info, overrides={"tag": "red"})
    shell.stage.enrol(agent)
    [row] = shell.json("installer", "list", "--usable")
    assert row["installer_id"] == KeyInfo.decode(key_info).installer_id
    assert (row["uses"], row["max_uses"], row["state"]) == (1, 2, "valid")
    number = str(row["id"])
    [use] = shell.json("installer", "show", number, "--uses")
    assert use["client_id"] == agent.client_id
    shell.run("installer", "extend", number, "--valid", "120", "--max-uses", "3")
    shell.run("installer", "extend", number, status=2)
    shell.run("installer", "revoke", number, "--reason", "leaked")
    assert shell.json("installer", "show", number)["state"] == "revoked"
    assert shell.run("installer", "list", "--usable").stdout == "none\n"
    refused = shell.run("installer", "extend", number, "--valid", "60", status=3)
    assert refused.stderr == "tremplin: this installer was revoked\n"
    shell.run("installer", "show", "999", status=4)
    shell.run("installer", "create", "--group", "nowhere", status=2)


def test_a_stamped_installer_is_written_for_its_owner_only(shell: Shell) -> None:
    (shell.directory / "tremplin-scc-linux-64.bin").write_bytes(HEADER + BODY)
    group = shell.stage.group.name
    output = shell.directory / "web1.bin"
    made = shell.run("installer", "create", "--group", group, "--output", str(output))
    assert made.stdout.strip() == str(output)
    assert output.stat().st_mode & 0o777 == 0o700
    assert output.stat().st_size == len(HEADER + BODY)
    assert b"@@" not in output.read_bytes()[: len(HEADER)]


def test_clients_from_the_command_line(shell: Shell, agent: Agent) -> None:
    [row] = shell.json("client", "list", "--search", "web1", "--state", "online")
    assert (row["id"], row["jump_group"]) == (agent.client_id, shell.stage.group.name)
    assert "web1" in shell.run("client", "list").stdout
    for name in ("web1", str(agent.client_id)):
        assert shell.json("client", "show", name)["external_id"] == "web1"
    shell.run("client", "update", "web1", "--tag", "red", "--name", "front", "--pin")
    assert (
        shell.json("client", "show", "front").items()
        >= {
            "tag": "red",
            "pinned_forever": True,
        }.items()
    )
    wrong = shell.run("client", "update", "front", "--tag", "x" * 65, status=2)
    assert "tag" in wrong.stderr
    assert shell.run("client", "show", "nothing", status=4).stderr.startswith("tremplin: ")
    shell.run("client", "uninstall", "front", "--reason", "moved")
    shell.run("client", "uninstall", "front", status=3)
    shell.run("client", "delete", "front")
    [grave] = shell.json("client", "tombstones", "--open")
    shell.run("client", "tombstones", "--close", str(grave["id"]))
    assert shell.run("client", "tombstones", "--open").stdout == "none\n"


def test_drift_tells_by_its_exit_status(shell: Shell, agent: Agent) -> None:
    inventory = shell.directory / "hosts"
    inventory.write_text("# mine\nweb1\n\n", "utf-8")
    words = ("client", "drift", "--inventory", str(inventory))
    assert shell.run(*words).stdout == "in step\n"
    shell.stage.disconnect(agent)
    found = shell.run("client", "drift", "--inventory", "-", input="web1\nweb2\n", status=1)
    assert found.stdout.splitlines() == ["missing: web2", "not online: web1"]


def test_purge(shell: Shell) -> None:
    assert shell.run("client", "purge", "--dry-run").stdout == "none\n"
    assert shell.json("client", "purge") == []
