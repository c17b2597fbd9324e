"""Ansible through the bastion: a controller that knows hosts by the inventory plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.controller import ansible_environment
from tests.lab.lab import Lab
from tests.lab.site import Site

BIN = Path(sys.executable).parent


class Ansible:
    """A controller with the inventory of Jump Clients and a registered key."""

    def __init__(self, lab: Lab, site: Site, directory: Path) -> None:
        self._lab = lab
        self._directory = directory
        self.source = directory / "tremplin.jump_clients.yml"
        key = directory / "ansible-key"
        command = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(key)]
        subprocess.run(command, check=True)
        site.credentials()
        site.command("api-account", "key", "add", "ansible", f"{key}.pub")
        self.environment = (
            {k: v for k, v in os.environ.items() if not k.startswith(("TREMPLIN_", "ANSIBLE_"))}
            | site.credentials()
            | ansible_environment(directory)
            | {
                "TREMPLIN_SSH_KEY": str(key),
                "TREMPLIN_KNOWN_HOSTS_DIR": str(directory / "known_hosts"),
                "ANSIBLE_HOST_KEY_CHECKING": "0",
                "ANSIBLE_SSH_ARGS": "-F /dev/null -o ControlMaster=auto -o ControlPersist=30s",
            }
        )
        content = {"plugin": "tremplin.jump.jump_clients", "states": ["online"]}
        python = {"ansible_python_interpreter": "'/usr/bin/python3'"}
        self.source.write_text(json.dumps(content | {"compose": python}))

    def run(self, program: str, *words: str) -> str:
        """Run one of Ansible's programs; AssertionError when it fails."""
        inside = ["ip", "netns", "exec", self._lab.namespace, BIN / program]
        done = subprocess.run(
            [*inside, *words],
            env=self.environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def many(self, count: int) -> Path:
        """Write an inventory of `count` hosts, each with connections of its own.

        They are the Jump Clients that are online, by turns; what the host names the user is
        nothing to an agent, and keeps Ansible from sharing a connection.
        """
        listed = _plain(json.loads(self.run("ansible-inventory", "-i", str(self.source), "--list")))
        known = list(listed["_meta"]["hostvars"].values())
        hosts = {
            f"host{number}": known[number % len(known)] | {"ansible_user": f"user{number}"}
            for number in range(count)
        }
        path = self._directory / "many.json"
        path.write_text(json.dumps({"all": {"hosts": hosts}}))
        return path


def _plain(value: Any) -> Any:
    """Return what Ansible printed without its marks of what is no template."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "__ansible_unsafe" in value:
        return value["__ansible_unsafe"]
    return {name: _plain(part) for name, part in value.items()}
