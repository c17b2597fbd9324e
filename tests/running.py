"""A real server of its own on this machine: its process, its API, its data."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from tests.boxes import PAYLOADS
from tests.lab.wait import until

_TREMPLIN = Path(sys.executable).with_name("tremplin")
HEARTBEAT_SECONDS = 2


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RunningSite:
    """A server; `start`, `kill` and `stop` are those of its whole process group."""

    data: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _basic: str = ""
    _token: str = ""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def command(self, *words: str) -> str:
        """Run a `tremplin` command; its output."""
        done = subprocess.run(
            [str(_TREMPLIN), *words], env=self._environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set_up(self) -> None:
        """Make the site, a group, and an account for the tests."""
        self.command("init")
        self.command("group", "add", "hosts")
        made = json.loads(self.command("api-account", "add", "tests", "--json"))
        pair = f"{made['client_id']}:{made['client_secret']}"
        self._basic = base64.b64encode(pair.encode()).decode()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.data / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_TREMPLIN), "serve"], env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(self._answers, "the server", seconds=60)

    def kill(self) -> None:
        """End every process of the server at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop the server in good order."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if number is signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.wait(60)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.data / "server.log").read_text()
        try:
            self._send("GET", "/get_mech_list", {}, None)
        except HTTPError:
            return True
        except (URLError, OSError):
            return False
        return True

    # --- what it knows ------------------------------------------------------------------

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the decoded answer of the API."""
        if not self._token:
            headers = {"Authorization": f"Basic {self._basic}"}
            answer = self._send("POST", "/oauth2/token", headers, b"grant_type=client_credentials")
            self._token = json.loads(answer)["access_token"]
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        answer = self._send(method, "/api/config/v1" + path, headers, content)
        return json.loads(answer) if answer else None

    def installer(self, external_id: str, **values: Any) -> str:
        """Make an installer for one machine; its key info."""
        wanted = {"jump_group_id": 1, "jump_group_type": "shared", "external_id": external_id}
        made = self.call("POST", "/jump-client/installer", {**wanted, **values})
        text: str = made["key_info"]["encodedInfo"]
        return text

    def client(self, external_id: str) -> dict[str, Any] | None:
        """Return the record of a declared key."""
        found = self.call("GET", f"/jump-client?external_id={external_id}")
        assert len(found) <= 1
        return found[0] if found else None

    def until_state(self, external_id: str, state: str, seconds: float = 30) -> dict[str, Any]:
        """Wait for a record's state; the record."""

        def reached() -> dict[str, Any] | None:
            found = self.client(external_id)
            return found if found and found["state"] == state else None

        return until(reached, f"{external_id} to be {state}", seconds=seconds) or {}

    def open_tombstones(self) -> list[dict[str, Any]]:
        """Return the deleted records whose host has not confirmed."""
        found: list[dict[str, Any]] = self.call("GET", "/jump-client/tombstone?open=true")
        return found

    def let_expire(self, external_id: str) -> None:
        """Have the validity of a machine's installer end: nobody waits ten minutes here."""
        with closing(sqlite3.connect(self.data / "tremplin.db")) as database, database:
            database.execute(
                "UPDATE installer SET expires_at = '2020-01-01 00:00:00.000000' "
                "WHERE external_id = ?",
                (external_id,),
            )

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> bytes:
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        context = ssl.create_default_context(cafile=str(self.data / "tls" / "ca.pem"))
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            content: bytes = answer.read()
            return content

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TREMPLIN_")}
        return kept | {
            "TREMPLIN_DATA_DIR": str(self.data),
            "TREMPLIN_BIND": "127.0.0.1",
            "TREMPLIN_PORT": str(self.port),
            "TREMPLIN_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            "TREMPLIN_STATISTICS_SECONDS": "5",
            "TREMPLIN_API_REQUESTS_PER_SECOND": "1000",
            "TREMPLIN_API_REQUESTS_PER_HOUR": "1000000",
            "TREMPLIN_PAYLOAD_DIR": str(PAYLOADS),
        }


@contextmanager
def running_site(data: Path) -> Iterator[RunningSite]:
    """Give a site that is set up and running; it is killed in the end."""
    site = RunningSite(data)
    site.set_up()
    try:
        site.start()
        yield site
    finally:
        site.kill()
