"""A whole server of its own for a bench: made, started, killed, measured, taken away.

It listens on the loopback interface only, on a free port, with its data in a directory
of its own, exactly as `tremplin init` and `tremplin serve` make it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, create_engine
from tremplin_agent import wire

from tests.bench import memory, seeding
from tests.bench.agent import Door
from tests.bench.fleets import TooSlow, until

TREMPLIN = Path(sys.executable).with_name("tremplin")
START_SECONDS = 60.0
STOP_SECONDS = 60.0


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(slots=True)
class Site:
    """One server. settings: further configuration, as environment variables."""

    directory: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    process: subprocess.Popen[bytes] | None = None
    _engine: Engine | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command of this site."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TREMPLIN_")}
        ours = {
            "TREMPLIN_DATA_DIR": str(self.directory),
            "TREMPLIN_BIND": self.address,
            "TREMPLIN_PORT": str(self.port),
            "TREMPLIN_PUBLIC_URLS": self.base_url,
            "TREMPLIN_LOG_LEVEL": "warning",
            # Several sites on one machine would all want the same port.
            "TREMPLIN_BASTION": "false",
        }
        return inherited | ours | self.settings

    @property
    def base_url(self) -> str:
        """Where agents and browsers find the server."""
        return f"https://localhost:{self.port}"

    @property
    def ca_path(self) -> Path:
        """The CA that everything of the server is verified with, once it has started."""
        return self.directory / "tls" / "ca.pem"

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.directory / "serve.log"

    @property
    def engine(self) -> Engine:
        """An engine on the site's database; for looking only, once the server runs."""
        if self._engine is None:
            url = self.settings.get("TREMPLIN_DATABASE_URL")
            self._engine = create_engine(url or f"sqlite:///{self.directory / 'tremplin.db'}")
        return self._engine

    def run(self, *words: str, given: str = "") -> str:
        """Run a `tremplin` command of this site and return its output."""
        done = subprocess.run(
            [str(TREMPLIN), *words],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"tremplin {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def start(self) -> float:
        """Start the server; return the seconds until it answered on its port."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(TREMPLIN), "serve"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return until(self._answers, START_SECONDS, f"server start (see {self.log})", 0.01) - began

    def stop(self) -> float:
        """Stop the server as a service manager does; return the seconds that it took."""
        began = time.monotonic()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise TooSlow(f"server stop: not within {STOP_SECONDS:g} s") from None
            self.process = None
        return time.monotonic() - began

    def kill(self) -> None:
        """End the server as a power cut would: every process of it, at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def memory(self) -> memory.Memory:
        """Return the memory of all the server's processes."""
        assert self.process is not None
        return memory.of_tree(self.process.pid)

    def cpu_seconds(self) -> float:
        """Return the processor time of all the server's processes."""
        assert self.process is not None
        return memory.cpu_seconds(self.process.pid)

    def door(self) -> Door:
        """Return how agents get in, with the CA that the server itself hands out."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((self.address, self.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            request = f"GET {wire.CA_PATH} HTTP/1.0\r\nHost: localhost\r\n\r\n"
            secured.sendall(request.encode())
            answer = b"".join(iter(lambda: secured.recv(65_536), b""))
        pem = answer.partition(b"\r\n\r\n")[2].decode()
        pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()
        return Door(self.address, self.port, pem, pin)

    def key_info(self) -> wire.KeyInfo:
        """Make an installer and return its key info."""
        seeding.group(self.engine)
        return wire.KeyInfo.decode(self.run("installer", "create", "--group", "jumpgroup:bench"))

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended at its start; see {self.log}")
        try:
            self.door()
        except (OSError, ValueError):
            return False
        return True


@contextmanager
def site(directory: Path, address: str = "127.0.0.1", **settings: str) -> Iterator[Site]:
    """Make a server in a new directory, start it, and take its processes away at the end."""
    directory.mkdir(parents=True)
    made = Site(directory, free_port(), settings, address)
    made.run("init")
    made.start()
    try:
        yield made
    finally:
        made.kill()
        made.engine.dispose()
