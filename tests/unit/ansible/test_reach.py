"""The variables of inventory hosts: what they say to the real ssh, names and groups."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import pytest
from ansible_collections.tremplin.jump.plugins.module_utils import reach

SITE = "https://tremplin.example.net:8443"
WAY = reach.Way("tremplin.example.net", 8022, "ansible", "/home/zoe/known_hosts")
ODD = reach.Way("::1", 22, "my account %h", "/home/zoe/a b/100%", "/keys/it's mine")


def record(**values: Any) -> dict[str, Any]:
    known = {"id": 12, "name": "web1", "state": "online", "is_lost": False}
    return {**known, "operating_system": "Debian GNU/Linux 12 (bookworm)", **values}


def understood(arguments: str) -> dict[str, str]:
    """Return what ssh makes of command line arguments."""
    command = ["ssh", "-G", "-F", "none", *shlex.split(arguments), "id-12"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    return {name: value for name, _space, value in lines}


def expanded(command: str) -> str:
    """Return a ProxyCommand as ssh gives it to a shell."""
    tokens = {"%%": "%", "%h": "id-12", "%p": "22"}
    return re.sub("%.", lambda found: tokens[found[0]], command)


@pytest.mark.parametrize("way", [WAY, ODD], ids=["plain", "odd"])
def test_ssh_understands_what_it_is_told(way: reach.Way) -> None:
    told = understood(reach.ssh_arguments(way))
    assert told["stricthostkeychecking"] == "true"
    assert told["userknownhostsfile"].strip('"') == way.known_hosts
    # ssh replaces the percent signs of the command, and gives it to a shell.
    words = shlex.split(expanded(told["proxycommand"]))
    assert words[0] == "ssh"
    jump = understood(shlex.join(words[1:-1]))
    assert words[-1] == way.host
    assert words[-3:-1] == ["-W", "id-12:22"]
    assert jump["port"] == str(way.port)
    assert jump["user"] == way.user
    assert jump["stricthostkeychecking"] == "true"
    assert jump["userknownhostsfile"].strip('"') == way.known_hosts
    assert jump["batchmode"] == "yes"
    if way.private_key:
        assert jump["identityfile"] == way.private_key


def test_two_sites_share_no_connection() -> None:
    here = reach.variables(record(), WAY, SITE)
    there = reach.variables(record(), WAY, "https://other.example.net")
    assert here["ansible_host"] == there["ansible_host"] == "id-12"
    assert here["ansible_control_path_dir"] != there["ansible_control_path_dir"]


def test_the_agents_account_is_the_user() -> None:
    assert reach.variables(record(run_as="tremplin"), WAY, SITE)["ansible_user"] == "tremplin"
    assert "ansible_user" not in reach.variables(record(), WAY, SITE)
    assert list(reach.variables(record(), None, SITE)) == ["jump_client"]


def test_every_host_has_a_name_of_its_own() -> None:
    records = [
        record(id=3, external_id=None, name="web"),
        record(id=2, external_id="web", name="other"),
        record(id=9, external_id="", name=""),
    ]
    found = reach.named(records, ["external_id", "name"])
    assert [(name, one["id"]) for name, one in found] == [("web", 2), ("web-id-3", 3), ("9", 9)]


SYSTEMS = {
    "Debian GNU/Linux 12 (bookworm)": "debian",
    "Ubuntu 24.04.1 LTS": "ubuntu",
    "Red Hat Enterprise Linux 9.4 (Plow)": "red_hat_enterprise",
    "Linux 6.1": "linux",
    "Microsoft Windows 11 Pro": "windows",
    "": "",
}


@pytest.mark.parametrize(("system", "name"), SYSTEMS.items(), ids=SYSTEMS.values())
def test_a_system_is_named_without_its_version(system: str, name: str) -> None:
    assert reach.operating_system({"operating_system": system}) == name


def test_groups_are_of_the_kinds_that_are_wanted() -> None:
    one = record(tag="web", is_lost=True)
    assert reach.groups_of(one, reach.GROUPINGS, "servers") == [
        "jump_group_servers",
        "tag_web",
        "os_debian",
        "state_lost",
    ]
    assert reach.groups_of(record(tag=""), ["tag", "state"], "servers") == ["state_online"]
