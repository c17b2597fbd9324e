"""Runs the molecule scenarios of the collection on hosts of a lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.lab.controller import ansible_environment
from tests.lab.lab import REPOSITORY, RUN_VARIABLE, Lab
from tests.lab.site import Site

_COLLECTION = REPOSITORY / "ansible_collection"
_DIRECTORY = _COLLECTION / "extensions" / "molecule"
_MOLECULE = Path(sys.executable).parent / "molecule"


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.parent.name for path in _DIRECTORY.glob("*/molecule.yml"))


def command(lab: Lab, scenario: str, *, action: str = "test") -> list[str]:
    """Return the command line that runs `molecule <action>` in the network of `lab`.

    nsenter enters the network alone; `ip netns exec` would also take a mount namespace,
    in which the network namespaces of new hosts would be seen by nobody else.
    """
    enter = ["nsenter", f"--net=/run/netns/{lab.namespace}", "--"]
    return [*enter, str(_MOLECULE), action, "--scenario-name", scenario]


def environment(lab: Lab, site: Site, scenario: str) -> dict[str, str]:
    """Return the variables under which a scenario finds lab, server and collection."""
    home = lab.directory / "molecule" / scenario
    home.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TREMPLIN_", "ANSIBLE_"))}
    return (
        kept
        | site.credentials()
        | ansible_environment(home)
        | {
            RUN_VARIABLE: lab.run,
            "TREMPLIN_CHECKOUT": str(REPOSITORY),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "NO_COLOR": "1",
        }
    )


def run(lab: Lab, site: Site, scenario: str) -> subprocess.CompletedProcess[str]:
    """Run a scenario from nothing to nothing and return how it ended, with its output."""
    return subprocess.run(
        command(lab, scenario),
        env=environment(lab, site, scenario),
        cwd=_COLLECTION,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def replace_this_process(lab: Lab, site: Site, scenario: str, action: str) -> None:
    """Become `molecule <action>`, with the terminal of this process."""
    os.chdir(_COLLECTION)
    arguments = command(lab, scenario, action=action)
    os.execvpe(arguments[0], arguments, environment(lab, site, scenario))
