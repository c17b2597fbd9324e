"""A first server and a first Jump Client on this machine, and their removal.

Everything stays in `.run` of the checkout: the server's data, its log, the credentials
of the API account, and the Jump Client. Two exceptions, both for root only, both taken
away by `down`: an account for the Jump Client, which must not run as root, and a place
under /var/lib when that account may not enter the checkout.

Both commands can be repeated, also after they were cut at any point.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = CHECKOUT / ".venv" / "bin"
FIRST_PORT = 8443
BASTION_BELOW = 421
"""The bastion listens that far below the server: 8022 beside 8443."""
PORTS = 50
START_SECONDS = 60
STOP_SECONDS = 30
# Two checkouts on one machine must not take each other's Jump Client away.
_MARK = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
ACCOUNT = f"tremplin-{_MARK}"
ELSEWHERE = Path(f"/var/lib/tremplin-quickstart-{_MARK}")
API_ACCOUNT = "quickstart"


class Failed(Exception):
    """What the user is told instead of a traceback."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is. root: `.run` of the checkout."""

    root: Path

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return self.root / "server"

    @property
    def log(self) -> Path:
        """The server's output."""
        return self.root / "server.log"

    @property
    def pid_file(self) -> Path:
        """The number of the server's process."""
        return self.root / "server.pid"

    @property
    def port_file(self) -> Path:
        """The port that was free at the first start, kept: agents know it."""
        return self.root / "port"

    @property
    def credentials(self) -> Path:
        """Variables of the API account, for Ansible; readable by the owner only."""
        return self.root / "credentials.json"

    @property
    def ca(self) -> Path:
        """The certificate that the server's own is checked with."""
        return self.data / "tls" / "ca.pem"

    def jump_client(self) -> Path:
        """Where the Jump Client goes: beside the server, unless its account can't enter."""
        if os.geteuid() != 0 or _all_may_enter(self.root):
            return self.root / "jump-client"
        return ELSEWHERE / "jump-client"


def _all_may_enter(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def say(text: str) -> None:
    """Show one step."""
    print(f"quickstart: {text}", flush=True)


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether `condition` held within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


# --- the server -----------------------------------------------------------------------


class Server:
    """The server of the quickstart: one process tree in the background."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.port = self._port()

    @property
    def url(self) -> str:
        """The address of console, API and agents."""
        return f"https://localhost:{self.port}"

    def _port(self) -> int:
        known = self._place.port_file
        if known.exists():
            return int(known.read_text("ascii"))
        for port in range(FIRST_PORT, FIRST_PORT + PORTS):
            if _is_free(port) and _is_free(port - BASTION_BELOW):
                known.write_text(f"{port}\n", "ascii")
                return port
        raise Failed(f"no port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} is free")

    def _environment(self) -> dict[str, str]:
        return clean_environment() | {
            "TREMPLIN_DATA_DIR": str(self._place.data),
            "TREMPLIN_BIND": "127.0.0.1",
            "TREMPLIN_PORT": str(self.port),
            "TREMPLIN_BASTION_PORT": str(self.port - BASTION_BELOW),
            "TREMPLIN_PUBLIC_URLS": self.url,
            "TREMPLIN_PAYLOAD_DIR": str(CHECKOUT / ".cache" / "payload"),
        }

    def command(self, *words: str) -> str:
        """Run a `tremplin` command on the server's data and return its output."""
        done = subprocess.run(
            [BIN / "tremplin", *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"tremplin {' '.join(words[:2])} failed: {done.stderr.strip()}")
        return done.stdout

    def start(self) -> None:
        """Start the server unless it runs, and wait until it answers over TLS."""
        if self.process() and self.answers():
            say(f"the server runs already at {self.url}")
            return
        self.stop()
        if not _is_free(self.port):
            raise Failed(
                f"port {self.port}, which the Jump Client knows, is taken by another program; "
                "free it, or remove everything with `make run-clean`"
            )
        say(f"starting the server at {self.url} (log: {self._place.log})")
        with self._place.log.open("ab") as log:
            process = subprocess.Popen(
                [BIN / "tremplin", "serve"],
                env=self._environment(),
                cwd=self._place.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._place.pid_file.write_text(f"{process.pid}\n", "ascii")
        if not wait(lambda: process.poll() is not None or self.answers(), START_SECONDS):
            raise Failed(f"the server does not answer after {START_SECONDS} s{self._log_end()}")
        if process.poll() is not None:
            raise Failed(f"the server ended with status {process.returncode}{self._log_end()}")

    def stop(self) -> None:
        """Stop the server, if it runs."""
        pid = self.process()
        if pid:
            os.kill(pid, signal.SIGTERM)
            if not wait(lambda: self.process() == 0, STOP_SECONDS):
                os.killpg(pid, signal.SIGKILL)
        self._place.pid_file.unlink(missing_ok=True)

    def process(self) -> int:
        """Return the server's process number, or 0 when it does not run."""
        try:
            pid = int(self._place.pid_file.read_text("ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            directory = Path(f"/proc/{pid}/cwd").readlink()
        except (OSError, ValueError):
            return 0
        # The number may belong to another program by now, or to another checkout's server.
        # Its environment would tell, too, but gunicorn may write its title over that.
        return pid if directory == self._place.root and b"tremplin" in words else 0

    def answers(self) -> bool:
        """Return whether the server answers with a certificate of its own authority."""
        try:
            context = ssl.create_default_context(cafile=str(self._place.ca))
            with urllib.request.urlopen(  # noqa: S310 - the scheme is ours
                f"{self.url}/get_mech_list", timeout=5, context=context
            ):
                return True
        except urllib.error.HTTPError:
            return True
        except (OSError, ssl.SSLError):
            return False

    def _log_end(self) -> str:
        lines = self._place.log.read_text("utf-8", "replace").splitlines()[-8:]
        return "; the end of its log:\n  " + "\n  ".join(lines)


def clean_environment() -> dict[str, str]:
    """Return this environment without settings of another server or another client."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TREMPLIN_")}


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# --- the Jump Client, through the Ansible collection ----------------------------------


def play(place: Place, server: Server, state: str) -> None:
    """Run the quickstart playbook: `present` deploys and waits for online, `absent` removes."""
    collection = place.root / "collections" / "ansible_collections" / "tremplin" / "jump"
    collection.parent.mkdir(parents=True, exist_ok=True)
    if not collection.is_symlink():
        collection.symlink_to(CHECKOUT / "ansible_collection")
    facts = {
        "quickstart_state": state,
        "quickstart_dir": str(place.jump_client()),
        "quickstart_account": ACCOUNT if os.geteuid() == 0 else "",
        "quickstart_host": socket.gethostname(),
    }
    environment = clean_environment() | {
        # The Jump Client is to run by the machine's own Python, not by this checkout's.
        "PATH": _path_without(str(BIN)),
        "XDG_CACHE_HOME": str(place.root / "cache"),
        "ANSIBLE_COLLECTIONS_PATH": str(place.root / "collections"),
        "ANSIBLE_HOME": str(place.root / "ansible"),
        "ANSIBLE_REMOTE_TEMP": str(place.root / "ansible" / "tmp"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_NOCOWS": "1",
        "TREMPLIN_URL": server.url,
        "TREMPLIN_CA_PATH": str(place.ca),
        **json.loads(place.credentials.read_text("utf-8")),
    }
    done = subprocess.run(
        [
            BIN / "ansible-playbook", "--inventory", "localhost,", "--connection", "local",
            "--extra-vars", json.dumps(facts), "tremplin.jump.quickstart",
        ],
        env=environment,
        cwd=place.root,
        stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"the playbook failed (status {done.returncode}); its output is above")


def _path_without(directory: str) -> str:
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(part for part in parts if part != directory)


# --- the two commands -----------------------------------------------------------------


def up(place: Place) -> None:
    """Make what is missing, start what stands still, deploy what is not there."""
    try:
        place.root.mkdir(mode=0o755, exist_ok=True)
        place.root.chmod(0o755)
    except OSError as error:
        raise Failed(f"{place.root} cannot be used: {error.strerror}") from error
    server = Server(place)
    say("preparing the server's data")
    shown_once = server.command("init").strip()
    server.start()
    _write_credentials(place, server)
    say("deploying a Jump Client to this machine with Ansible")
    play(place, server, "present")
    print(_summary(place, server, shown_once), flush=True)


def _write_credentials(place: Place, server: Server) -> None:
    if place.credentials.exists():
        return
    known = json.loads(server.command("api-account", "list", "--json"))
    if API_ACCOUNT in {account["name"] for account in known}:
        # A first run was cut before it wrote the secret down, which is told only once.
        made = json.loads(server.command("api-account", "renew-secret", API_ACCOUNT, "--json"))
    else:
        say("making an API account for Ansible")
        made = json.loads(server.command("api-account", "add", API_ACCOUNT, "--json"))
    new = place.credentials.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(
            {
                "TREMPLIN_CLIENT_ID": made["client_id"],
                "TREMPLIN_CLIENT_SECRET": made["client_secret"],
            },
            file,
        )
    new.rename(place.credentials)


def _summary(place: Place, server: Server, shown_once: str) -> str:
    client = place.jump_client()
    return f"""
The server runs, and this machine is a Jump Client of it: online.

  console   {server.url}
            (its certificate is of its own authority: {place.ca})
{_indented(shown_once)}
  look      {client}/init-script status
            tail -f {place.log}
  again     make run          (changes nothing when all is well)
  remove    make run-clean    (both sides, then the server and its data)
"""


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def down(place: Place) -> None:
    """Remove the Jump Client on both sides, stop the server, leave nothing."""
    if not place.root.exists():
        say("nothing to remove")
        return
    server = Server(place)
    if place.credentials.exists():
        server.start()
        say("removing the Jump Client, on this machine and on the server")
        play(place, server, "absent")
    say("stopping the server and removing its data")
    server.stop()
    shutil.rmtree(place.root)
    if os.geteuid() == 0 and ELSEWHERE.exists():
        ELSEWHERE.rmdir()
    _assert_gone(place)
    say("removed: the Jump Client, its record, the server and its data")


def _assert_gone(place: Place) -> None:
    left = [str(path) for path in (place.root, ELSEWHERE) if path.exists()]
    if os.geteuid() == 0 and ACCOUNT in {entry.pw_name for entry in pwd.getpwall()}:
        left.append(f"the account {ACCOUNT}")
    if left:
        raise Failed(f"still there: {', '.join(left)}")


COMMANDS: Mapping[str, Callable[[Place], None]] = {"up": up, "down": down}


def main() -> int:
    """Run the command that was asked for."""
    parser = argparse.ArgumentParser(prog="docs/quickstart/run", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    given = parser.parse_args()
    try:
        COMMANDS[given.command](Place(CHECKOUT / ".run"))
    except Failed as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("quickstart: stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
