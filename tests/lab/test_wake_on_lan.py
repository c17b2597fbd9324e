"""A host that is off is woken by another on its wire: the packet is really on it."""

from __future__ import annotations

import socket

from tremplin_agent.core.wake_on_lan import PORT, magic_packet

from tests.lab import installing, network
from tests.lab.api import Api
from tests.lab.conftest import HostFactory
from tests.lab.lab import Lab
from tests.lab.wait import until


def test_a_neighbour_wakes_a_host(host: HostFactory, api: Api, lab: Lab) -> None:
    asleep, near = host(), host()
    for one in (asleep, near):
        installing.push(one)
        key = installing.make_key(api, external_id=one.name)
        installing.install(one, key.key_info, "--scope", "system").checked()
        api.wait_state(one.name, "online")
    mac = asleep.read("/sys/class/net/eth0/address").strip().replace(":", "")
    until(lambda: api.client(asleep.name)["networks"], "the network cards")  # type: ignore[index]
    asleep.power_cut()
    number = api.wait_state(asleep.name, "offline", seconds=60)["id"]
    with network.entered(lab.namespace):
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with line:
        line.bind(("0.0.0.0", PORT))
        line.settimeout(10)
        answer = api.call("POST", f"/jump-client/{number}/wake")
        assert [one["name"] for one in answer["through"]] == [near.name]
        content, (sender, _port) = line.recvfrom(1024)
    assert content == magic_packet(mac)
    assert sender == near.address
