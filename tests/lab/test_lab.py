"""The lab keeps its own promises: what the other tests build upon."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.lab import network
from tests.lab.conftest import HostFactory
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.wait import until


def test_base_boots_and_reboots(host: HostFactory, base: str) -> None:
    here = host(base)
    before = here.boot_id()
    here.run("echo kept > /var/lib/kept").checked()
    here.reboot()
    assert here.boot_id() != before
    assert here.read("/var/lib/kept") == "kept\n"


@pytest.mark.parametrize("base", ["bookworm-systemd", "bookworm-sysv", "bookworm-openrc"])
def test_powers_off_and_on(host: HostFactory, base: str) -> None:
    here = host(base)
    here.power_off()
    assert not here.powered
    here.power_on()
    here.wait_ssh()


def test_power_cut_ends_everything_at_once(host: HostFactory) -> None:
    here = host()
    here.ssh("setsid sleep 1000 > /dev/null 2>&1 &").checked()
    here.power_cut()
    assert not here.powered
    here.power_on()
    here.wait_ssh()
    assert here.run("pgrep sleep").status == 1


def test_users(host: HostFactory) -> None:
    here = host()
    assert here.ssh("sudo id -u").checked() == "0\n"
    assert here.ssh("sudo -n id -u", user="plain").status != 0
    assert here.run("id -un", user="plain").checked() == "plain\n"


def test_files(host: HostFactory) -> None:
    here = host()
    here.put(b"#!/bin/sh\necho hello\n", "/usr/local/bin/hello", mode="0755")
    assert here.ssh("hello").checked() == "hello\n"
    assert not here.exists("/usr/local/bin/other")


def test_cut_cable(lab: Lab, host: HostFactory) -> None:
    here = host()
    with _listening(lab, 4000):
        assert _dials(here, 4000)
        here.cut_cable()
        assert not _dials(here, 4000)
        here.mend_cable()
        until(lambda: _dials(here, 4000), "a line that is mended")


def test_router_lets_out_and_nothing_in(lab: Lab, host: HostFactory) -> None:
    here = host(nat=True)
    with _listening(lab, 4000):
        assert _dials(here, 4000)
    outside = f"{network.LAN}.{here.entry.number}"
    for address in (here.address, outside):
        with network.entered(lab.namespace), pytest.raises(OSError, match=r"unreachable|timed out"):
            socket.create_connection((address, 22), timeout=1)


def test_only_one_port(lab: Lab, host: HostFactory) -> None:
    here = host()
    here.only_port(4001)
    with _listening(lab, 4000), _listening(lab, 4001):
        assert _dials(here, 4001)
        assert not _dials(here, 4000)


def test_rebuilt_host_keeps_its_machine_id_and_nothing_else(host: HostFactory) -> None:
    here = host()
    machine_id = here.read("/etc/machine-id")
    host_key = here.read("/etc/ssh/ssh_host_ed25519_key.pub")
    here.run("touch /root/mine").checked()
    here.rebuild()
    here.power_on()
    here.wait_ssh()
    assert here.read("/etc/machine-id") == machine_id
    assert here.read("/etc/ssh/ssh_host_ed25519_key.pub") != host_key
    assert not here.exists("/root/mine")
    here.rebuild(keep_machine_id=False)
    here.power_on()
    assert here.read("/etc/machine-id") != machine_id


def test_cloned_disk(host: HostFactory) -> None:
    first, second = host(), host(on=False)
    first.run("touch /root/mine").checked()
    first.power_off()
    second.take_disk_of(first)
    for here in (first, second):
        here.power_on()
        here.wait_ssh()
    assert second.exists("/root/mine")
    assert second.read("/etc/machine-id") == first.read("/etc/machine-id")
    assert second.boot_id() != first.boot_id()


def _dials(here: Host, port: int) -> bool:
    return here.run(
        f"curl -s -m 2 telnet://{network.SERVER_ADDRESS}:{port} < /dev/null"
    ).status in (
        0,
        52,
    )


@contextmanager
def _listening(lab: Lab, port: int) -> Iterator[None]:
    """Accept and close connections at the server's address."""
    with network.entered(lab.namespace):
        server = socket.create_server((network.SERVER_ADDRESS, port))

    def accept() -> None:
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return

    thread = Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
