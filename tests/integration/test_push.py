"""`tremplin push` whole: a real server, a real sshd, the real payload, this machine as host.

Root's sudo and the boot registration of other init systems are tried in the lab.
"""

from __future__ import annotations

import getpass
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tremplin_server.app import create_app
from tremplin_server.cli import main
from tremplin_server.clients import service as clients
from tremplin_server.clients import tombstones
from tremplin_server.clients.models import JumpClient
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.groups import service as groups
from tremplin_server.installers import service as installers
from tremplin_server.permissions import system_actor

from tests.boxes import PAYLOADS
from tests.integration import sshd
from tests.integration.sshd import Sshd
from tests.serving import Server, servers

PAYLOAD = PAYLOADS / "tremplin-scc-linux-64.bin"
pytestmark = pytest.mark.skipif(not PAYLOAD.exists(), reason="the payload was not built")


def push(site: Server, *words: str) -> Result:
    """Run `tremplin push` in this process: its start is the slowest part of a command."""
    return CliRunner().invoke(main, ["push", *words], env=site.environment, catch_exceptions=False)


@dataclass
class Machine:
    """This machine as a host. root: a directory of the test that everybody may enter."""

    site: Server
    ssh: Sshd
    database: Database
    root: Path
    name: str

    @property
    def directory(self) -> Path:
        return self.root / "jump-client"

    def push(self, *options: str) -> dict[str, Any]:
        """Push to this machine and return its row of the summary."""
        return self.rows(f"127.0.0.1:{self.ssh.port}", *options)[0]

    def deploy(self, *options: str) -> dict[str, Any]:
        """Push an installation that nothing starts at boot."""
        user = ("--user", "nobody") if os.getuid() == 0 else ()
        where = ("--install-dir", str(self.directory), "--startup", "none")
        return self.push(*where, *user, *options)

    def stop(self) -> None:
        """Stop the agent."""
        subprocess.run([self.directory / "init-script", "stop"], check=True, capture_output=True)

    def rows(self, *words: str) -> list[dict[str, Any]]:
        done = push(
            self.site, "--json", "--no-agent", "--user-name", self.ssh.user,
            "--key-file", str(self.ssh.user_key), "--host-key-file", str(self.ssh.known_hosts),
            "--external-id", self.name, "--wait", "30", *words,
        )  # fmt: skip
        assert done.stdout, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        assert (done.exit_code == 0) == (not any(row["code"] for row in rows)), done.stderr
        return rows

    def record(self) -> JumpClient | None:
        with self.database.work(system_actor(), read_only=True) as work:
            return clients.find(work, external_id=self.name)

    def nothing_is_left(self) -> None:
        """Check that neither half has anything of this machine, nor a key for it."""
        assert not self.directory.exists()
        assert not list(self.root.glob("*.partial-*"))
        with self.database.work(system_actor(), read_only=True) as work:
            assert clients.find(work, external_id=self.name) is None
            assert work.session.scalar(tombstones.query(work, open_only=True)) is None
            assert work.session.scalar(installers.query(work, external_id=self.name)) is None


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that another user may enter: pytest's own are their owner's only."""
    with TemporaryDirectory(prefix="tremplin-push-", dir="/var/tmp") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(scope="module")
def site(place: Path) -> Iterator[Server]:
    with servers(place) as made:
        yield made.start(payload_dir=PAYLOADS)


@pytest.fixture(scope="module")
def ssh(place: Path) -> Iterator[Sshd]:
    keys = place / "sshd"
    keys.mkdir(mode=0o755)
    with sshd.start(keys) as server:
        yield server


@pytest.fixture(scope="module")
def database(site: Server) -> Database:
    """The server's own database, to look and act from the test."""
    app = create_app(load(site.environment))
    database: Database = app.extensions["tremplin"]
    with database.work(system_actor()) as work:
        groups.create(work, name="Pushed")
    return database


@pytest.fixture
def machine(
    site: Server, ssh: Sshd, database: Database, place: Path, request: pytest.FixtureRequest
) -> Iterator[Machine]:
    made = Machine(site, ssh, database, place, f"host-{request.node.name}")
    yield made
    made.push("--install-dir", str(made.directory), "--remove")
    made.nothing_is_left()


def test_from_nothing_to_nothing(machine: Machine) -> None:
    first = machine.deploy("--jc-tag", "one")
    assert (first["result"], first["state"], first["changed"]) == ("installed", "online", True)
    record = machine.record()
    assert record is not None
    assert (record.id, record.tag) == (first["client"], "one")
    again = machine.deploy("--jc-tag", "one")
    assert (again["result"], again["client"], again["changed"]) == ("unchanged", record.id, False)
    changed = machine.deploy("--jc-tag", "two", "--jc-comments", "now with comments")
    assert (changed["result"], changed["detail"]) == ("updated", "changed: tag, comments")
    record = machine.record()
    assert record is not None
    assert (record.tag, record.comments) == ("two", "now with comments")
    gone = machine.push("--remove", "--reason", "test is over")
    assert (gone["result"], gone["client"]) == ("removed", record.id)
    machine.nothing_is_left()
    assert machine.push("--remove")["result"] == "absent"


def test_started_again_then_moved_under_the_same_record(machine: Machine) -> None:
    first = machine.deploy()
    machine.stop()
    started = machine.deploy()
    assert (started["result"], started["client"]) == ("started", first["client"])
    elsewhere = machine.root / "elsewhere"
    moved = machine.push("--install-dir", str(elsewhere))
    assert (moved["result"], moved["client"]) == ("reinstalled", first["client"])
    assert not machine.directory.exists()
    assert json.loads((elsewhere / "install.json").read_text())["startup"] == "none"
    assert machine.push("--remove")["result"] == "removed"
    assert not elsewhere.exists()


def test_a_record_that_was_deleted_is_made_anew(machine: Machine) -> None:
    first = machine.deploy()
    machine.stop()
    with machine.database.work(system_actor()) as work:
        clients.delete(work, first["client"], "by mistake")
    second = machine.deploy()
    assert second["result"] == "reinstalled"
    assert second["client"] != first["client"]


def test_a_cut_installation_is_replaced(machine: Machine) -> None:
    machine.deploy()
    facts = machine.directory / "install.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "complete": False}))
    (machine.root / "jump-client.partial-1").mkdir()
    again = machine.deploy()
    assert (again["result"], again["detail"]) == ("reinstalled", "the installation is incomplete")
    assert not (machine.root / "jump-client.partial-1").exists()


def test_the_installers_own_reason_is_told(machine: Machine) -> None:
    row = machine.push("--install-dir", "/proc/no/such", "--scope", "user", "--user", "no-such")
    assert (row["result"], row["code"]) == ("failed", "push.installer")
    assert row["detail"]


def test_a_foreign_directory_is_left_alone(machine: Machine) -> None:
    machine.directory.mkdir()
    (machine.directory / "precious").touch()
    assert machine.deploy()["code"] == "install.dir_exists"
    assert (machine.directory / "precious").exists()
    (machine.directory / "precious").unlink()
    machine.directory.rmdir()


def test_one_that_fails_stops_no_other(machine: Machine, site: Server) -> None:
    user = ("--user", "nobody") if os.getuid() == 0 else ()
    done = push(
        site, "--json", "--no-agent", "--user-name", machine.ssh.user,
        "--key-file", str(machine.ssh.user_key),
        "--host-key-file", str(machine.ssh.known_hosts),
        "--install-dir", str(machine.directory), "--startup", "none", *user,
        f"127.0.0.1:{machine.ssh.port}", f"127.0.0.1:{machine.ssh.closed_port}",
    )  # fmt: skip
    good, bad = json.loads(done.stdout)
    assert good["result"] == "installed"
    assert bad["code"] == "push.unreachable"
    assert done.exit_code == 9
    machine.name = "127.0.0.1"
    assert machine.push("--remove")["result"] == "removed"


def test_progress_goes_line_by_line_without_a_terminal(machine: Machine, site: Server) -> None:
    where = f"{getpass.getuser()}@127.0.0.1:{machine.ssh.closed_port}"
    done = push(site, where, "--no-agent")
    assert f"{where}: connecting\n" in done.stderr
    assert "the host cannot be reached over SSH" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--jc-tag", "x" * 65),
        ("--install-dir", "relative"),
        ("--scope", "galaxy"),
        ("--jc-max-offline-minutes", "-1"),
        ("other-host", "--jc-name", "one name"),
        ("bad:port",),
    ],
)
def test_wrong_options_touch_nothing(site: Server, options: tuple[str, ...]) -> None:
    done = push(site, "127.0.0.1", *options)
    assert done.exit_code == 2
    assert "connecting" not in done.stderr
