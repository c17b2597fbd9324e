"""The real agent on this host: its package, its installation, its footprint, its death."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from tremplin_server.clients.lifecycle import State

from tests.bench import memory, seeding, targets
from tests.bench.bench import Bench, Skipped
from tests.bench.figures import Figure, middle, spread
from tests.bench.fleets import until
from tests.bench.site import Site, site

PLATFORMS = ("linux-64", "linux-arm64")
ROUNDS = 3
IDLE_SECONDS = 60.0
ONLINE_SECONDS = 60.0
UNPRIVILEGED = "nobody"


def payload(bench: Bench, platform: str = "linux-64") -> Path:
    """Return the built `.bin`; Skipped when it was not built."""
    path = bench.payload / f"tremplin-scc-{platform}.bin"
    if not path.exists():
        raise Skipped("needs the payload: run `make build` first")
    return path


def package(bench: Bench) -> Iterator[Figure]:
    """Size of the `.bin` of every platform."""
    for platform in PLATFORMS:
        size = payload(bench, platform).stat().st_size
        yield Figure("package", f".bin size, {platform}", size / 1e6, targets.BIN_SIZE)


@dataclass(frozen=True, slots=True)
class Installed:
    """A Jump Client on this host. directory: what the installer made."""

    directory: Path
    client_id: int

    def control(self, word: str) -> None:
        """Run the init-script."""
        command = [str(self.directory / "init-script"), word]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def processes(self) -> list[psutil.Process]:
        """Return every process that runs out of the directory."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if any(str(self.directory) in word for word in words):
                found.append(process)
        return found

    def agent(self) -> psutil.Process:
        """Return the agent itself: the one that is Python, not its supervisor."""
        for process in self.processes():
            try:
                if "python" in Path(process.exe()).name:
                    return process
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        raise RuntimeError(f"no agent runs out of {self.directory}")


def _state(server: Site, client_id: int) -> State | None:
    return seeding.state(server.engine, client_id)


def _wait(server: Site, client_id: int, state: State) -> float:
    return until(
        lambda: _state(server, client_id) is state, ONLINE_SECONDS, f"client {state}", 0.005
    )


@contextmanager
def installed(
    bench: Bench, server: Site, place: Path, as_service: bool = False
) -> Iterator[tuple[Installed, float]]:
    """Install by hand with a new key; give it and the seconds until it was online.

    as_service: run by an account of its own, which has a shell; for root only.
    """
    directory = place / "jump-client"
    command = ["sh", str(payload(bench)), "--install-dir", str(directory)]
    command += ["--startup", "none", "--key-info", "-"]
    if as_service:
        command += ["--scope", "system"]
    elif os.geteuid() == 0:
        command += ["--user", UNPRIVILEGED]
    key = server.key_info().encode()
    since, began = datetime.now(UTC), time.monotonic()
    done = subprocess.run(command, input=key, text=True, capture_output=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"the installer ended with {done.returncode}: {done.stderr.strip()}")

    def arrived() -> list[int]:
        return seeding.connected_since(server.engine, since)

    try:
        online = until(lambda: bool(arrived()), ONLINE_SECONDS, "the new agent", 0.005)
        yield Installed(directory, arrived()[0]), online - began
    finally:
        subprocess.run(
            [str(directory / "uninstall"), "--quiet"], check=False, capture_output=True, timeout=60
        )


def agent(bench: Bench) -> Iterator[Figure]:
    """Installation, starts, kills and footprint of the real agent."""
    payload(bench)
    with bench.place("agent") as path, site(path) as server:
        installs, news, knowns, kills = [], [], [], []
        for number in range(ROUNDS):
            bench.say(f"agent: round {number + 1} of {ROUNDS}")
            with bench.place("host") as place:
                place.mkdir(mode=0o755)
                with installed(bench, server, place) as (client, seconds):
                    installs.append(seconds)
                    news.append(_since_its_start(server, client))
                    knowns.append(_known_start(server, client))
                    kills.append(_kill(server, client))
                    if number == ROUNDS - 1:
                        footprint = list(_footprint(bench, client))
        yield Figure(
            "agent", "install → online", middle(installs), targets.INSTALL_ONLINE, spread(installs)
        )
        yield Figure(
            "agent", "new agent, start → online", middle(news), targets.NEW_ONLINE, spread(news)
        )
        yield Figure(
            "agent", "known agent, start → online", middle(knowns), targets.KNOWN_ONLINE,
            spread(knowns),
        )  # fmt: skip
        yield Figure(
            "agent", "killed agent noticed", middle(kills), targets.KILL_NOTICED, spread(kills)
        )
        yield from footprint


def _since_its_start(server: Site, client: Installed) -> float:
    """Seconds from the agent's first process to its record's first connection."""
    connected = seeding.moment(server.engine, client.client_id, "last_connect")
    started: float = client.agent().create_time()
    return connected - started


def _known_start(server: Site, client: Installed) -> float:
    client.control("stop")
    _wait(server, client.client_id, State.OFFLINE)
    began = time.monotonic()
    client.control("start")
    return _wait(server, client.client_id, State.ONLINE) - began


def _kill(server: Site, client: Installed) -> float:
    """SIGKILL everything of the agent; its record must say so, and a start mend it."""
    running = client.processes()
    began = time.monotonic()
    for process in running:
        process.send_signal(signal.SIGKILL)
    ended = _wait(server, client.client_id, State.OFFLINE)
    client.control("start")
    _wait(server, client.client_id, State.ONLINE)
    return ended - began


def _footprint(bench: Bench, client: Installed) -> Iterator[Figure]:
    process = client.agent()
    before = memory.cpu_seconds(process.pid)
    bench.say(f"agent: idle for {IDLE_SECONDS:g} s")
    time.sleep(IDLE_SECONDS)
    used = (memory.cpu_seconds(process.pid) - before) * 60 / IDLE_SECONDS
    resident = memory.of_process(process.pid)
    whole = memory.Memory()
    for one in client.processes():
        whole += memory.of_process(one.pid)
    note = f"RSS of the agent; all its processes together {whole.pss / 2**20:.1f} MiB PSS"
    yield Figure("agent", "resident memory, idle", resident.rss / 2**20, targets.AGENT_MEMORY, note)
    yield Figure("agent", "processor, idle", used, targets.AGENT_CPU, f"over {IDLE_SECONDS:g} s")
