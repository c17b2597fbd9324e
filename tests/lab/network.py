"""Network namespaces of the lab: one bridge without an uplink, routers, cut cables."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BRIDGE = "br0"
SERVER_ADDRESS = "10.77.0.1"
LAN = "10.77.0"
_NETNS = Path("/run/netns")
_CLONE_NEWNET = 0x40000000


class NetworkError(RuntimeError):
    """The kernel refused a change of the lab's network."""


def ip(*words: str) -> None:
    """Run iproute2's `ip`; raises NetworkError."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise NetworkError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def exists(namespace: str) -> bool:
    """Return whether a network namespace of that name is there."""
    return (_NETNS / namespace).exists()


def create_lan(namespace: str) -> None:
    """Make the lab's own network: the server's address on a bridge, and no way out."""
    ip("netns", "add", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
    ip("-n", namespace, "link", "add", BRIDGE, "type", "bridge")
    ip("-n", namespace, "addr", "add", f"{SERVER_ADDRESS}/24", "dev", BRIDGE)
    ip("-n", namespace, "link", "set", BRIDGE, "up")


def plug(lan: str, namespace: str, port: str) -> None:
    """Make `namespace` with an eth0 that is plugged into the bridge of `lan` at `port`."""
    ip("netns", "add", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
    ip("-n", lan, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
    ip("-n", lan, "link", "set", port, "master", BRIDGE, "up")


def plug_behind_router(lan: str, router: str, namespace: str, number: int) -> None:
    """Make `namespace` in a network of its own behind `router`, which translates addresses.

    From inside everything of the lab can be dialled; from the lab nothing comes in.
    """
    plug(lan, router, f"p{number}")
    ip("-n", router, "addr", "add", f"{LAN}.{number}/24", "dev", "eth0")
    ip("-n", router, "link", "set", "eth0", "up")
    ip("netns", "add", namespace)
    ip("-n", namespace, "link", "set", "lo", "up")
    ip("-n", router, "link", "add", "inside", "type", "veth",
       "peer", "name", "eth0", "netns", namespace)  # fmt: skip
    ip("-n", router, "addr", "add", f"10.78.{number}.1/24", "dev", "inside")
    ip("-n", router, "link", "set", "inside", "up")
    run_in(router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    nft(
        router,
        """
        table ip lab {
            chain forward {
                type filter hook forward priority 0; policy drop;
                iifname "inside" accept
                ct state established,related accept
            }
            chain input {
                type filter hook input priority 0; policy accept;
                iifname "eth0" ct state new drop
            }
            chain postrouting {
                type nat hook postrouting priority 100;
                oifname "eth0" masquerade
            }
        }
        """,
    )


def only_port(namespace: str, port: int) -> None:
    """Let the host dial nothing but TCP `port`; ssh into the host still answers."""
    nft(
        namespace,
        f"""
        table ip egress {{
            chain output {{
                type filter hook output priority 0; policy drop;
                oifname "lo" accept
                ct state established,related accept
                tcp dport {port} accept
            }}
        }}
        """,
    )


def nft(namespace: str, rules: str) -> None:
    """Load nftables rules into a namespace."""
    command = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
    subprocess.run(command, input=rules, text=True, check=True, capture_output=True)


def run_in(namespace: str, *command: str) -> None:
    """Run a command in a namespace; raises CalledProcessError."""
    subprocess.run(["ip", "netns", "exec", namespace, *command], check=True, capture_output=True)


def unplug(lan: str, port: str) -> None:
    """Take a cable away from the bridge, if it is there.

    The end of a namespace takes its cables along only some time later.
    """
    subprocess.run(["ip", "-n", lan, "link", "del", port], capture_output=True)


def remove(namespace: str) -> None:
    """Delete a namespace if it is there."""
    if exists(namespace):
        ip("netns", "del", namespace)


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """Run the block's thread, and the processes it starts, in another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as home, (_NETNS / namespace).open() as away:
        _setns(libc, away.fileno())
        try:
            yield
        finally:
            _setns(libc, home.fileno())


def _setns(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
