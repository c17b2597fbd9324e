"""Addresses of other machines that a session may be forwarded to. Agent and server share it.

A target is written `host:port`, with brackets around an IPv6 address. Hosts are names or
addresses; pure: nothing is resolved here.
"""

from __future__ import annotations

import ipaddress
from typing import Optional, Tuple, Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

METADATA = (
    ipaddress.ip_address("100.100.100.200"),
    ipaddress.ip_address("168.63.129.16"),
    ipaddress.ip_address("fd00:ec2::254"),
)
"""Where clouds tell a machine its secrets, outside of 169.254.0.0/16."""


def written(host: str, port: int) -> str:
    """Return a target as it is written; hosts that differ by case only are the same."""
    address = address_in(host)
    name = host.lower() if address is None else str(address)
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def split(target: str) -> Tuple[str, int]:
    """Return host and port of a written target; ValueError when it is none."""
    host, colon, port = target.rpartition(":")
    if not colon or not host:
        raise ValueError(f"no target: {target}")
    return host.strip("[]"), int(port)


def address_in(host: str) -> Optional[Address]:
    """Return the address that `host` is, an IPv4 one in IPv6 as IPv4; None for a name."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def is_special(address: Address) -> bool:
    """Return whether an address is no plain neighbour: the host itself, its cable only, a
    cloud's metadata, many machines at once, or none."""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
        or address in METADATA
    )
