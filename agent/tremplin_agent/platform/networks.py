"""The networks that a host stands in, and packets to all of one of them."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Iterable, List, Mapping

import psutil

from tremplin_agent.core.wake_on_lan import MOST, PORT, Network, Packet, mac_of, network_of, packets

REPEATS = 3
"""A broadcast can be lost, and a packet too many wakes nobody twice."""


def networks() -> List[Network]:
    """Return the IPv4 networks of the cards that are up, at most `MOST`."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    found = []
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        cards = [mac_of(a.address) for a in addresses if a.family == psutil.AF_LINK]
        mac = next((card for card in cards if card), "")
        if name not in up or not mac:
            continue
        for address in addresses:
            if address.family == socket.AF_INET:
                network = network_of(address.address, address.netmask or "255.255.255.255")
                if network:
                    found.append(Network(mac, network))
    return found[:MOST]


def wake(targets: Mapping[str, Any]) -> int:
    """Wake the hosts with these network cards; return how many packets could be sent.

    targets: see `core.wake_on_lan.packets`.
    """
    return _send(packets(targets, networks()))


def _send(what: Iterable[Packet]) -> int:
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for packet in what:
            for _ in range(REPEATS):
                with contextlib.suppress(OSError):
                    line.sendto(packet.content, (packet.address, PORT))
                    sent += 1
    return sent
