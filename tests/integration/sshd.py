"""A real OpenSSH server on a free port, with keys of its own in a directory of the test."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "/usr/sbin/sshd"
CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {directory}/host_key
PidFile {directory}/sshd.pid
AuthorizedKeysFile {directory}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
SetEnv HOME={home}
"""


@dataclass(frozen=True)
class Sshd:
    """A running server. home: where HOME points in its sessions, so that it can be thrown away."""

    port: int
    closed_port: int
    user: str
    home: Path
    user_key: Path
    stranger_key: Path
    known_hosts: Path
    wrong_known_hosts: Path
    fingerprint: str


@contextmanager
def start(directory: Path) -> Iterator[Sshd]:
    """Run an sshd for the current user while the block lasts."""
    for name in ("host_key", "user_key", "stranger_key", "wrong_key"):
        _keygen(directory / name)
    shutil.copy(directory / "user_key.pub", directory / "authorized_keys")
    home = directory / "home"
    home.mkdir()
    port, closed = free_port(), free_port()
    known = _known_hosts(directory / "known_hosts", port, directory / "host_key.pub")
    wrong = _known_hosts(directory / "wrong_known_hosts", port, directory / "wrong_key.pub")
    (directory / "sshd_config").write_text(CONFIG.format(port=port, directory=directory, home=home))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (directory / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "-D", "-e", "-f", str(directory / "sshd_config")], stderr=log
        )
    try:
        _wait_for(port, process)
        yield Sshd(
            port=port, closed_port=closed, user=getpass.getuser(), home=home,
            user_key=directory / "user_key", stranger_key=directory / "stranger_key",
            known_hosts=known, wrong_known_hosts=wrong,
            fingerprint=_fingerprint(directory / "host_key.pub"),
        )  # fmt: skip
    finally:
        process.terminate()
        process.wait(timeout=10)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _known_hosts(path: Path, port: int, key: Path) -> Path:
    kind, text = key.read_text().split()[:2]
    path.write_text(f"[127.0.0.1]:{port} {kind} {text}\n")
    return path


def _fingerprint(key: Path) -> str:
    done = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(key)], check=True, capture_output=True, text=True
    )
    return done.stdout.split()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise RuntimeError("sshd did not start")
