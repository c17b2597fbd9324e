"""`tremplin push` against real hosts: the same results as the role's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import expect, footprint
from tests.lab.api import Api
from tests.lab.conftest import HostFactory
from tests.lab.controller import Controller
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.site import Site

pytestmark = pytest.mark.turns(2, family="push")

GROUP = ("--jc-jump-group", "jumpgroup:lab")
SYSTEM = ("--sudo", "--scope", "system", *GROUP)
PASSWORD = "kangaroo paw"
TREMPLIN = Path(sys.executable).parent / "tremplin"


@dataclass
class Pusher:
    """The server's own machine, as the place that pushes."""

    lab: Lab
    site: Site
    directory: Path

    def push(self, here: Host, *options: str, **secrets: str) -> dict[str, Any]:
        """Push to one host by its name in the inventory; return its row of the summary."""
        return self.run([here], "--external-id", here.name, *options, **secrets)[0]

    def run(self, hosts: list[Host], *options: str, **secrets: str) -> list[dict[str, Any]]:
        """Push to several hosts; secrets go in by the environment."""
        known = self.directory / "known_hosts"
        known.write_text("".join(_known(host) for host in hosts))
        command = [
            str(TREMPLIN), "push", *(host.address for host in hosts), "--json", "--no-agent",
            "--key-file", str(self.lab.key), "--user-name", "deploy",
            "--host-key-file", str(known), *options,
        ]  # fmt: skip
        done = subprocess.run(
            ["ip", "netns", "exec", self.lab.namespace, *command],
            env=self._environment(secrets),
            capture_output=True,
            text=True,
        )
        rows: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        assert rows, done.stderr
        assert (done.returncode == 0) == all(not row["code"] for row in rows), done.stderr
        return rows

    def _environment(self, secrets: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, **self.site.environment(), **secrets}


def _known(host: Host) -> str:
    kind, key = host.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    return f"{host.address} {kind} {key}\n"


@pytest.fixture
def pusher(lab: Lab, site: Site, tmp_path: Path) -> Pusher:
    return Pusher(lab, site, tmp_path)


def test_pushed_changed_moved_removed(host: HostFactory, api: Api, pusher: Pusher) -> None:
    here = host("bookworm-systemd")
    before = footprint.of(here)
    assert pusher.push(here, *SYSTEM, "--jc-tag", "one")["result"] == "installed"
    first = expect.in_step(here, api)
    assert (first["install_mode"], first["tag"]) == ("service", "one")
    again = pusher.push(here, *SYSTEM, "--jc-tag", "one")
    assert (again["result"], again["client"]) == ("unchanged", first["id"])
    assert pusher.push(here, *SYSTEM, "--jc-tag", "two")["detail"] == "changed: tag"
    assert api.client(here.name) == api.client(here.name) | {"tag": "two"}
    moved = pusher.push(here, *SYSTEM, "--install-dir", "/srv/jump")
    assert (moved["result"], moved["client"]) == ("reinstalled", first["id"])
    assert expect.in_step(here, api, "/srv/jump")["tag"] == "two"
    assert not here.exists(expect.DIRECTORY)
    here.run("/srv/jump/init-script stop")
    assert pusher.push(here, "--sudo")["result"] == "started"
    assert pusher.push(here, "--sudo", "--remove")["result"] == "removed"
    expect.gone(here, api, before)
    assert pusher.push(here, "--sudo", "--remove")["result"] == "absent"


@pytest.mark.parametrize("base", ["bookworm-sysv", "bookworm-openrc", "bullseye-systemd"])
def test_pushed_to_other_bases(host: HostFactory, api: Api, pusher: Pusher, base: str) -> None:
    here = host(base)
    before = footprint.of(here)
    assert pusher.push(here, *SYSTEM)["result"] == "installed"
    expect.in_step(here, api)
    assert pusher.push(here, "--sudo", "--remove")["result"] == "removed"
    expect.gone(here, api, before)


def test_pushed_without_root_by_password(
    host: HostFactory, api: Api, pusher: Pusher, tmp_path: Path
) -> None:
    here = host("bookworm-systemd")
    here.run(f"echo 'plain:{PASSWORD}' | chpasswd")
    here.run("sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' "
             "/etc/ssh/sshd_config.d/lab.conf && systemctl restart ssh")  # fmt: skip
    before = footprint.of(here)
    strange = tmp_path / "strange_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", strange], check=True)
    login = ("--user-name", "plain", "--key-file", str(strange))
    assert pusher.push(here, *login, *GROUP, PUSH_PASSWORD="no")["code"] == "push.authentication"
    made = pusher.push(here, *login, *GROUP, PUSH_PASSWORD=PASSWORD)
    assert made["result"] == "installed", made
    expect.in_step(here, api, "/home/plain/.local/share/tremplin-jump-client")
    gone = pusher.push(here, *login, "--remove", PUSH_PASSWORD=PASSWORD)
    assert gone["result"] == "removed", gone
    expect.gone(here, api, before)


def test_sudo_that_asks_for_a_password(host: HostFactory, api: Api, pusher: Pusher) -> None:
    here = host("bookworm-systemd")
    here.run(f"echo 'deploy:{PASSWORD}' | chpasswd")
    here.run("echo 'deploy ALL=(ALL) ALL' > /etc/sudoers.d/deploy")
    before = footprint.of(here)
    assert "asks for a password" in pusher.push(here, *SYSTEM)["detail"]
    assert pusher.push(here, *SYSTEM, PUSH_SUDO_PASSWORD="no")["code"] == "push.sudo"
    assert pusher.push(here, *SYSTEM, PUSH_SUDO_PASSWORD=PASSWORD)["result"] == "installed"
    expect.in_step(here, api)
    options = ("--sudo", "--remove")
    assert pusher.push(here, *options, PUSH_SUDO_PASSWORD=PASSWORD)["result"] == "removed"
    expect.gone(here, api, before)


def test_one_host_that_fails_stops_no_other(host: HostFactory, api: Api, pusher: Pusher) -> None:
    good, bad = host("bookworm-systemd"), host("bookworm-systemd")
    bad.run("mkdir -p /opt/tremplin-jump-client/mine")
    rows = {row["host"]: row for row in pusher.run([good, bad], *SYSTEM)}
    assert rows[good.address]["result"] == "installed"
    assert rows[bad.address]["code"] == "install.dir_exists"
    assert bad.exists("/opt/tremplin-jump-client/mine")
    keys = api.call("GET", "/jump-client/installer", external_id=bad.address)
    assert keys == []
    assert pusher.run([good], "--sudo", "--remove")[0]["result"] == "removed"


def test_the_installers_own_reason_is_told(host: HostFactory, api: Api, pusher: Pusher) -> None:
    here = host("bookworm-systemd")
    before = footprint.of(here)
    row = pusher.push(here, "--sudo", "--user", "nobody-there", *GROUP)
    assert row["code"] == "push.installer"
    assert "nobody-there" in row["detail"]
    expect.gone(here, api, before)


def test_role_and_push_agree(
    host: HostFactory, api: Api, pusher: Pusher, controller: Controller
) -> None:
    here = host("bookworm-systemd")
    before = footprint.of(here)
    controller.deploy(here, tremplin_jc_jump_group="jumpgroup:lab", tremplin_scope="system")
    first = expect.in_step(here, api)
    row = pusher.push(here, *SYSTEM)
    assert (row["result"], row["client"]) == ("unchanged", first["id"])
    assert pusher.push(here, "--sudo", "--remove")["result"] == "removed"
    expect.gone(here, api, before)
