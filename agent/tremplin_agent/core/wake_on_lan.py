"""Waking a host that is switched off: addresses, and the packet that its network card knows."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple

PORT = 9
"""UDP "discard", by custom: a network card looks at the bytes, not at the port."""
MOST = 16
"""Networks that one host tells of, and hosts that one order wakes."""
_MAC = re.compile("[0-9a-f]{12}", re.ASCII)


class Network(NamedTuple):
    """A network card's address (12 hexadecimal digits) and the IPv4 network it stands in."""

    mac: str
    network: str


class Packet(NamedTuple):
    """What to send, to which broadcast address."""

    content: bytes
    address: str


def mac_of(text: str) -> str:
    """Return an address as 12 hexadecimal digits; empty when it is none, or nobody's."""
    plain = re.sub("[:.-]", "", text.strip().lower())
    return plain if _MAC.fullmatch(plain) and plain.strip("0") else ""


def network_of(address: str, netmask: str) -> str:
    """Return the network of an IPv4 address, such as `10.77.0.0/24`; empty when it has none."""
    try:
        found = IPv4Network(f"{address}/{netmask}", strict=False)
    except ValueError:
        return ""
    return "" if found.prefixlen > 30 or found.is_loopback or found.is_link_local else str(found)


def magic_packet(mac: str) -> bytes:
    """Return six bytes of ones, then the address sixteen times: what wakes its owner."""
    return b"\xff" * 6 + bytes.fromhex(mac) * 16


def packets(targets: Mapping[str, Any], own: Iterable[Network]) -> List[Packet]:
    """Return what to send for an order to wake.

    targets: address of a network card → its network, as the server has them. own: where this
    host stands; nothing leaves for a network that it does not stand in.
    """
    mine: Dict[str, str] = {}
    for one in own:
        mine[one.network] = str(IPv4Network(one.network).broadcast_address)
    found = []
    for mac, network in list(targets.items())[:MOST]:
        if isinstance(network, str) and mac_of(mac) == mac and network in mine:
            found.append(Packet(magic_packet(mac), mine[network]))
    return found
