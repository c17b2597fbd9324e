"""The server under test, alone in a lab's network at 10.77.0.1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.lab import cgroups, network
from tests.lab.api import Api
from tests.lab.lab import CACHE, REPOSITORY, Lab
from tests.lab.wait import until

PORT = 8443
URL = f"https://{network.SERVER_ADDRESS}:{PORT}"
_BIN = Path(sys.executable).parent


class Site:
    """A real server process tree on data of its own, which survives its restarts."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._group = cgroups.root() / lab.run / "_server"
        self.data = CACHE / "run" / lab.run / "_server"
        self.log = lab.directory / "server.log"
        self.payloads = self.data.parent / "_payloads"
        """The built payloads, by links, and beside them what a test puts there."""

    @property
    def ca(self) -> Path:
        """The certificate that everything of the server is verified with."""
        return self.data / "tls" / "ca.pem"

    @property
    def running(self) -> bool:
        """Whether any process of the server is there."""
        return cgroups.populated(self._group)

    def start(self) -> None:
        """Start the server, on fresh data the first time, and wait until it answers."""
        if self.running:
            return
        self._link_payloads()
        if not self.data.is_dir():
            self._initialise()
        self._group.mkdir(parents=True, exist_ok=True)
        join = f'echo $$ > {self._group}/cgroup.procs && exec "$0" serve'
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self._lab.namespace, "sh", "-c", join, _BIN / "tremplin"],
                env=self.environment(),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: process.poll() is not None or self.answers(), "the server", seconds=90)
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once:\n{self.log_end()}")
        process.returncode = 0  # It may outlive this process, which is not to wait for it.

    def stop(self) -> None:
        """Stop the server in good order."""
        for line in (self._group / "cgroup.procs").read_text("ascii").split():
            os.kill(int(line), signal.SIGTERM)
            break
        until(lambda: not self.running, "the server to stop", seconds=30)

    def kill(self) -> None:
        """End every process of the server at one instant, as SIGKILL does."""
        cgroups.kill(self._group)

    def memory(self) -> int:
        """Return the bytes of memory that are the server's own, all its processes together."""
        fields = [_field(p, "status", "RssAnon") for p in self._processes()]
        return 1024 * sum(int(field.split()[0]) for field in fields if field)

    def processor_time(self) -> float:
        """Return the seconds of processor time that the server's processes have used."""
        stats = [_field(p, "stat") for p in self._processes()]
        ticks = sum(int(t) for stat in stats if stat for t in stat.rsplit(")")[-1].split()[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _processes(self) -> list[str]:
        return (self._group / "cgroup.procs").read_text("ascii").split()

    def remove(self) -> None:
        """Kill the server and throw its data away."""
        self.kill()
        cgroups.remove(self._group)
        shutil.rmtree(self.data, ignore_errors=True)

    def answers(self) -> bool:
        """Return whether the server answers over its own TLS."""
        return self.ca.exists() and Api(self._lab.namespace, URL, self.ca, "", "").reachable()

    def command(self, *words: str) -> str:
        """Run a `tremplin` command on the server's data; AssertionError when it fails."""
        done = subprocess.run(
            [_BIN / "tremplin", *words], env=self.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"tremplin {' '.join(words)}: {done.stderr}"
        return done.stdout

    def api(self, account: str = "probe") -> Api:
        """Return the API as the tests' own account sees it."""
        known = self.credentials(account)
        return Api(
            self._lab.namespace, URL, self.ca,
            known["TREMPLIN_CLIENT_ID"], known["TREMPLIN_CLIENT_SECRET"],
        )  # fmt: skip

    def credentials(self, account: str = "ansible") -> dict[str, str]:
        """Return the variables with which the collection signs in."""
        file = self.data.parent / f"_{account}.json"
        if not file.exists():
            made = json.loads(self.command("api-account", "add", account, "--json"))
            content = {
                "TREMPLIN_URL": URL,
                "TREMPLIN_CA_PATH": str(self.ca),
                "TREMPLIN_CLIENT_ID": made["client_id"],
                "TREMPLIN_CLIENT_SECRET": made["client_secret"],
            }
            file.write_text(json.dumps(content))
            file.chmod(0o600)
        known: dict[str, str] = json.loads(file.read_text("utf-8"))
        return known

    def log_end(self, lines: int = 40) -> str:
        """Return the last lines of the server's log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def _initialise(self) -> None:
        self.data.mkdir(parents=True)
        for file in self.data.parent.glob("_*.json"):
            file.unlink()
        self.command("init")

    def _link_payloads(self) -> None:
        self.payloads.mkdir(parents=True, exist_ok=True)
        for built in (REPOSITORY / ".cache" / "payload").glob("[!.]*"):
            link = self.payloads / built.name
            if built.is_file() and not link.is_symlink():
                link.symlink_to(built)

    def environment(self) -> dict[str, str]:
        """Return the variables of the server, for its processes and commands."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TREMPLIN_")}
        return kept | {
            "TREMPLIN_DATA_DIR": str(self.data),
            "TREMPLIN_BIND": network.SERVER_ADDRESS,
            "TREMPLIN_PORT": str(PORT),
            "TREMPLIN_PUBLIC_URLS": URL,
            "TREMPLIN_SESSION_NOTICE": "true",
            "TREMPLIN_SESSION_PORTS": "22",
            "TREMPLIN_PAYLOAD_DIR": str(self.payloads),
            "TREMPLIN_UPDATE_BANDWIDTH": "4000000",
            "TREMPLIN_UPDATE_TRIAL_SECONDS": "20",
        }


def _field(process: str, file: str, name: str = "") -> str:
    """Return what a file of /proc says, after `name:` when it is given; "" without it."""
    try:
        text = Path(f"/proc/{process}/{file}").read_text("utf-8", "replace")
    except OSError:
        return ""
    if not name:
        return text
    return next((line.partition(":")[2] for line in text.splitlines() if line.startswith(name)), "")
