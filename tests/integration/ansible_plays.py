"""Runs Ansible with the collection of this checkout, against one server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving import Server

COLLECTION = Path(__file__).parents[2] / "ansible_collection"
BIN = Path(sys.executable).parent
SECONDS = 240


@dataclass(frozen=True)
class Play:
    """A finished run."""

    status: int
    output: str

    def changes(self) -> int:
        """Return how many tasks changed something, on all hosts together."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        return sum(int(part.partition(" ")[0]) for part in recap.split("changed=")[1:])


class Controller:
    """A machine that Ansible runs on. directory: for what it keeps."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.directory = directory
        link = directory / "collections" / "ansible_collections" / "tremplin" / "jump"
        link.parent.mkdir(parents=True)
        link.symlink_to(COLLECTION)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TREMPLIN_", "ANSIBLE_"))}
        self.environment = {
            **kept,
            "TREMPLIN_URL": server.base_url,
            "TREMPLIN_CA_PATH": str(server.ca_path),
            "TREMPLIN_CLIENT_ID": server.credentials.client_id,
            "TREMPLIN_CLIENT_SECRET": server.credentials.secret,
            "XDG_CACHE_HOME": str(directory / "cache"),
            "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
            "ANSIBLE_HOME": str(directory / "ansible"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
            "ANSIBLE_NOCOWS": "1",
            "ANSIBLE_FORCE_COLOR": "0",
        }

    def inventory(self, hosts: dict[str, dict[str, Any]]) -> Path:
        """Write an inventory of this machine under several names, and return its path."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
        content = {"all": {"hosts": {name: {**local, **own} for name, own in hosts.items()}}}
        path = self.directory / "inventory.json"
        path.write_text(json.dumps(content))
        return path

    def play(self, playbook: Path | str, *words: str, **variables: object) -> Play:
        """Run a playbook to its end."""
        done = subprocess.run(
            [BIN / "ansible-playbook", playbook, "-e", json.dumps(variables), *words],
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Play(done.returncode, done.stdout)

    def done(self, playbook: Path | str, *words: str, **variables: object) -> Play:
        """Run a playbook that must succeed."""
        play = self.play(playbook, *words, **variables)
        assert play.status == 0, play.output
        return play
