"""Runs the collection's playbooks against hosts of the lab, to the end or up to a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.host import Host
from tests.lab.lab import CACHE, REPOSITORY, Lab
from tests.lab.site import Site

_BIN = Path(sys.executable).parent
COLLECTIONS = CACHE / "collections"


@dataclass(frozen=True)
class Play:
    """A finished run: its exit status, and what it printed. Killed runs have status -9."""

    status: int
    output: str

    def checked(self) -> Play:
        """Return itself; AssertionError with the output when the run failed."""
        assert self.status == 0, self.output
        return self

    @property
    def changed(self) -> bool:
        """Whether any host was changed."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        return any("changed=" in line and "changed=0" not in line for line in recap.splitlines())


class Controller:
    """The machine that Ansible runs on: in the lab's network, with an API account."""

    def __init__(self, lab: Lab, site: Site, directory: Path) -> None:
        self._lab = lab
        self._site = site
        self._directory = directory

    def deploy(self, *hosts: Host, **variables: object) -> Play:
        """Run `tremplin.jump.deploy`."""
        return self.play("tremplin.jump.deploy", hosts, variables)

    def remove(self, *hosts: Host, **variables: object) -> Play:
        """Run `tremplin.jump.remove`."""
        return self.play("tremplin.jump.remove", hosts, variables)

    def decommission(self, *hosts: Host, **variables: object) -> Play:
        """Run `tremplin.jump.decommission`."""
        return self.play("tremplin.jump.decommission", hosts, variables)

    def play(
        self,
        playbook: str,
        hosts: Sequence[Host],
        variables: Mapping[str, object],
        kill_when: Callable[[str], bool] = lambda line: False,
    ) -> Play:
        """Run a playbook and return how it ended.

        kill_when: given each line as it is printed; a true value kills the controller
        and all that it started, by SIGKILL.
        """
        command = [str(_BIN / "ansible-playbook"), "-i", self._inventory(hosts), playbook]
        facts = {"ansible_become": True} | dict(variables)
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._lab.namespace, *command, "-e", json.dumps(facts)],
            env=self.environment(),
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        lines = []
        with process.stdout:
            for line in process.stdout:
                lines.append(line)
                if kill_when(line):
                    os.killpg(process.pid, signal.SIGKILL)
        return Play(process.wait(), "".join(lines))

    def environment(self) -> dict[str, str]:
        """Return the variables under which the collection and its credentials are found."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TREMPLIN_", "ANSIBLE_"))}
        return kept | self._site.credentials() | ansible_environment(self._directory)

    def _inventory(self, hosts: Sequence[Host]) -> str:
        path = self._directory / f"hosts-{'-'.join(host.name for host in hosts)}.json"
        path.write_text(json.dumps(self._lab.inventory(list(hosts))))
        return str(path)


def ansible_environment(home: Path) -> dict[str, str]:
    """Return Ansible's own settings: the collection of this checkout, and quick ssh.

    home: where Ansible may keep its things.
    """
    return {
        "PATH": f"{_BIN}:{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_COLLECTIONS_PATH": str(_collections()),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _collections() -> Path:
    """Return a collections path on which this checkout's collection is found by its name."""
    link = COLLECTIONS / "ansible_collections" / "tremplin" / "jump"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(REPOSITORY / "ansible_collection")
    return COLLECTIONS
