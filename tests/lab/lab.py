"""A lab run: its network, its hosts, and the clearing away of both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from tests.lab import cgroups, disk, network, registry
from tests.lab.bases import Bases
from tests.lab.host import Host
from tests.lab.registry import Entry, Registry

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "lab"
RUN_VARIABLE = "TREMPLIN_LAB"
_RUN = re.compile(r"[a-z0-9]{1,8}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Lab:
    """One run of the lab. Its network namespace is `lab<run>`, by default `lab0`.

    owner: number of the process that the run must not outlive; 0 keeps it until `close`.
    """

    def __init__(self, run: str = "", owner: int = 0) -> None:
        self.run = run or os.environ.get(RUN_VARIABLE, "0")
        assert _RUN.fullmatch(self.run), f"{RUN_VARIABLE}={self.run}"
        self._owner = owner
        self._registry = Registry(self.run)
        self._bases = Bases(CACHE / "bases")

    @property
    def namespace(self) -> str:
        """The network namespace of the lab's LAN; the server's address is in it."""
        return f"lab{self.run}"

    @property
    def directory(self) -> Path:
        """Where the run keeps what its users need: the ssh key, control sockets, states."""
        return self._registry.directory

    @property
    def key(self) -> Path:
        """The private ssh key that opens every host of the run."""
        return self.directory / "id_ed25519"

    def open(self) -> None:
        """Make the network and the key, if they are not there."""
        self._registry.open(self._owner, CACHE / "run" / self.run)
        with self._registry.locked():
            if not network.exists(self.namespace):
                # 128 inotify instances are too few for some fifteen systemd hosts.
                _at_least("/proc/sys/fs/inotify/max_user_instances", 4096)
                network.create_lan(self.namespace)
            if not self.key.exists():
                command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]
                subprocess.run([*command, self.key], check=True)

    def create(self, name: str, base: str, *, nat: bool = False) -> Host:
        """Make a host and leave it off. Raises KeyError when there is no such base."""
        assert _NAME.fullmatch(name), name
        self._bases.tree(base)
        self.open()
        with self._registry.locked():
            assert self._registry.get(name) is None, f"there is a host {name} already"
            number = self._registry.free_number()
            where = str(CACHE / "run" / self.run / name)
            entry = Entry(name, self.run, base, number, where, uuid.uuid4().hex, nat)
            self._registry.write(entry)
        disk.blank(entry, self.key)
        if nat:
            network.plug_behind_router(self.namespace, entry.router, entry.machine, number)
        else:
            network.plug(self.namespace, entry.machine, f"p{number}")
        self._write_wrapper(entry)
        return self._host(entry)

    def up(self, name: str, base: str, *, nat: bool = False) -> Host:
        """Make a host, start it and wait until one can sign in."""
        host = self.create(name, base, nat=nat)
        host.power_on()
        host.wait_ssh()
        return host

    def host(self, name: str) -> Host:
        """Return the host `name`; KeyError when the run has none."""
        entry = self._registry.get(name)
        if entry is None:
            raise KeyError(f"lab run {self.run} has no host {name}")
        return self._host(entry)

    def hosts(self) -> list[Host]:
        """Return every host of the run."""
        return [self._host(entry) for entry in self._registry.entries()]

    def down(self, name: str) -> None:
        """Pull the plug of a host and remove all that was made for it."""
        entry = self._registry.get(name)
        if entry is None:
            return
        _clear(entry)
        self._registry.forget(name)

    def close(self) -> None:
        """Remove every host, the network and the run itself."""
        _clear_run(self._registry)

    def inventory(self, hosts: list[Host]) -> dict[str, object]:
        """Return an Ansible inventory of `hosts`, as its YAML inventory plugin reads it."""
        sockets = self.directory / "cp"
        shared = {
            "ansible_user": "deploy",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_transfer_method": "piped",
            "ansible_control_path_dir": str(sockets),
            "ansible_ssh_common_args": "-F /dev/null -o StrictHostKeyChecking=no "
            "-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes "
            "-o ServerAliveInterval=3 -o ServerAliveCountMax=3",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        facts = {
            host.name: {"ansible_host": host.address, "ansible_ssh_executable": str(host.wrapper)}
            for host in hosts
        }
        return {"all": {"hosts": facts, "vars": shared}}

    def _host(self, entry: Entry) -> Host:
        base = self._bases.tree(entry.base)
        return Host(entry, self._registry.state(entry.name), base, self.namespace, self.key)

    def _write_wrapper(self, entry: Entry) -> None:
        """Write the host's own `ssh`: for a host behind a router it starts at the router."""
        namespace = entry.router if entry.nat else self.namespace
        wrapper = self._registry.state(entry.name) / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {namespace} ssh "$@"\n')
        wrapper.chmod(0o755)


def sweep(*, everything: bool = False) -> list[str]:
    """Clear runs whose owner is gone, or all runs, and return their names."""
    with registry.alone():
        gone = [run for run in registry.runs() if everything or run.abandoned]
        for run in gone:
            _clear_run(run)
    return [run.run for run in gone]


def _clear_run(run: Registry) -> None:
    cgroups.kill(cgroups.root() / run.run)
    for entry in run.entries():
        _clear(entry)
        run.forget(entry.name)
    network.remove(f"lab{run.run}")
    cgroups.remove(cgroups.root() / run.run)
    if run.disks is not None:
        shutil.rmtree(run.disks, ignore_errors=True)
    shutil.rmtree(run.directory, ignore_errors=True)


def _clear(entry: Entry) -> None:
    group = cgroups.root() / entry.run / entry.name
    cgroups.kill(group)
    cgroups.remove(group)
    network.unplug(f"lab{entry.run}", f"p{entry.number}")
    network.remove(entry.machine)
    network.remove(entry.router)
    disk.drop(entry)


def _at_least(setting: str, value: int) -> None:
    path = Path(setting)
    if int(path.read_text("ascii")) < value:
        path.write_text(str(value))
