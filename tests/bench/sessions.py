"""Sessions through the bastion beside direct OpenSSH on the same host, in one run."""

from __future__ import annotations

import getpass
import os
import re
import select
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import postgres
from tests.bench import targets, terminals
from tests.bench.bench import Bench, Skipped
from tests.bench.figures import Figure, spread
from tests.bench.fleets import TooSlow, until
from tests.bench.real import installed
from tests.bench.site import Site, free_port, site

STARTS = 20
KEYS = 200
HOSTS = 4
AT_ONCE = 100
MEGABYTES = 200
PATIENCE = 60.0
_SSHD = "/usr/sbin/sshd"
_PROMPT = re.compile(rb"[$#>] ?$")
_QUIET = ("-o", "BatchMode=yes", "-o", "LogLevel=ERROR")


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a host with OpenSSH's programs. options: how to get there."""

    host: str
    options: tuple[str, ...]

    def ssh(self, *words: str) -> list[str]:
        """Return the command that runs `words` there."""
        return ["ssh", *self.options, *words[:1], self.host, *words[1:]]

    def run(self, *words: str) -> float:
        """Run a command there; return the seconds that it took."""
        began = time.monotonic()
        _done(["ssh", *self.options, self.host, *words])
        return time.monotonic() - began

    def copy(self, source: str, target: str) -> float:
        """Copy a file with scp (a leading colon is the host); return MB/s."""
        there = [f"{self.host}{name}" if name[0] == ":" else name for name in (source, target)]
        began = time.monotonic()
        _done(["scp", *self.options, *there])
        return MEGABYTES * 2**20 / 1e6 / (time.monotonic() - began)


def sqlite(bench: Bench) -> Iterator[Figure]:
    """Sessions through one worker: start, echo, scp, a hundred at once."""
    with _bastion(bench, "sessions") as (server, place):
        yield from _compare(bench, server, place, "sessions")


def postgresql(bench: Bench) -> Iterator[Figure]:
    """Sessions through two workers: technician and agent are often at different ones."""
    if postgres.programs() is None:
        raise Skipped("needs PostgreSQL's server programs (package postgresql)")
    with postgres.cluster() as cluster:
        cluster.create("bench")
        settings = {"DATABASE_URL": cluster.url("bench"), "WORKERS": "2"}
        with _bastion(bench, "sessions-postgres", **settings) as (server, place):
            yield from _compare(bench, server, place, "sessions-postgres")


@contextmanager
def _bastion(bench: Bench, name: str, **settings: str) -> Iterator[tuple[Site, Path]]:
    if os.geteuid() or not (shutil.which("ssh") and Path(_SSHD).exists()):
        raise Skipped("needs root, and OpenSSH's client and server")
    wanted = {"BASTION": "true", "BASTION_PORT": str(free_port())}
    wanted |= {"SESSION_STARTS_AT_ONCE": str(AT_ONCE), **settings}
    variables = {f"TREMPLIN_{key}": value for key, value in wanted.items()}
    with bench.place(name) as path, bench.place("technician") as place:
        place.mkdir(mode=0o755)
        with site(path, **variables) as server:
            yield server, place


def _compare(bench: Bench, server: Site, place: Path, name: str) -> Iterator[Figure]:
    with ExitStack() as stack:
        clients = []
        for _ in range(HOSTS):
            home = stack.enter_context(bench.place("host"))
            home.mkdir(mode=0o755)
            clients.append(stack.enter_context(installed(bench, server, home, True))[0])
        key = place / "key"
        _done(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        ways = _through(server, place, key, [client.client_id for client in clients])
        direct = stack.enter_context(_direct(place, key))
        bench.say(f"{name}: starts and keystrokes")
        yield from _starts(name, direct, ways[0])
        yield from _echoes(name, direct, ways[0])
        bench.say(f"{name}: terminals of the pages")
        yield from terminals.figures(name, server, clients[1].client_id)
        bench.say(f"{name}: copying {MEGABYTES} MiB each way")
        yield from _copies(name, server, place, direct, ways[0])
        bench.say(f"{name}: {AT_ONCE} sessions at once")
        yield _together(name, ways)


# --- the two ways -------------------------------------------------------------------------


def _through(server: Site, place: Path, key: Path, client_ids: Sequence[int]) -> list[Way]:
    server.run("user", "key", "add", "admin", str(key.with_suffix(".pub")))
    known_hosts, config = place / "known_hosts", place / "config"
    known_hosts.write_text(server.run("known-hosts"))
    words = ("--user", "admin", "--known-hosts", str(known_hosts), "--identity-file", str(key))
    config.write_text(server.run("ssh-config", *words))
    return [Way(f"id-{number}", ("-F", str(config), *_QUIET)) for number in client_ids]


@contextmanager
def _direct(place: Path, key: Path) -> Iterator[Way]:
    """Give an OpenSSH server on this host, with files of its own."""
    port, host_key = free_port(), place / "host_key"
    _done(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)])
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": str(host_key),
        "AuthorizedKeysFile": str(key.with_suffix(".pub")),
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
        "MaxStartups": "1000",
    }
    words = [f"-o{name}={value}" for name, value in options.items()]
    server = subprocess.Popen([_SSHD, "-D", "-f", "/dev/null", *words], stderr=subprocess.DEVNULL)
    how = ("-F", "none", "-i", str(key), "-o", f"Port={port}", "-o", "StrictHostKeyChecking=no")
    way = Way(
        f"{getpass.getuser()}@127.0.0.1", (*how, "-o", "UserKnownHostsFile=/dev/null", *_QUIET)
    )
    try:
        until(lambda: subprocess.call(way.ssh("-T", "true")) == 0, 20, "the direct ssh server", 0.1)
        yield way
    finally:
        server.terminate()
        server.wait()


# --- what is measured ---------------------------------------------------------------------


def _starts(name: str, direct: Way, ours: Way) -> Iterator[Figure]:
    ours.run("true")
    times = {way: sorted(_prompt(way) for _ in range(STARTS)) for way in (direct, ours)}
    half = [statistics.median(times[way]) * 1000 for way in (direct, ours)]
    late = [times[way][int(STARTS * 0.95) - 1] * 1000 for way in (direct, ours)]
    note = f"p50; p95 {late[1]:.0f} ms; direct p50 {half[0]:.0f}, p95 {late[0]:.0f} ms"
    yield Figure(name, "ssh asked for → prompt", half[1], None, note, "ms")
    yield Figure(name, "the same, over direct, p95", late[1] - late[0], targets.SESSION_ADDED)
    yield Figure(name, "the same, over direct, p50", half[1] - half[0], targets.SESSION_START)


def _echoes(name: str, direct: Way, ours: Way) -> Iterator[Figure]:
    times = {way: sorted(_keystrokes(way)) for way in (direct, ours)}
    half = [statistics.median(times[way]) * 1000 for way in (direct, ours)]
    late = times[ours][int(KEYS * 0.95) - 1] * 1000
    note = f"p50 {half[1]:.1f}, p95 {late:.1f} ms; direct p50 {half[0]:.1f} ms"
    yield Figure(name, "keystroke echo, over direct", half[1] - half[0], targets.ECHO_ADDED, note)


def _copies(name: str, server: Site, place: Path, direct: Way, ours: Way) -> Iterator[Figure]:
    here, back = place / "big", place / "back"
    with here.open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(os.urandom(2**20))
    before, used = server.memory(), server.cpu_seconds()
    for what in ("up", "down"):
        rates = []
        for way, far in ((direct, f":{place}/far"), (ours, ":tremplin-bench")):
            words = (str(here), far) if what == "up" else (far, str(back))
            rates.append(way.copy(*words))
        note = f"direct {rates[0]:.0f} MB/s: {rates[1] / rates[0]:.2f} of it"
        yield Figure(name, f"scp {what}", rates[1], targets.SCP, note)
        yield Figure(name, f"scp {what}, of direct", rates[1] / rates[0], targets.SCP_SHARE)
    grown = (server.memory().pss - before.pss) / 2**20
    spent = (server.cpu_seconds() - used) / (2 * MEGABYTES / 1024)
    ours.run("rm", "tremplin-bench")
    note = f"by {2 * MEGABYTES} MiB of copies; server processor {spent:.1f} s per GiB"
    yield Figure(name, "server memory grown", grown, None, note, "MiB")


def _together(name: str, ways: Sequence[Way]) -> Figure:
    began, times = time.monotonic(), []
    started = [
        subprocess.Popen(
            ways[number % len(ways)].ssh("-T", "echo here; read word"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(AT_ONCE)
    ]
    try:
        for each in started:
            _read(each, re.compile(rb"here"))
            times.append(time.monotonic() - began)
    finally:
        for each in started:
            each.kill()
            each.communicate()
    note = f"{HOSTS} hosts; {spread(times)}; every one open while the others start"
    return Figure(name, f"{AT_ONCE} sessions at once", max(times), None, note, "s")


def _prompt(way: Way) -> float:
    began = time.monotonic()
    with _terminal(way):
        return time.monotonic() - began


def _keystrokes(way: Way) -> list[float]:
    times = []
    with _terminal(way) as session:
        assert session.stdin is not None, "it is a pipe"
        for _ in range(KEYS):
            began = time.monotonic()
            os.write(session.stdin.fileno(), b"x")
            _read(session, re.compile(b"x"))
            times.append(time.monotonic() - began)
    return times


@contextmanager
def _terminal(way: Way) -> Iterator[subprocess.Popen[bytes]]:
    """Give a plain shell on a terminal that has shown its prompt.

    Not the login shell: what the two accounts' profiles do is not compared here.
    """
    pipe = subprocess.PIPE
    session = subprocess.Popen(way.ssh("-tt", "/bin/sh"), stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        _read(session, _PROMPT)
        yield session
    finally:
        session.kill()
        session.communicate()


def _read(process: subprocess.Popen[bytes], wanted: re.Pattern[bytes]) -> None:
    """Read until `wanted` was said; TooSlow when it is not."""
    assert process.stdout is not None, "it is a pipe"
    said, deadline = b"", time.monotonic() + PATIENCE
    while not wanted.search(said):
        ready, _, _ = select.select([process.stdout], [], [], deadline - time.monotonic())
        chunk = os.read(process.stdout.fileno(), 65_536) if ready else b""
        if not chunk:
            raise TooSlow(f"{process.args[-1]!r}: {said[-200:]!r}")  # type: ignore[index]
        said += chunk


def _done(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
