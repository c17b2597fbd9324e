"""Real servers for the tests: `tremplin init` and `tremplin serve` on data of their own.

    def test_something(servers: Servers) -> None:
        server = servers.start()
        status, clients = server.api("GET", "/jump-client")

A server's settings are TREMPLIN_… variables, given by the names of `Config`'s fields.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from tremplin_agent.wire import KeyInfo
from tremplin_server.rest import API_PREFIX

TREMPLIN = Path(sys.executable).with_name("tremplin")
PASSWORD = "only for tests 1"
_SETTINGS_OF_A_SITE = frozenset({"TREMPLIN_DATABASE_URL", "TREMPLIN_SECRET_KEY"})
"""With these a site lies elsewhere than in its data directory."""
T = TypeVar("T")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """Return the first true value of `condition`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.02)


@dataclass(frozen=True)
class Credentials:
    """An API account."""

    client_id: str
    secret: str


class Server:
    """One server; it keeps its data and its port over restarts."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self.directory = directory
        self.port = free_port()
        self.bastion_port = free_port()
        self._settings = {f"TREMPLIN_{k.upper()}": str(v) for k, v in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self._credentials: Credentials | None = None
        self._token = ""
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def base_url(self) -> str:
        """Where agents, browsers and programs find the server."""
        return f"https://localhost:{self.port}"

    @property
    def ca_path(self) -> Path:
        """The CA that everything of the server is verified with, once it has started."""
        return self.directory / "tls" / "ca.pem"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command of this server."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TREMPLIN_")}
        ours = {
            "TREMPLIN_DATA_DIR": str(self.directory),
            "TREMPLIN_BIND": "127.0.0.1",
            "TREMPLIN_PORT": str(self.port),
            "TREMPLIN_BASTION_PORT": str(self.bastion_port),
            "TREMPLIN_API_REQUESTS_PER_SECOND": "1000",
        }
        return kept | ours | self._settings

    @property
    def log(self) -> str:
        """What the server wrote so far."""
        path = self.directory / "serve.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        """The process that was started: gunicorn's master."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    # --- life -----------------------------------------------------------------------------

    def command(self, *words: str, given: str = "") -> str:
        """Run a `tremplin` command and return its output; AssertionError when it fails."""
        done = self.run(*words, given=given)
        assert done.returncode == 0, f"tremplin {' '.join(words)}: {done.stderr}"
        return done.stdout

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a `tremplin` command, whatever becomes of it."""
        return subprocess.run(
            [str(TREMPLIN), *words],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def init(self) -> None:
        """Set the site up; the administrator is `admin`, with PASSWORD."""
        if _SETTINGS_OF_A_SITE.isdisjoint(self._settings):
            directory, self._credentials = _site()
            shutil.copytree(directory, self.directory, dirs_exist_ok=True)
        else:
            self._initialise()

    def _initialise(self) -> None:
        self.command("init", "--password-stdin", given=PASSWORD)

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        assert self._process is None, "the server runs already"
        with (self.directory / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(TREMPLIN), "serve"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._ready, "the server's start", 90)

    def stop(self) -> None:
        """Stop the server as a service manager does; it drains."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(40)
            self._process = None

    def kill(self) -> None:
        """End every process of the server at once, as a power cut does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def _ready(self) -> bool:
        assert self._process is not None, "start began"
        assert self._process.poll() is None, f"the server ended at once:\n{self.log}"
        if not self.ca_path.exists():
            return False
        try:
            return self.http("GET", "/readyz")[0] == 200
        except OSError:
            return False

    # --- HTTP -------------------------------------------------------------------------------

    def tls(self) -> ssl.SSLContext:
        """Return the settings of a client that trusts this server only."""
        return ssl.create_default_context(cafile=self.ca_path)

    def http(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send a request and return status and body."""
        request = urllib.request.Request(self.base_url + path, body, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls(), timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    @property
    def credentials(self) -> Credentials:
        """An API account with every right, made at the first call."""
        if self._credentials is None:
            made = json.loads(self.command("api-account", "add", f"tests-{self.port}", "--json"))
            self._credentials = Credentials(made["client_id"], made["client_secret"])
        return self._credentials

    def api(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Call the API as a program with every right; path: below the API's prefix."""
        status, answer = self._call(method, path, body)
        return status, json.loads(answer) if answer else None

    def text(self, path: str) -> str:
        """GET a text from the API; AssertionError when it is refused."""
        status, answer = self._call("GET", path, None)
        assert status == 200, answer
        return answer.decode()

    def _call(self, method: str, path: str, body: object) -> tuple[int, bytes]:
        if not self._token:
            pair = f"{self.credentials.client_id}:{self.credentials.secret}".encode()
            basic = base64.b64encode(pair).decode()
            status, answer = self.http(
                "POST",
                "/oauth2/token",
                b"grant_type=client_credentials",
                {"Authorization": f"Basic {basic}"},
            )
            assert status == 200, answer
            self._token = json.loads(answer)["access_token"]
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        return self.http(method, API_PREFIX + path, content, headers)

    def made(self, path: str, body: object) -> Any:
        """POST to the API and return what was made; AssertionError when it was not."""
        status, answer = self.api("POST", path, body)
        assert status in (200, 201, 202), answer
        return answer

    def client(self, client_id: int) -> Any:
        """Return a Jump Client as the API shows it, or None when it has gone."""
        status, answer = self.api("GET", f"/jump-client/{client_id}")
        return answer if status == 200 else None

    def group(self) -> int:
        """Return the id of a shared Jump Group, made at the first call."""
        groups = self.api("GET", "/jump-group")[1]
        for group in groups:
            if group["code_name"] == "tests":
                return int(group["id"])
        return int(self.made("/jump-group", {"name": "Tests", "code_name": "tests"})["id"])

    def installer(self, **values: object) -> KeyInfo:
        """Make an installer and return its key info."""
        body = {"jump_group_id": self.group(), "jump_group_type": "shared", **values}
        made = self.made("/jump-client/installer", body)
        return KeyInfo.decode(made["key_info"]["encodedInfo"])


@cache
def _site() -> tuple[Path, Credentials]:
    """Return a site to copy, which `tremplin` set up, and an API account that it has.

    Each of the two commands takes seconds of processor time, too much for every server.
    """
    directory = Path(tempfile.mkdtemp(prefix="tremplin-site-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    made = Server(directory)
    made._initialise()
    return directory, made.credentials


class Servers:
    """Makes servers below a directory, and ends them all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: list[Server] = []

    def make(self, **settings: object) -> Server:
        """Return a server that is set up and does not run yet."""
        server = Server(self._directory / f"server{len(self._made)}", **settings)
        self._made.append(server)
        server.init()
        return server

    def start(self, **settings: object) -> Server:
        """Return a server that runs."""
        server = self.make(**settings)
        server.start()
        return server

    def end(self) -> None:
        """Kill what still runs."""
        for server in self._made:
            server.kill()


@contextmanager
def servers(directory: Path) -> Iterator[Servers]:
    """Make servers below `directory` for the time of the block."""
    made = Servers(directory)
    try:
        yield made
    finally:
        made.end()
