"""The formula on this machine, without a master, with a real server and installer.

Other hosts, init systems, a real master, reboots and kills are in `tests/lab/test_salt.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent.platform.linux_boot import service_name

from tests.boxes import Box, box, payload
from tests.integration.ansible_plays import Controller
from tests.integration.salt_calls import Call, Minion, account
from tests.lab import salt_trees
from tests.serving import Server, servers

pytestmark = [pytest.mark.timeout(900), pytest.mark.turns(2, family="Salt alone")]

KEY = "desk7.example.net"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers(tmp_path_factory.mktemp("salt")) as made:
        started = made.start()
        started.group()
        yield started


@pytest.fixture
def here() -> Iterator[Box]:
    with box() as made:
        yield made


class Line:
    """Deploys to, and removes from, one directory of this machine."""

    def __init__(self, minion: Minion, server: Server, here: Box) -> None:
        self.minion = minion
        self.server = server
        self.here = here
        self.pillar: dict[str, Any] = {
            "api": account(server),
            "install_dir": str(here.directory),
            "startup": "none",
            "jc_jump_group": "jumpgroup:tests",
        }
        if os.geteuid() == 0:
            self.pillar["user"] = here.user

    def give(self, **changes: Any) -> None:
        self.pillar.update(changes)
        self.minion.give({k: v for k, v in self.pillar.items() if v is not None})

    def deploy(self, **variables: object) -> Call:
        self.give()
        return self.minion.done(**variables)

    def remove(self, **variables: object) -> Call:
        self.give()
        return self.minion.done("tremplin.clean", **variables)

    def on_host(self, program: str, *words: str) -> None:
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
        digest = service_name(Path(self.pillar["install_dir"])).rpartition("-")[2]
        assert not (Path.home() / f".tremplin-push-{digest}").exists()


@pytest.fixture
def line(tmp_path: Path, server: Server, here: Box) -> Iterator[Line]:
    made = Line(Minion(tmp_path, KEY), server, here)
    yield made
    made.give(api=account(server), key_info=None)
    if made.records() or here.contents():
        made.remove()
    made.assert_nothing_is_left()


def test_the_line(line: Line) -> None:
    foreseen = line.deploy(test=True)
    assert foreseen.results() == {None}
    assert "install: the host has no Jump Client" in foreseen.comments()
    line.assert_nothing_is_left()

    line.give(jc_tag="first")
    done = line.deploy()
    (record,) = line.records()
    assert (record["state"], record["external_id"], record["tag"]) == ("online", KEY, "first")
    assert "eyJ" not in done.output, "the key info is never shown"
    log = (line.minion.directory / "minion.log").read_text()
    assert "eyJ" not in log, "nor logged, at debug neither"
    assert line.server.api("GET", "/jump-client/installer")[1] == []
    assert line.deploy().changed() == []

    line.give(jc_tag="second", record={"pinned_forever": True})
    foreseen = line.deploy(test=True)
    assert foreseen.changed() == ["tremplin-package-install", "tremplin-record-present"]
    assert line.records()[0]["tag"] == "first"
    assert line.deploy().changed() == ["tremplin-package-install", "tremplin-record-present"]
    assert (line.records()[0]["tag"], line.records()[0]["pinned_forever"]) == ("second", True)

    moved = line.here.home / "moved"
    line.give(install_dir=str(moved))
    assert "reinstall: changed: install_dir" in line.deploy(test=True).comments()
    assert "reinstall: changed: install_dir" in line.deploy().comments()
    assert not line.here.directory.exists()
    (again,) = line.records()
    assert (again["id"], again["install_dir"], again["tag"]) == (record["id"], str(moved), "second")

    assert line.remove(test=True).results() == {None}
    assert moved.exists()
    assert line.remove().changed() == ["tremplin-package-clean"]
    line.assert_nothing_is_left()
    assert line.remove().changed() == []


def test_both_halves_are_mended(line: Line) -> None:
    line.deploy()
    (record,) = line.records()

    line.on_host("init-script", "stop")
    assert "start" in line.deploy().comments(), "a stopped one is started"

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
    assert line.remove().changed() == ["tremplin-package-clean"], "only a tombstone is left"


def test_each_part_alone(line: Line) -> None:
    line.give()
    line.minion.done("tremplin.package")
    line.minion.done("tremplin.service.clean")
    assert line.minion.done("tremplin.service").changed() == ["tremplin-service-running"]
    assert line.records()[0]["state"] == "online"
    line.minion.done("tremplin.package.clean")
    line.assert_nothing_is_left()


def test_the_installers_reason_is_the_one_that_ansible_shows(line: Line) -> None:
    (line.here.home / "in the way").touch()
    line.give(install_dir=str(line.here.home / "in the way" / "jump"))
    failed = line.minion.apply()
    assert failed.status != 0
    assert "install.dir_not_writable" in failed.comments()
    assert "exit status 11" in failed.comments()
    assert "there is no Jump Client to run" in failed.comments()
    (line.here.home / "in the way").unlink()
    line.give(install_dir=str(line.here.directory))


def test_without_a_group_nothing_is_taken_away(line: Line) -> None:
    line.give(jc_jump_group=None)
    failed = line.minion.apply()
    assert "an installer needs a jump_group" in failed.comments()
    line.give(jc_jump_group="jumpgroup:tests")


def test_a_wrong_account_is_told(line: Line) -> None:
    line.give(api=account(line.server) | {"client_secret": "wrong"})
    failed = line.minion.apply()
    assert failed.status != 0
    assert failed.results() == {False}


def test_only_a_key_in_the_pillar(line: Line) -> None:
    key = line.server.installer(allow_override_external_id=True, allow_override_tag=True)
    line.give(api=None, key_info=key.encode(), jc_jump_group=None, jc_tag="own")
    assert "tremplin:source" in line.minion.apply().comments(), "it says what is missing"
    line.give(source=str(payload()))
    done = line.deploy()
    assert "the server was not asked" in done.comments()
    (record,) = line.records()
    assert (record["external_id"], record["tag"], record["state"]) == (KEY, "own", "online")
    assert line.deploy().changed() == []
    assert line.remove().changed() == ["tremplin-package-clean"]
    assert line.records()[0]["state"] == "uninstalled"
    for installer in line.server.api("GET", "/jump-client/installer")[1]:
        line.server.api("DELETE", f"/jump-client/installer/{installer['id']}")


def test_from_ansible_to_salt_and_back_it_is_one_record(line: Line) -> None:
    (line.minion.directory / "ansible").mkdir()
    controller = Controller(line.minion.directory / "ansible", line.server)
    names = ("install_dir", "startup", "jc_jump_group", "user")
    own = {"tremplin_" + name: line.pillar[name] for name in names if name in line.pillar}
    inventory = str(controller.inventory({KEY: own}))

    controller.done("tremplin.jump.deploy", "-i", inventory)
    (first,) = line.records()
    assert line.deploy().changed() == [], "Salt finds nothing to do"
    line.give(install_dir=str(line.here.home / "moved"))
    line.deploy()
    own["tremplin_install_dir"] = line.pillar["install_dir"]
    inventory = str(controller.inventory({KEY: own}))
    assert controller.done("tremplin.jump.deploy", "-i", inventory).changes() == 0
    assert [record["id"] for record in line.records()] == [first["id"]]
    controller.done("tremplin.jump.remove", "-i", inventory)
    assert line.remove().changed() == []


def test_ca_by_its_pin(line: Line) -> None:
    pin = line.server.installer(max_uses=1).ca_pin.hex()
    api = account(line.server)
    del api["ca_path"]
    line.give(api=api | {"ca_pin": pin})
    line.minion.call("saltutil.sync_all")
    assert line.minion.call("tremplin.drift", "[web9]").answer["missing"] == ["web9"]
    line.give(api=api | {"ca_pin": "00" * 32})
    assert "is not the one that ca_pin names" in line.minion.call("tremplin.record").output
    for installer in line.server.api("GET", "/jump-client/installer")[1]:
        line.server.api("DELETE", f"/jump-client/installer/{installer['id']}")


# --- the floor ----------------------------------------------------------------------------------

FLOOR = salt_trees.LONG_TERM
"""Of the long-term line; what 3006.30 needs, the package index may not have yet."""


@pytest.fixture(scope="session")
def salt_3006() -> Path:
    """The program salt-call of the floor, in an environment of its own that is kept."""
    return salt_trees.programs(FLOOR) / "salt-call"


def test_the_floor(salt_3006: Path, tmp_path: Path, server: Server, here: Box) -> None:
    assert version("salt") != FLOOR
    line = Line(Minion(tmp_path, KEY, salt_call=salt_3006), server, here)
    assert line.deploy(test=True).results() == {None}
    line.deploy()
    assert line.records()[0]["state"] == "online"
    assert line.deploy().changed() == []
    line.give(jc_tag="floor")
    assert line.deploy().changed() == ["tremplin-package-install"]
    assert line.remove().changed() == ["tremplin-package-clean"]
    line.assert_nothing_is_left()
