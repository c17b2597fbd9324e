"""Whatever happens to one half, the other follows: deletion, removal, rebuild, clone, cut."""

from __future__ import annotations

import json
import time

import pytest

from tests.lab import expect, footprint, installing
from tests.lab.api import Api
from tests.lab.conftest import HostFactory
from tests.lab.controller import Controller
from tests.lab.footprint import Footprint
from tests.lab.host import Host
from tests.lab.site import Site
from tests.lab.test_deployment import GROUP, SYSTEM
from tests.lab.wait import until

NOTICED_SECONDS = 35
BACK_SECONDS = 15
SUPERVISED = pytest.mark.parametrize(
    "base", ["bookworm-systemd", "bookworm-sysv", "bookworm-openrc"]
)


@SUPERVISED
def test_deleted_while_online(host: HostFactory, base: str, api: Api) -> None:
    """The agent has no rights of its own: its supervisor, who has, removes it."""
    here, before, record = _deployed(host, api, base)
    api.call("DELETE", f"/jump-client/{record['id']}", reason="test")
    assert api.client(here.name) is None
    expect.gone(here, api, before)


@SUPERVISED
def test_deleted_while_off(host: HostFactory, base: str, api: Api) -> None:
    here, before, record = _deployed(host, api, base)
    here.power_cut()
    api.call("DELETE", f"/jump-client/{record['id']}", reason="test")
    assert api.client(here.name) is None
    assert [t["external_id"] for t in api.tombstones()] == [here.name]
    here.power_on()
    here.wait_ssh()
    until(lambda: not api.tombstones(), "the tombstone to be closed")
    expect.gone(here, api, before)


def test_deleted_while_the_server_restarts(host: HostFactory, api: Api, site: Site) -> None:
    here, before, record = _deployed(host, api)
    here.cut_cable()
    api.call("DELETE", f"/jump-client/{record['id']}", reason="test")
    site.kill()
    site.start()
    here.mend_cable()
    until(lambda: not api.tombstones(), "the tombstone to be closed", seconds=60)
    expect.gone(here, api, before)


@SUPERVISED
def test_ordered_to_uninstall(host: HostFactory, base: str, api: Api) -> None:
    here, before, record = _deployed(host, api, base)
    api.call("POST", f"/jump-client/{record['id']}/uninstall", {"reason": "test"})
    api.wait_state(here.name, "uninstalled")
    expect.clean(here, before)


def test_uninstalled_by_hand(host: HostFactory, base: str, api: Api) -> None:
    here, before, record = _deployed(host, api, base)
    here.run(f"{expect.DIRECTORY}/uninstall").checked()
    assert api.wait_state(here.name, "uninstalled", seconds=5)["id"] == record["id"]
    expect.clean(here, before)
    api.call("DELETE", f"/jump-client/{record['id']}", reason="test")
    expect.gone(here, api, before)


def test_uninstalled_by_hand_without_the_server(host: HostFactory, api: Api) -> None:
    here, before, _ = _deployed(host, api)
    here.cut_cable()
    done = here.run(f"{expect.DIRECTORY}/uninstall")
    assert done.status == 0
    assert "could not be told" in done.err
    expect.clean(here, before)
    here.mend_cable()
    api.wait_state(here.name, "offline", seconds=NOTICED_SECONDS)


@pytest.mark.parametrize("keep_machine_id", [True, False])
def test_rebuilt_host_has_one_record(
    host: HostFactory, api: Api, controller: Controller, keep_machine_id: bool
) -> None:
    """A new disk under the same inventory name, with the same machine-id or a new one."""
    here = host()
    controller.deploy(here, **SYSTEM).checked()
    first = expect.in_step(here, api)
    here.rebuild(keep_machine_id=keep_machine_id)
    here.power_on()
    here.wait_ssh()
    controller.deploy(here, **SYSTEM).checked()
    assert expect.in_step(here, api)["id"] == first["id"]


def test_rebuilt_host_is_known_by_its_machine_id(host: HostFactory, api: Api) -> None:
    """By hand and without any declared key: the fingerprint is enough."""
    here = host()
    key = installing.make_key(api, on_duplicate="replace")
    for _ in range(2):
        here.rebuild()
        here.power_on()
        here.wait_ssh()
        installing.push(here)
        installing.install(here, key.key_info, "--scope", "system", "--online-install").checked()
        until(lambda: _states(api, here.name) == ["online"], "one record, online")
    assert len(api.clients(hostname=here.name)) == 1


def test_cloned_disk_never_takes_the_first_ones_record(
    host: HostFactory, api: Api, controller: Controller
) -> None:
    first, second = host(), host(on=False)
    controller.deploy(first, **SYSTEM).checked()
    record = expect.in_step(first, api)
    first.power_off()
    second.take_disk_of(first)
    first.power_on()
    api.wait_state(first.name, "online")
    second.power_on()
    second.wait_ssh()
    until(lambda: _was_refused(second), f"{second.name} to be refused as a clone")
    assert _public_ip(api, first) == first.address
    # Deployed under its own name, the clone becomes a Jump Client of its own.
    controller.deploy(second, **SYSTEM).checked()
    new = api.wait_state(second.name, "online")
    assert new["id"] != record["id"]
    for here in (first, second):
        api.wait_state(here.name, "online", seconds=60)
    assert (api.client(first.name) or {})["id"] == record["id"]
    assert _public_ip(api, second) == second.address
    state = json.loads(second.read(f"{expect.DIRECTORY}/var/state.json"))
    assert state["client_id"] == new["id"]


def test_cut_cable_is_noticed_and_mended(host: HostFactory, api: Api) -> None:
    here, _, _ = _deployed(host, api)
    here.cut_cable()
    began = time.monotonic()
    api.wait_state(here.name, "offline", seconds=NOTICED_SECONDS)
    noticed = time.monotonic() - began
    # Long enough for the agent to have noticed as well, and to be waiting between tries.
    until(lambda: time.monotonic() - began > NOTICED_SECONDS, "", seconds=NOTICED_SECONDS + 1)
    here.mend_cable()
    began = time.monotonic()
    api.wait_state(here.name, "online", seconds=BACK_SECONDS)
    print(f"noticed after {noticed:.1f} s, back after {time.monotonic() - began:.1f} s")


def test_power_cut_is_noticed_and_survived(host: HostFactory, api: Api) -> None:
    here, _, record = _deployed(host, api)
    here.power_cut()
    api.wait_state(here.name, "offline", seconds=NOTICED_SECONDS)
    here.power_on()
    here.wait_ssh()
    assert expect.in_step(here, api)["id"] == record["id"]


def test_killed_agent_is_noticed_and_restarted(host: HostFactory, base: str, api: Api) -> None:
    here, _, record = _deployed(host, api, base)
    connected = record["last_connect_timestamp"]
    here.run("pkill -KILL -u tremplin-jc").checked()
    until(lambda: (api.client(here.name) or {})["last_connect_timestamp"] != connected, "restart")
    assert expect.in_step(here, api)["id"] == record["id"]


def test_server_killed_and_back(host: HostFactory, api: Api, site: Site) -> None:
    here, _, record = _deployed(host, api)
    site.kill()
    site.start()
    connected = record["last_connect_timestamp"]
    until(lambda: (api.client(here.name) or {})["last_connect_timestamp"] != connected, "return")
    assert expect.in_step(here, api)["id"] == record["id"]


def test_several_hosts_at_once(host: HostFactory, api: Api, controller: Controller) -> None:
    """Many forks, and batches: nobody is left out, and the second run changes nothing."""
    hosts = [host("bookworm-systemd") for _ in range(6)]
    wanted = GROUP | {"tremplin_user": "plain"}
    controller.deploy(*hosts, **wanted).checked()
    for here in hosts:
        expect.in_step(here, api)
    assert not controller.deploy(*hosts, **wanted).checked().changed
    controller.remove(*hosts, **wanted).checked()
    assert not [r for here in hosts for r in api.clients(external_id=here.name)]


def _deployed(
    host: HostFactory, api: Api, base: str = "bookworm-systemd"
) -> tuple[Host, Footprint, dict[str, object]]:
    """Return a host with a Jump Client in service mode, its footprint before, its record."""
    here = host(base)
    installing.push(here)
    before = footprint.of(here)
    key = installing.make_key(api, external_id=here.name, max_uses=1)
    installing.install(here, key.key_info, "--scope", "system", "--online-install").checked()
    api.call("DELETE", f"/jump-client/installer/{key.id}")
    return here, before, expect.in_step(here, api)


def _states(api: Api, hostname: str) -> list[str]:
    return [str(record["state"]) for record in api.clients(hostname=hostname)]


def _public_ip(api: Api, here: Host) -> str:
    record = api.client(here.name)
    return str(record["public_ip"]) if record and record["state"] == "online" else ""


def _was_refused(here: Host) -> bool:
    return any("enrol.clone" in line for line in expect.log_lines(here))
