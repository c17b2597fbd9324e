"""Cuts in the middle: of the controller, the host, the server. The next run finishes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab import expect, footprint
from tests.lab.api import Api
from tests.lab.conftest import HostFactory
from tests.lab.controller import Controller, Play
from tests.lab.host import Host
from tests.lab.power import CutWhen
from tests.lab.site import Site
from tests.lab.test_deployment import SYSTEM

DEPLOY_TASKS = (
    "Push the installer to the host",
    "Make a key for this host, for one use",
    "Run the installer",
    "Say why the installation failed",
    "Wait until the server says that it is online",
    "Delete the key, used or not",
)
REMOVE_TASKS = (
    "Uninstall on the host",
    "Check that directory, processes and boot entries are gone from the host",
    "Delete the record, now that its host is known to be clean",
    "Settle what the server still waits for from this host",
)
_DIRECTORY = expect.DIRECTORY.lstrip("/")
_UNIT = "etc/systemd/system/multi-user.target.wants/tremplin-jump-client-*"
INSTALL_SIGNS = (
    f"{_DIRECTORY}.partial-*",
    f"{_DIRECTORY}.partial-*/versions/*/tremplin_agent/wire/codec.py*",
    f"{_DIRECTORY}/install.json",
    "var/lib/tremplin-jump-client/account-made",
    _UNIT,
    f"{_DIRECTORY}/var/agent.key",
    f"{_DIRECTORY}/var/state.json",
)
"""Paths whose appearance on the host's disk is the moment to pull the plug."""
REMOVAL_SIGNS = (
    f"{_DIRECTORY}/removing",
    f"!{_DIRECTORY}/lib",
    f"!{_UNIT}",
    f"!{_DIRECTORY}",
)
"""The same for a removal; `!` waits for a path to disappear."""


@pytest.mark.turns(4)
@pytest.mark.parametrize("task", DEPLOY_TASKS)
def test_controller_killed_while_deploying(
    host: HostFactory, api: Api, controller: Controller, task: str
) -> None:
    here = host()
    killed = _play(controller, here, "deploy", kill_at=task)
    assert killed.status == -9, f"never reached {task}:\n{killed.output}"
    _finish_deploying(here, api, controller)


@pytest.mark.turns(4)
@pytest.mark.parametrize("task", REMOVE_TASKS)
def test_controller_killed_while_removing(
    host: HostFactory, api: Api, controller: Controller, task: str
) -> None:
    here = host()
    before = footprint.of(here)
    controller.deploy(here, **SYSTEM).checked()
    killed = _play(controller, here, "remove", kill_at=task)
    assert killed.status == -9, f"never reached {task}:\n{killed.output}"
    controller.remove(here, **SYSTEM).checked()
    expect.gone(here, api, before)


@pytest.mark.turns(4)
@pytest.mark.parametrize("sign", INSTALL_SIGNS)
def test_power_cut_while_installing(
    host: HostFactory, api: Api, controller: Controller, sign: str
) -> None:
    here = host()
    with CutWhen(here, sign):
        _play(controller, here, "deploy")
    here.power_on()
    here.wait_ssh()
    _finish_deploying(here, api, controller)


@pytest.mark.turns(4)
@pytest.mark.parametrize("sign", REMOVAL_SIGNS)
def test_power_cut_while_removing(
    host: HostFactory, api: Api, controller: Controller, sign: str
) -> None:
    here = host()
    before = footprint.of(here)
    controller.deploy(here, **SYSTEM).checked()
    with CutWhen(here, sign):
        _play(controller, here, "remove")
    here.power_on()
    here.wait_ssh()
    controller.remove(here, **SYSTEM).checked()
    expect.gone(here, api, before)


@pytest.mark.turns(4)
@pytest.mark.parametrize("task", DEPLOY_TASKS[:-1])
def test_server_killed_while_deploying(
    host: HostFactory, api: Api, controller: Controller, site: Site, task: str
) -> None:
    here = host()
    _play(controller, here, "deploy", at=task, act=lambda: _killed_and_back(site))
    _finish_deploying(here, api, controller)


@pytest.mark.turns(4)
@pytest.mark.parametrize("task", REMOVE_TASKS)
def test_server_killed_while_removing(
    host: HostFactory, api: Api, controller: Controller, site: Site, task: str
) -> None:
    here = host()
    before = footprint.of(here)
    controller.deploy(here, **SYSTEM).checked()
    _play(controller, here, "remove", at=task, act=lambda: _killed_and_back(site))
    controller.remove(here, **SYSTEM).checked()
    expect.gone(here, api, before)


def _finish_deploying(here: Host, api: Api, controller: Controller) -> None:
    controller.deploy(here, **SYSTEM).checked()
    expect.in_step(here, api)
    assert not controller.deploy(here, **SYSTEM).checked().changed


def _killed_and_back(site: Site) -> None:
    site.kill()
    site.start()


def _play(
    controller: Controller,
    here: Host,
    playbook: str,
    *,
    kill_at: str = "",
    at: str = "",
    act: Callable[[], None] = lambda: None,
) -> Play:
    """Run a playbook; kill the controller, or do something, when a task begins."""

    def seen(line: str) -> bool:
        if at and f": {at}]" in line:
            act()
        return bool(kill_at) and f": {kill_at}]" in line

    return controller.play(f"tremplin.jump.{playbook}", [here], SYSTEM, seen)
