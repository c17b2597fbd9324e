"""The addresses of a host at which others may reach it."""

from __future__ import annotations

import ipaddress
import socket
from typing import Iterable, List

import psutil

MAX_ADDRESSES = 16


def local_addresses() -> List[str]:
    """Return the host's own addresses, IPv4 first, MAX_ADDRESSES at most."""
    interfaces = psutil.net_if_addrs().values()
    families = (socket.AF_INET, socket.AF_INET6)
    return reachable(a.address for found in interfaces for a in found if a.family in families)


def reachable(texts: Iterable[str]) -> List[str]:
    """Return those that make sense to another host: neither loopback nor of one link only."""
    found = []
    for text in texts:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local or address.is_unspecified):
            found.append(address)
    ordered = sorted(set(found), key=lambda address: (address.version, int(address)))
    return [str(address) for address in ordered[:MAX_ADDRESSES]]
