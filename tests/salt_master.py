"""A real salt-master with the formula of this checkout, on data of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
FORMULA = REPOSITORY / "salt_formula"
BIN = Path(sys.executable).parent
SECONDS = 300
PUBLISH_PORT = 4505
"""Where minions hear of jobs, unless a test says otherwise."""


@dataclass(frozen=True)
class Ran:
    """A finished command of the master; `answer` is what it printed as JSON."""

    status: int
    answer: Any
    output: str

    def checked(self) -> Ran:
        """Return itself; AssertionError with the output when the command failed."""
        assert self.status == 0, self.output
        return self

    def states(self, minion: str) -> list[dict[str, Any]]:
        """Return the results of a minion's states, in the order of their run."""
        found = (self.answer or {}).get(minion)
        assert isinstance(found, dict), self.output
        return sorted(found.values(), key=lambda state: int(state["__run_num__"]))

    def fine(self, *minions: str) -> Ran:
        """Return itself; AssertionError when a state of one of the minions failed."""
        for minion in minions:
            assert all(state["result"] is not False for state in self.states(minion)), self.output
        return self

    def changed(self, minion: str) -> list[str]:
        """Return the ids of the states that changed something on the minion, or would."""
        return [state["__id__"] for state in self.states(minion) if state["changes"]]

    def comments(self, minion: str) -> str:
        """Return what a minion's states said."""
        return "\n".join(str(state["comment"]) for state in self.states(minion))


class Master:
    """A salt-master below `directory`.

    api: the master's `tremplin:api`. prefix: words in front of every command, as for another
    network. bin: directory of Salt's programs.
    """

    def __init__(
        self,
        directory: Path,
        api: dict[str, Any],
        *,
        address: str = "127.0.0.1",
        publish_port: int = PUBLISH_PORT,
        ret_port: int = 4506,
        prefix: Sequence[str] = (),
        bin: Path = BIN,
        **settings: object,
    ) -> None:
        self.directory = directory
        self.address = address
        self.publish_port = publish_port
        self.ret_port = ret_port
        self._prefix = list(prefix)
        self._bin = bin
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("etc", "impatient", "states", "pillar"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        config = {
            "interface": address,
            "publish_port": publish_port,
            "ret_port": ret_port,
            "root_dir": str(directory),
            "pki_dir": str(directory / "pki"),
            # Sockets have short paths.
            "sock_dir": str(directory / "sock"),
            "user": "root",
            "auto_accept": True,
            "worker_threads": 3,
            "log_level": "warning",
            "log_level_logfile": "info",
            "log_file": str(directory / "master.log"),
            "file_roots": {"base": [str(directory / "states"), str(FORMULA)]},
            "pillar_roots": {"base": [str(directory / "pillar")]},
            "fileserver_backend": ["roots"],
            "enable_fqdns_grains": False,
            "peer_run": {".*": ["tremplin.serve"]},
            "reactor": [{"salt/key": ["salt://reactor/key.sls"]}],
            "tremplin": {"api": api},
            **settings,
        }
        # Who only asks whether a minion is there has no use for ten seconds' wait for it.
        for name, more in (("etc", {}), ("impatient", {"timeout": 2, "gather_job_timeout": 1})):
            file = directory / name / "master"
            file.write_text(yaml.safe_dump(config | more))
            file.chmod(0o600)
        self.give({})

    @property
    def log(self) -> str:
        """What the master wrote, its log and its output."""
        files = [self.directory / "master.log", self.directory / "output.log"]
        return "\n".join(f.read_text("utf-8", "replace") for f in files if f.exists())

    def give(self, pillar: dict[str, Any], **minions: dict[str, Any]) -> None:
        """Write the pillar of the formula: for all, and more for some by their ids."""
        place = self.directory / "pillar"
        top: dict[str, list[str]] = {"*": ["tremplin"]}
        (place / "tremplin.sls").write_text(yaml.safe_dump({"tremplin": pillar}))
        for number, (minion, own) in enumerate(minions.items()):
            top[minion] = [f"own{number}"]
            (place / f"own{number}.sls").write_text(yaml.safe_dump({"tremplin": own}))
        (place / "top.sls").write_text(yaml.safe_dump({"base": top}))
        (self.directory / "states" / "top.sls").write_text(
            yaml.safe_dump({"base": {"*": ["tremplin"]}})
        )

    def start(self) -> None:
        """Start the master; `until_up` of its users tells when it answers."""
        with (self.directory / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command("salt-master"),
                env=_environment(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End every process of the master at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def command(self, program: str, *words: str, config: str = "etc") -> list[str]:
        """Return the command line of one of Salt's programs, with this configuration."""
        return [*self._prefix, str(self._bin / program), "-c", str(self.directory / config), *words]

    def salt(self, target: str, *words: str, **variables: object) -> Ran:
        """Have minions run a function; several are named with commas."""
        kind = ["-L"] if "," in target else []
        named = [f"{name}={json.dumps(value)}" for name, value in variables.items()]
        return self._run("salt", "--static", "--timeout=120", *kind, target, *words, *named)

    def run(self, *words: str, **variables: object) -> Ran:
        """Run a runner."""
        named = [f"{name}={json.dumps(value)}" for name, value in variables.items()]
        return self._run("salt-run", *words, *named)

    def key(self, *words: str) -> Ran:
        """Run salt-key, without its questions."""
        return self._run("salt-key", "-y", *words)

    def ssh(self, target: str, *words: str) -> Ran:
        """Have Jump Clients run a function by salt-ssh, through the roster of the formula."""
        return self._run("salt-ssh", "--roster=tremplin", "--static", target, *words)

    def apply(self, target: str, name: str = "tremplin", **variables: object) -> Ran:
        """Have minions apply a part of the formula."""
        return self.salt(target, "state.apply", name, **variables)

    def start_run(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command of the master and do not wait for it."""
        return subprocess.Popen(
            self.command(*words),
            env=_environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def up(self, *minions: str) -> Callable[[], bool]:
        """Return whether the minions answer, as a condition to wait for."""

        def answering() -> bool:
            words = ("--static", "-L", ",".join(minions), "test.ping")
            done = self._run("salt", *words, config="impatient")
            answers = done.answer if isinstance(done.answer, dict) else {}
            return all(answers.get(minion) is True for minion in minions)

        return answering

    def _run(self, program: str, *words: str, config: str = "etc") -> Ran:
        done = subprocess.run(
            self.command(program, "--out=json", "--out-indent=-1", *words, config=config),
            env=_environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        output = done.stdout + done.stderr
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = None
        return Ran(done.returncode, answer, output)


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TREMPLIN_")}
    return kept | {"PYTHONWARNINGS": "ignore"}
