"""The formula on real hosts: a real master, real minions, reboots, kills, power cuts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import yaml

from tests.lab import expect, footprint, network, salt_trees
from tests.lab.api import Api
from tests.lab.conftest import HostFactory
from tests.lab.controller import Controller
from tests.lab.footprint import Footprint
from tests.lab.host import Host
from tests.lab.lab import CACHE, Lab
from tests.lab.power import CutWhen
from tests.lab.site import URL, Site
from tests.lab.test_interruptions import INSTALL_SIGNS, REMOVAL_SIGNS
from tests.lab.wait import until
from tests.salt_master import BIN, PUBLISH_PORT, Master, Ran

pytestmark = [pytest.mark.timeout(900), pytest.mark.turns(2, family="Salt on hosts")]

BASES = ("bookworm-systemd", "bookworm-sysv", "bullseye-systemd")
PILLAR: dict[str, Any] = {"scope": "system", "jc_jump_group": "jumpgroup:lab", "jc_tag": "one"}
INSTALLING = {
    "bookworm-systemd": (INSTALL_SIGNS[0], INSTALL_SIGNS[2], INSTALL_SIGNS[-1]),
    "bookworm-sysv": (INSTALL_SIGNS[1],),
    "bullseye-systemd": (INSTALL_SIGNS[5],),
}
REMOVING = {
    "bookworm-systemd": (REMOVAL_SIGNS[0], REMOVAL_SIGNS[-1]),
    "bookworm-sysv": (REMOVAL_SIGNS[1],),
    "bullseye-systemd": (REMOVAL_SIGNS[-1],),
}
"""The moments of `test_interruptions`, which tries them all, shared out among the bases."""
TREE = f"/{salt_trees.PLACE}"
MINION_PROGRAM = f"""#!/bin/sh
export PYTHONPATH={TREE} PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
exec /usr/bin/python3 -c 'from salt.scripts import {{program}}; {{program}}()' "$@"
"""
_numbers = count(1)


@dataclass
class Salted:
    """Hosts that run salt-minion, and their master."""

    master: Master
    hosts: list[Host]
    before: dict[str, Footprint]

    @property
    def names(self) -> list[str]:
        return [here.name for here in self.hosts]

    @property
    def all(self) -> str:
        """The target that means all of them."""
        return ",".join(self.names)

    def apply(self, name: str = "tremplin", **variables: object) -> Ran:
        """Have all minions apply a part of the formula, which must succeed."""
        return self.master.apply(self.all, name, **variables).fine(*self.names)

    def changed(self, done: Ran) -> dict[str, list[str]]:
        return {name: done.changed(name) for name in self.names}

    def nobody(self) -> dict[str, list[str]]:
        return {name: [] for name in self.names}

    def idle(self) -> bool:
        """Whether no minion applies anything just now."""
        done = self.master.salt(self.all, "saltutil.is_running", "state.*")
        return bool(done.answer == self.nobody())

    def wait(self) -> None:
        """Wait until all minions answer."""
        # Every question to the master is a start of Salt: first see who listens to it at all.
        for here in self.hosts:
            until(lambda here=here: _listens(here), f"{here.name}'s minion", seconds=120)  # type: ignore[misc]
        until(self.master.up(*self.names), "the minions", seconds=120, every=0.5)


@pytest.fixture
def release() -> str:
    """Which Salt the master and the minions are; the one under test, unless a test says so."""
    return ""


@pytest.fixture
def master(lab: Lab, site: Site, release: str) -> Iterator[Master]:
    """A salt-master beside the server, at 10.77.0.1, with an API account of its own."""
    known = site.credentials("salt")
    made = Master(
        CACHE / "run" / lab.run / f"_master{next(_numbers)}",
        {
            "url": URL,
            "client_id": known["TREMPLIN_CLIENT_ID"],
            "client_secret": known["TREMPLIN_CLIENT_SECRET"],
            "ca_path": str(site.ca),
        },
        address=network.SERVER_ADDRESS,
        prefix=("ip", "netns", "exec", lab.namespace),
        bin=salt_trees.programs(release) if release else BIN,
        # A socket's path has 107 characters at most.
        sock_dir=f"/run/tremplin-salt-{lab.run}-{os.getpid()}",
        # To become root on hosts whose agent runs as somebody else.
        roster_defaults={"sudo": True},
    )
    made.give(PILLAR)
    made.start()
    try:
        until(
            lambda: made.run("saltutil.sync_all").status == 0, "the master", seconds=60, every=0.5
        )
        yield made
    finally:
        made.kill()


@pytest.fixture
def salted(host: HostFactory, master: Master, release: str) -> Any:
    """Make hosts with running minions: `salted(base, …)`."""

    def make(*bases: str, **options: Any) -> Salted:
        hosts = [host(base, on=False, **options) for base in bases]
        for here in hosts:
            salt_trees.give(here, release)
            here.power_on()
            here.wait_ssh()
            _start_minion(here)
        found = Salted(master, hosts, {})
        found.wait()
        # What Salt leaves on a host by itself is there before.
        master.salt(found.all, "saltutil.sync_all")
        found.before = {here.name: footprint.of(here) for here in hosts}
        return found

    return make


def _listens(here: Host) -> bool:
    """Whether something on a host is connected to where the master publishes."""
    return f":{PUBLISH_PORT:04X} 01 " in here.read("/proc/net/tcp")


def _start_minion(here: Host) -> None:
    """Have cron, which every base has, start salt-minion at boot, and start it now."""
    settings = {
        "id": here.name,
        "master": network.SERVER_ADDRESS,
        "enable_fqdns_grains": False,
        "random_reauth_delay": 1,
        "recon_default": 500,
        "recon_max": 2000,
        "acceptance_wait_time": 1,
        "auth_timeout": 5,
        # What was asked of a master that was killed gets no answer.
        "request_channel_timeout": 15,
        "log_level_logfile": "info",
    }
    here.run("mkdir -p /etc/salt /etc/cron.d").checked()
    here.put(yaml.safe_dump(settings).encode(), "/etc/salt/minion")
    for name in ("minion", "call"):
        function = "salt_" + name
        content = MINION_PROGRAM.replace("{program}", function)
        here.put(content.encode(), f"/usr/local/bin/salt-{name}", mode="0755")
    line = "@reboot root /usr/local/bin/salt-minion -d\n"
    here.put(line.encode(), "/etc/cron.d/salt-minion")
    here.run("/usr/local/bin/salt-minion -d").checked()


def test_the_line_with_three_minions(salted: Any, api: Api) -> None:
    here: Salted = salted(*BASES)
    foreseen = here.apply(test=True)
    for name in here.names:
        assert "install: the host has no Jump Client" in foreseen.comments(name)
    assert api.clients() == [] or not [r for n in here.names for r in api.clients(external_id=n)]

    done = here.master.salt(here.all, "state.highstate").fine(*here.names)
    assert here.changed(done) == {name: ["tremplin-package-install"] for name in here.names}
    first = {host.name: expect.in_step(host, api) for host in here.hosts}
    assert {record["install_mode"] for record in first.values()} == {"service"}
    assert here.changed(here.apply()) == here.nobody()
    for host in here.hosts:
        places = "/etc/salt /var/cache/salt /var/log/salt"
        secret = host.run(f"grep -rlE --exclude='*.py*' 'eyJ|client_secret' {places}")
        assert secret.out == "", "neither a key info nor the account is on the host"
    assert '"key_info": "' not in here.master.log

    for host in here.hosts:
        host.reboot()
    here.wait()
    for host in here.hosts:
        assert expect.in_step(host, api, seconds=60)["id"] == first[host.name]["id"]
    assert here.changed(here.apply()) == here.nobody()

    here.master.give(PILLAR | {"jc_tag": "two"}, **{here.names[0]: {"jc_comments": "only here"}})
    here.master.salt(here.all, "saltutil.refresh_pillar", **{"wait": True})
    assert "changed in place" in here.apply(test=True).comments(here.names[0])
    here.apply()
    tags = {name: (api.client(name) or {}).get("tag") for name in here.names}
    assert tags == dict.fromkeys(here.names, "two")
    assert (api.client(here.names[0]) or {})["comments"] == "only here"

    done = here.apply("tremplin.clean")
    assert here.changed(done) == {name: ["tremplin-package-clean"] for name in here.names}
    for host in here.hosts:
        expect.gone(host, api, here.before[host.name])
    assert here.changed(here.apply("tremplin.clean")) == here.nobody()


def test_orchestrated(salted: Any, api: Api) -> None:
    here: Salted = salted("bookworm-systemd", "bookworm-sysv")
    target = {"target": here.all, "target_type": "list"}
    here.master.run("state.orchestrate", "orch.deploy", pillar=target).checked()
    for host in here.hosts:
        expect.in_step(host, api)
    drift = here.master.run("tremplin.drift", here.all, tgt_type="list").checked().answer
    assert (drift["missing"], drift["not_online"]) == ([], [])

    gone = here.hosts[1]
    gone.run(f"{expect.DIRECTORY}/uninstall --local").checked()
    api.wait_state(gone.name, "offline")
    plan = here.master.run("tremplin.reconcile", here.all, tgt_type="list", test=True).answer
    assert plan["applied"] == [gone.name]
    here.master.run("tremplin.reconcile", here.all, tgt_type="list").checked()
    expect.in_step(gone, api)

    here.master.run("state.orchestrate", "orch.remove", pillar=target).checked()
    for host in here.hosts:
        expect.gone(host, api, here.before[host.name])


def test_a_deleted_key_takes_the_record_along(salted: Any, api: Api) -> None:
    here: Salted = salted("bookworm-systemd")
    (host,) = here.hosts
    here.apply()
    expect.in_step(host, api)
    here.master.key("-d", host.name).checked()
    until(lambda: api.client(host.name) is None, "the record to go", seconds=60)
    # The agent was online, so it removes itself.
    expect.clean(host, here.before[host.name], seconds=60)
    assert not [t for t in api.tombstones() if t["external_id"] == host.name]


def test_a_minion_gets_nothing_of_another(salted: Any, api: Api) -> None:
    here: Salted = salted("bookworm-systemd")
    (host,) = here.hosts
    said = here.master.salt(host.name, "tremplin.installed", "web-of-others", scope="system")
    assert "is not the declared key of the minion" in said.output
    said = here.master.salt(host.name, "tremplin.record_absent", "web-of-others")
    assert "is not the declared key of the minion" in said.output
    assert api.client("web-of-others") is None
    here.master.give(PILLAR | {"jc_external_id": "web-of-others"})
    here.master.salt(host.name, "saltutil.refresh_pillar", wait=True)
    here.apply()
    assert (api.client("web-of-others") or {})["state"] == "online"
    here.apply("tremplin.clean")
    assert api.client("web-of-others") is None


@pytest.mark.turns(3)
@pytest.mark.parametrize("base", BASES)
def test_power_cut_while_installing(salted: Any, api: Api, base: str) -> None:
    here: Salted = salted(base)
    (host,) = here.hosts
    for sign in INSTALLING[base]:
        _cut(here, host, sign, "tremplin")
        here.apply()
        expect.in_step(host, api, seconds=60)
        assert here.changed(here.apply()) == here.nobody()
        here.apply("tremplin.clean")
        expect.gone(host, api, here.before[host.name])


@pytest.mark.turns(3)
@pytest.mark.parametrize("base", BASES)
def test_power_cut_while_removing(salted: Any, api: Api, base: str) -> None:
    here: Salted = salted(base)
    (host,) = here.hosts
    for sign in REMOVING[base]:
        here.apply()
        expect.in_step(host, api, seconds=60)
        _cut(here, host, sign, "tremplin.clean")
        here.apply("tremplin.clean")
        expect.gone(host, api, here.before[host.name])


def test_master_and_server_killed_in_the_middle(salted: Any, api: Api, site: Site) -> None:
    here: Salted = salted("bookworm-systemd")
    (host,) = here.hosts
    for victim in (here.master, site):
        running = here.master.start_run("salt", host.name, "state.apply", "tremplin")
        until(lambda: host.run("ls -d /root/.tremplin-push-*").status == 0, "the push", every=0.01)
        victim.kill()
        victim.start()
        _end(running)
        here.wait()
        until(here.idle, "the minion's run to end", seconds=120, every=0.5)
        here.apply()
        expect.in_step(host, api, seconds=60)
        assert here.changed(here.apply()) == here.nobody()
        here.apply("tremplin.clean")
        expect.gone(host, api, here.before[host.name])


def test_from_ansible_and_back(salted: Any, api: Api, controller: Controller) -> None:
    here: Salted = salted("bookworm-systemd")
    (host,) = here.hosts
    wanted = {"tremplin_jc_jump_group": "jumpgroup:lab", "tremplin_scope": "system"}
    controller.deploy(host, **wanted).checked()
    first = expect.in_step(host, api)
    assert here.changed(here.apply())[host.name] == ["tremplin-package-install"], "the tag"
    assert expect.in_step(host, api)["id"] == first["id"]
    assert not controller.deploy(host, **wanted).checked().changed
    here.apply("tremplin.clean")
    assert not controller.remove(host, **wanted).checked().changed
    expect.gone(host, api, here.before[host.name])


def test_salt_ssh_to_a_host_behind_nat(salted: Any, api: Api, site: Site, lab: Lab) -> None:
    here: Salted = salted("bookworm-systemd", nat=True)
    (host,) = here.hosts
    direct = ["ip", "netns", "exec", lab.namespace, "timeout", "2", "bash", "-c"]
    way = subprocess.run([*direct, f"echo > /dev/tcp/{host.address}/22"], capture_output=True)
    assert way.returncode != 0, "nothing leads to the host"
    here.master.give({"user": "deploy", "jc_jump_group": "jumpgroup:lab"})
    here.apply()
    expect.in_step(host, api)

    # Its own key, made by its first run, opens nothing until it is registered.
    refused = here.master.ssh(host.name, "test.ping")
    assert refused.answer != {host.name: True}
    assert "ermission denied" in refused.output
    public = here.master.directory / "pki" / "ssh" / "salt-ssh.rsa.pub"
    site.command("api-account", "key", "add", "salt", str(public))

    assert here.master.ssh("h*", "test.ping").checked().answer == {host.name: True}
    assert here.master.ssh(host.name, "grains.get", "id").answer == {host.name: host.name}
    done = here.master.ssh(host.name, "state.single", "file.touch", "/root/by-salt-ssh")
    assert done.checked().changed(host.name), done.output
    assert host.exists("/root/by-salt-ssh")
    assert here.master.ssh("nobody*", "test.ping").answer in (None, {})

    host.run("rm -rf /root/by-salt-ssh /var/tmp/.root_*_salt /var/tmp/.deploy_*_salt").checked()
    here.apply("tremplin.clean")
    expect.gone(host, api, here.before[host.name])


@pytest.mark.parametrize("release", [salt_trees.LONG_TERM])
def test_the_long_term_release_as_master_and_minion(salted: Any, api: Api, release: str) -> None:
    here: Salted = salted("bullseye-systemd", "bullseye-systemd")
    said = here.master.salt(here.all, "test.version").checked()
    assert said.answer == dict.fromkeys(here.names, release)
    assert "install: the host has no Jump Client" in here.apply(test=True).comments(here.names[0])
    target = {"target": here.all, "target_type": "list"}
    here.master.run("state.orchestrate", "orch.deploy", pillar=target).checked()
    for host in here.hosts:
        expect.in_step(host, api)
    assert here.changed(here.apply()) == here.nobody()
    here.master.key("-d", here.names[1]).checked()
    until(lambda: api.client(here.names[1]) is None, "the record to go", seconds=60)
    target["target"] = here.names[0]
    here.master.run("state.orchestrate", "orch.remove", pillar=target).checked()
    expect.gone(here.hosts[0], api, here.before[here.names[0]])


def _end(running: subprocess.Popen[bytes]) -> None:
    """End a command of the master's that waits for an answer."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _cut(here: Salted, host: Host, sign: str, part: str) -> None:
    """Pull the plug at a moment of a run, and have the host and its minion back."""
    with CutWhen(host, sign):
        running = here.master.start_run("salt", host.name, "state.apply", part)
        until(lambda: running.poll() is not None or not host.powered, "the cut", seconds=120)
    _end(running)
    host.power_on()
    host.wait_ssh()
    here.wait()
