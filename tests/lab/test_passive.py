"""A passive Jump Client on a real host: woken over the LAN, forged calls, a firewall before it."""

from __future__ import annotations

import os
import socket
import time

import pytest

from tests.lab import installing, network
from tests.lab.api import Api
from tests.lab.conftest import HostFactory
from tests.lab.lab import Lab
from tests.lab.site import Site
from tests.lab.technician import Technician
from tests.lab.wait import until

WAKE_PORT = 8024
AIM_SECONDS = 2.0
BOUND_SECONDS = 15.0
"""A crowded machine is slower than the aim; the figure is printed."""
FLOOD = 200
STRANGER = f"{network.LAN}.253"


def test_woken_forged_and_walled_off(
    host: HostFactory,
    site: Site,
    api: Api,
    lab: Lab,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = host()
    installing.push(here)
    key = installing.make_key(api, external_id=here.name, connection_type="passive")
    installing.install(here, key.key_info, "--scope", "system", "--online-install").checked()
    api.wait_state(here.name, "resting", seconds=60)
    person = Technician(lab, site, tmp_path_factory.mktemp("pat"), "pat")
    person.configure()
    name = str(api.client(here.name)["name"])  # type: ignore[index]

    began = time.monotonic()
    person.checked("ssh", name, "true")
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"\nwake-up to the end of a first command: {took:.2f} s (aim: {AIM_SECONDS:g} s)")
    assert took < BOUND_SECONDS

    # Whoever else calls wakes nobody, in however many ways and times he tries. He has another
    # address than the server: calls are counted for each.
    network.ip("-n", lab.namespace, "addr", "add", f"{STRANGER}/24", "dev", network.BRIDGE)
    api.wait_state(here.name, "resting", seconds=60)
    with network.entered(lab.namespace):
        lines = [socket.socket() for _ in range(FLOOD)]
    for number, line in enumerate(lines):
        with line:
            line.settimeout(5)
            try:
                line.bind((STRANGER, 0))
                line.connect((here.address, WAKE_PORT))
                line.sendall(os.urandom(1 + number))
            except OSError:
                continue
    assert api.client(here.name)["state"] == "resting"  # type: ignore[index]
    person.checked("ssh", name, "true")

    # A firewall that drops the call: the technician hears what was tried.
    api.wait_state(here.name, "resting", seconds=60)
    wall = f"tcp dport {WAKE_PORT} drop"
    hook = "type filter hook input priority 0;"
    network.nft(here.entry.machine, f"table ip wall {{ chain input {{ {hook} {wall}; }}; }}\n")
    refused = person.run("ssh", name, "true")
    assert refused.returncode
    said = refused.stderr.decode()
    assert f"{here.address}:{WAKE_PORT}" in said, said
    ended = until(lambda: _last(api), "the session to end")
    assert ended == "jump.timeout_connect"
    network.nft(here.entry.machine, "delete table ip wall\n")
    person.checked("ssh", name, "true")


def _last(api: Api) -> str:
    sessions = api.call("GET", "/session")
    newest = max(sessions, key=lambda session: session["created_at"])
    return str(newest["end_code"]) if newest["state"] == "ended" else ""
