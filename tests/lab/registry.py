"""What a lab run has made, on disk: so that a later command, or a sweep, finds it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

RUNS = Path("/run/tremplin-lab")
"""Beside the namespaces and groups it describes: all of them vanish at a restart."""


@dataclass(frozen=True)
class Entry:
    """One host as it was made.

    number: last part of its address in the lab; disk: directory of the overlay.
    nat: whether it stands behind a router of its own.
    """

    name: str
    run: str
    base: str
    number: int
    disk: str
    machine_id: str
    nat: bool = False

    @property
    def machine(self) -> str:
        """Name of its network namespace, machine and control group."""
        return f"lab{self.run}-{self.name}"

    @property
    def router(self) -> str:
        """Name of its router's namespace, when there is one."""
        return f"{self.machine}-nat"

    @property
    def address(self) -> str:
        """Its own IP address."""
        return f"10.78.{self.number}.2" if self.nat else f"10.77.0.{self.number}"

    @property
    def gateway(self) -> str:
        """Where its default route goes."""
        return f"10.78.{self.number}.1" if self.nat else "10.77.0.1"

    def with_machine_id(self, machine_id: str) -> Entry:
        """Return the entry of the same host on a disk with another identity."""
        return replace(self, machine_id=machine_id)


class Registry:
    """The entries of one run. Safe to use from several processes at a time."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.directory = RUNS / run

    def open(self, owner: int, disks: Path) -> None:
        """Claim the run; owner: the process whose end makes it a leftover, 0 for none.

        disks: the directory of its disks. A run that is there already keeps its owner.
        """
        with alone():
            self.directory.mkdir(exist_ok=True)
            facts = self.directory / "run.json"
            if not facts.exists():
                born = _born(owner)
                facts.write_text(json.dumps({"owner": owner, "born": born, "disks": str(disks)}))

    @property
    def disks(self) -> Path | None:
        """Directory of the run's disks; None when the run was never opened."""
        try:
            return Path(json.loads((self.directory / "run.json").read_text("utf-8"))["disks"])
        except FileNotFoundError:
            return None

    @property
    def abandoned(self) -> bool:
        """Whether the process that owned the run is gone."""
        try:
            facts = json.loads((self.directory / "run.json").read_text("utf-8"))
        except FileNotFoundError:
            return True
        return bool(facts["owner"]) and _born(facts["owner"]) != facts["born"]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from choosing names and numbers meanwhile."""
        with (self.directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def entries(self) -> list[Entry]:
        """Return every host of the run, by name."""
        files = sorted(self.directory.glob("*/host.json"))
        return [Entry(**json.loads(file.read_text("utf-8"))) for file in files]

    def get(self, name: str) -> Entry | None:
        """Return the host `name`, or None."""
        return next((entry for entry in self.entries() if entry.name == name), None)

    def state(self, name: str) -> Path:
        """Return the directory of a host's run-time facts."""
        return self.directory / name

    def write(self, entry: Entry) -> None:
        """Remember a host."""
        state = self.state(entry.name)
        state.mkdir(exist_ok=True)
        partial = state / "host.json.partial"
        partial.write_text(json.dumps(asdict(entry)))
        partial.rename(state / "host.json")

    def forget(self, name: str) -> None:
        """Forget a host."""
        shutil.rmtree(self.state(name), ignore_errors=True)

    def free_number(self) -> int:
        """Return an address number that no host of the run has."""
        taken = {entry.number for entry in self.entries()}
        return next(number for number in range(11, 251) if number not in taken)


@contextmanager
def alone() -> Iterator[None]:
    """Keep other processes from claiming and from sweeping runs: a run that is half claimed
    looks like one that was left behind."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with (RUNS / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def runs() -> list[Registry]:
    """Return every run that this machine remembers."""
    if not RUNS.is_dir():
        return []
    return [Registry(path.name) for path in sorted(RUNS.iterdir()) if path.is_dir()]


def _born(process: int) -> str:
    """Return the start time of a process, which tells it from a later one of its number."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def this_process() -> int:
    """Return the owner to give when a run should not outlive this process."""
    return os.getpid()
