"""The main line on every base system, through the collection's playbooks."""

from __future__ import annotations

import pytest

from tests.lab import expect, footprint
from tests.lab.api import Api
from tests.lab.conftest import HostFactory
from tests.lab.controller import Controller
from tests.lab.host import Host
from tests.lab.wait import until

GROUP = {"tremplin_jc_jump_group": "jumpgroup:lab"}
SYSTEM = GROUP | {"tremplin_scope": "system"}
BOOT_ENTRIES = {
    "systemd": "/etc/systemd/system/tremplin-jump-client*.service",
    "sysv": "/etc/rc2.d/S??tremplin-jump-client*",
    "openrc": "/etc/runlevels/default/tremplin-jump-client*",
}


def test_deployed_rebooted_removed(
    host: HostFactory, base: str, api: Api, controller: Controller
) -> None:
    here = host(base)
    before = footprint.of(here)
    assert controller.deploy(here, **SYSTEM).checked().changed
    first = expect.in_step(here, api)
    assert first["install_mode"] == "service"
    assert here.run(f"ls {BOOT_ENTRIES[here.init]}").status == 0
    _reboots_and_is_back(here, api)
    assert not controller.deploy(here, **SYSTEM).checked().changed
    assert expect.in_step(here, api)["id"] == first["id"]
    assert controller.remove(here, **SYSTEM).checked().changed
    expect.gone(here, api, before)
    assert not controller.remove(here, **SYSTEM).checked().changed


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    ("base", "startup"),
    [
        ("bookworm-systemd", "systemd"),
        ("bookworm-systemd", "cron"),
        ("bookworm-sysv", "sysv"),
        ("bookworm-sysv", "cron"),
        ("bookworm-openrc", "openrc"),
        ("bookworm-openrc", "cron"),
        ("trixie-systemd", "cron"),
    ],
)
def test_started_at_boot_for_a_user(
    host: HostFactory, api: Api, controller: Controller, base: str, startup: str
) -> None:
    here = host(base)
    before = footprint.of(here)
    wanted = GROUP | {"tremplin_user": "plain", "tremplin_startup": startup}
    controller.deploy(here, **wanted).checked()
    record = expect.in_step(here, api)
    assert (record["run_as"], record["startup"]) == ("plain", startup)
    _reboots_and_is_back(here, api)
    controller.remove(here, **wanted).checked()
    expect.gone(here, api, before)


@pytest.mark.parametrize(
    ("base", "startup"), [("bookworm-systemd", "systemd"), ("bullseye-systemd", "cron")]
)
def test_without_root(
    host: HostFactory, api: Api, controller: Controller, base: str, startup: str
) -> None:
    here = host(base)
    before = footprint.of(here)
    wanted = GROUP | {"ansible_user": "plain", "ansible_become": False}
    controller.deploy(here, **wanted).checked()
    place = "/home/plain/.local/share/tremplin-jump-client"
    assert expect.in_step(here, api, place)["startup"] == startup
    _reboots_and_is_back(here, api)
    controller.remove(here, **wanted).checked()
    expect.gone(here, api, before)


def _reboots_and_is_back(here: Host, api: Api) -> None:
    before = api.wait_state(here.name, "online")["last_connect_timestamp"]
    here.reboot()
    until(
        lambda: (api.client(here.name) or {})["last_connect_timestamp"] != before,
        f"{here.name} to connect after its reboot",
    )
    api.wait_state(here.name, "online")
