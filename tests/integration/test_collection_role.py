"""The role on this machine, as an unprivileged agent, with a real server and installer.

What needs other hosts, init systems, reboots and kills is in `tests/lab`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent.platform.linux_boot import service_name

from tests.boxes import Box, box
from tests.integration.ansible_plays import Controller, Play
from tests.serving import Server, servers

pytestmark = pytest.mark.timeout(600)

KEY = "desk7.example.net"
DEPLOY, REMOVE = "tremplin.jump.deploy", "tremplin.jump.remove"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("role")) as made:
        started = made.start()
        started.group()
        yield started


@pytest.fixture
def here() -> Iterator[Box]:
    with box() as made:
        yield made


class Line:
    """Deploys to, and removes from, one name of this machine."""

    def __init__(self, controller: Controller, server: Server, here: Box) -> None:
        self.controller = controller
        self.server = server
        self.here = here
        self.hosts = {KEY: self.variables(here.directory)}

    def variables(self, directory: Path) -> dict[str, Any]:
        own = {
            "tremplin_install_dir": str(directory),
            "tremplin_startup": "none",
            "tremplin_jc_jump_group": "jumpgroup:tests",
        }
        return {**own, "tremplin_user": self.here.user} if os.geteuid() == 0 else own

    def play(self, playbook: str, *words: str, **variables: object) -> Play:
        inventory = self.controller.inventory(self.hosts)
        return self.controller.play(playbook, "-i", str(inventory), *words, **variables)

    def deploy(self, *words: str, **variables: object) -> Play:
        play = self.play(DEPLOY, *words, **variables)
        assert play.status == 0, play.output
        return play

    def remove(self, *words: str, **variables: object) -> Play:
        play = self.play(REMOVE, *words, **variables)
        assert play.status == 0, play.output
        return play

    def on_host(self, program: str, *words: str) -> None:
        """Run a program of the installation, as the one who installed it."""
        path = self.here.directory / program
        done = self.here.run(*words, program=path, as_root=os.geteuid() == 0)
        assert done.returncode == 0, done.stderr

    def records(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.api("GET", "/jump-client")[1]
        return found

    def assert_nothing_is_left(self) -> None:
        assert self.records() == []
        assert self.server.api("GET", "/jump-client/installer")[1] == []
        assert self.server.api("GET", "/jump-client/tombstone?open=true")[1] == []
        assert self.here.contents() == []
        assert self.here.agents() + self.here.supervisors() == []
        for own in self.hosts.values():
            name = service_name(Path(own["tremplin_install_dir"]))
            digest = name.rpartition("-")[2]
            assert not (Path.home() / f".tremplin-push-{digest}").exists()


@pytest.fixture
def line(tmp_path: Path, server: Server, here: Box) -> Iterator[Line]:
    made = Line(Controller(tmp_path, server), server, here)
    yield made
    if made.records() or here.contents():
        made.remove()
    made.assert_nothing_is_left()


def test_the_line(line: Line) -> None:
    foreseen = line.deploy("--check", "--diff")
    assert foreseen.changes() == 1
    assert '"state": "online"' in foreseen.output
    line.assert_nothing_is_left()

    output = line.deploy("-vv", tremplin_jc_tag="first").output
    (record,) = line.records()
    assert record["state"] == "online"
    assert record["external_id"] == KEY
    assert record["tag"] == "first"
    assert "eyJ" not in output, "the key info is never shown"
    assert line.server.api("GET", "/jump-client/installer")[1] == []

    assert line.deploy(tremplin_jc_tag="first").changes() == 0

    foreseen = line.deploy("--check", "--diff", tremplin_jc_tag="second")
    assert foreseen.changes() == 1
    assert '+    "tag": "second"' in foreseen.output
    assert line.records()[0]["tag"] == "first"
    assert line.deploy(tremplin_jc_tag="second").changes() == 1
    assert line.records()[0]["tag"] == "second"

    moved = line.here.home / "moved"
    line.hosts = {KEY: line.variables(moved)}
    assert "changed: install_dir" in line.deploy("-v").output
    assert not line.here.directory.exists()
    (again,) = line.records()
    assert (again["id"], again["install_dir"], again["tag"]) == (record["id"], str(moved), "second")

    foreseen = line.remove("--check")
    assert foreseen.changes() == 1
    assert moved.exists()
    assert line.remove().changes() > 0
    line.assert_nothing_is_left()
    assert line.remove().changes() == 0


def test_both_halves_are_mended(line: Line) -> None:
    line.deploy()
    (record,) = line.records()

    line.on_host("init-script", "stop")
    assert line.deploy().changes() > 0, "a stopped one is started"

    line.on_host("uninstall", "--local")
    line.deploy()
    assert [found["id"] for found in line.records()] == [record["id"]], "the record was kept"

    (line.here.directory / "install.json").write_text("{}")
    line.deploy()
    assert [found["id"] for found in line.records()] == [record["id"]], "an incomplete one"

    line.on_host("init-script", "stop")
    line.server.api("DELETE", f"/jump-client/{record['id']}")
    line.deploy()
    assert [found["id"] for found in line.records()] != [record["id"]], "deleted in the API"
    assert line.server.api("GET", "/jump-client/tombstone?open=true")[1] == []

    line.on_host("uninstall", "--local")
    line.server.api("DELETE", f"/jump-client/{line.records()[0]['id']}")
    assert line.remove().changes() > 0, "only a tombstone is left"


def test_the_installers_reason_is_shown_and_nothing_stays(line: Line) -> None:
    (line.here.home / "in the way").touch()
    line.hosts = {KEY: line.variables(line.here.home / "in the way" / "jump")}
    failed = line.play(DEPLOY)
    assert failed.status == 2
    assert "install.dir_not_writable" in failed.output
    assert "exit status 11" in failed.output
    (line.here.home / "in the way").unlink()
    line.hosts = {KEY: line.variables(line.here.directory)}


def test_a_key_of_the_operators_own(line: Line) -> None:
    key = line.server.installer(allow_override_external_id=True, allow_override_tag=True)
    own = dict(line.variables(line.here.directory), tremplin_key_info=key.encode())
    del own["tremplin_jc_jump_group"]
    line.hosts = {KEY: own}
    line.deploy(tremplin_jc_tag="own")
    (record,) = line.records()
    assert (record["external_id"], record["tag"]) == (KEY, "own")
    for installer in line.server.api("GET", "/jump-client/installer")[1]:
        line.server.api("DELETE", f"/jump-client/installer/{installer['id']}")


def test_a_foreign_directory_is_left_alone(line: Line) -> None:
    line.here.directory.mkdir()
    (line.here.directory / "precious").touch()
    assert "holds no Jump Client" in line.play(DEPLOY).output
    assert line.remove().changes() == 0
    assert (line.here.directory / "precious").exists()
    (line.here.directory / "precious").unlink()
    line.here.directory.rmdir()


def test_many_forks_share_one_token_and_one_download(line: Line) -> None:
    names = [f"desk{number}" for number in range(4)]
    line.hosts = {name: line.variables(line.here.home / name) for name in names}
    line.deploy("--forks", "4")
    assert sorted(record["external_id"] for record in line.records()) == names
    cache = line.controller.directory / "cache" / "tremplin"
    assert len(list(cache.glob("token-*.lock"))) == 1
    assert len(list(cache.glob("tremplin-scc-*.bin"))) == 1
    assert all(
        stat.S_IMODE(path.stat().st_mode) == 0o600
        for path in cache.glob("token-*")
        if path.suffix != ".lock"
    )
    assert line.deploy("--forks", "4").changes() == 0


def test_the_ca_can_be_pinned_and_credentials_count(tmp_path: Path, server: Server) -> None:
    plays = Path(__file__).parent / "collection_plays"
    pin = server.installer(max_uses=1).ca_pin.hex()
    Controller(tmp_path, server).done(plays / "connection.yml", pin=pin)
    for installer in server.api("GET", "/jump-client/installer")[1]:
        server.api("DELETE", f"/jump-client/installer/{installer['id']}")
