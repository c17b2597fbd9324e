"""Updates of real hosts: by the init system's own start, and with the plug pulled in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent import __version__

from tests import updating
from tests.lab import expect, installing
from tests.lab.api import Api, Record
from tests.lab.conftest import HostFactory
from tests.lab.expect import DIRECTORY
from tests.lab.host import Host
from tests.lab.power import CutWhen
from tests.lab.site import Site
from tests.lab.wait import until
from tests.updating import BROKEN, NEW

OLD = __version__

_DISK = DIRECTORY.lstrip("/")
SIGNS = (
    f"{_DISK}/var/update/*.part",
    f"{_DISK}/var/update/order.json",
    f"{_DISK}/update.json",
    f"{_DISK}/versions/.new/tremplin_agent/wire/codec.py*",
    f"{_DISK}/previous",
    f"{_DISK}/trial",
    f"{_DISK}/var/update/welcomed",
)
"""What appears on the disk at each step: download, staged, applying, unpacking, swap, trial,
let in."""


def deployed(host: Host, api: Api) -> tuple[Record, str]:
    """Install a Jump Client as root's service; its record, and what it is known by."""
    installing.push(host)
    key = installing.make_key(api, external_id=host.name)
    installing.install(host, key.key_info, "--scope", "system", "--online-install").checked()
    api.call("DELETE", f"/jump-client/installer/{key.id}")
    return api.wait_state(host.name, "online"), host.read(f"{DIRECTORY}/var/agent.key")


def offer(site: Site, version: str, content: bytes) -> None:
    """Have a payload beside the current one, for hosts that are held at its version."""
    updating.put(site.payloads / version, content)


def order(site: Site, record: Record, version: str) -> None:
    """Hold a host at a version and order the update, with the commands for it."""
    number = str(record["id"])
    site.command("client", "update", number, "--version", version)
    [asked] = json.loads(site.command("update", "now", number, "--json"))
    assert (asked["version"], asked["code"]) == (version, "")


def until_result(api: Api, record: Record, state: str, seconds: float = 120) -> dict[str, Any]:
    """Wait until the host's last update has come to that end."""
    found: dict[str, Any] = {}

    def reached() -> bool:
        rows = api.call("GET", "/update/client")
        found.update(next((row for row in rows if row["client_id"] == record["id"]), {}))
        return bool(found) and found["state"] == state

    try:
        until(reached, "", seconds=seconds, every=0.2)
    except TimeoutError:
        raise AssertionError(f"not {state}, but {found}") from None
    return found


def same_host(host: Host, api: Api, before: Record, key: str, version: str) -> None:
    """Check that one agent of that version runs, and that it is who it was."""
    record = expect.in_step(host, api)
    assert (record["id"], record["agent_version"]) == (before["id"], version)
    assert host.read(f"{DIRECTORY}/var/agent.key") == key
    assert json.loads(host.read(f"{DIRECTORY}/install.json"))["version"] == version
    running = host.run("pgrep -u tremplin-jc -fc 'python.* run'").out.strip()
    assert running == "1", host.run("ps -ef").out


@pytest.mark.turns(4)
@pytest.mark.parametrize("sign", SIGNS, ids=[Path(sign).name for sign in SIGNS])
def test_power_cut_while_updating(host: HostFactory, site: Site, api: Api, sign: str) -> None:
    here = host()
    record, key = deployed(here, api)
    offer(site, NEW, updating.newer())
    with CutWhen(here, sign) as cut:
        order(site, record, NEW)
        cut.wait()
    here.power_on()
    here.wait_ssh()
    until_result(api, record, "done")
    same_host(here, api, record, key, NEW)
    # The next start, here another boot, leaves one version and nothing that waits.
    here.reboot()
    until(lambda: settled(here), "the end of the trial")
    same_host(here, api, record, key, NEW)


def settled(host: Host) -> bool:
    """Whether nothing of an update is left but its version."""
    left = host.run(f"ls {DIRECTORY}/versions {DIRECTORY}/var/update; ls -d {DIRECTORY}/previous")
    return len(left.out.split()) in (3, 4) and "previous" not in left.out and NEW in left.out


@pytest.mark.turns(2)
@pytest.mark.parametrize("base", ["bookworm-systemd", "bookworm-sysv"])
def test_a_version_that_cannot_run_is_taken_back_and_a_good_one_stays(
    host: HostFactory, site: Site, api: Api, base: str
) -> None:
    here = host(base)
    record, key = deployed(here, api)
    offer(site, BROKEN, updating.that_crashes())
    order(site, record, BROKEN)
    row = until_result(api, record, "failed")
    assert row["code"] == "update.rolled_back", row
    [listed] = json.loads(site.command("update", "list", "--state", "failed", "--json"))
    assert (listed["name"], listed["version"]) == (record["name"], BROKEN)
    same_host(here, api, record, key, OLD)
    offer(site, NEW, updating.newer())
    order(site, record, NEW)
    until_result(api, record, "done")
    same_host(here, api, record, key, NEW)
    owners = here.run(f"find {DIRECTORY} -path '*/var' -prune -o ! -user root -print").checked()
    assert owners.replace(f"{DIRECTORY}/var\n", "") == ""
