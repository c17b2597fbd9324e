"""Runs `salt-call --local` with the formula of this checkout, against one server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.serving import Server

FORMULA = Path(__file__).parents[2] / "salt_formula"
SALT_CALL = Path(sys.executable).with_name("salt-call")
SECONDS = 240


@dataclass(frozen=True)
class Call:
    """A finished run; `answer` is what the function returned."""

    status: int
    answer: Any
    output: str

    def states(self) -> list[dict[str, Any]]:
        """Return the results of the states, in the order of their run."""
        assert isinstance(self.answer, dict), self.output
        return sorted(self.answer.values(), key=lambda state: int(state["__run_num__"]))

    def results(self) -> set[bool | None]:
        """Return which results came: True, False, or None for what would change."""
        return {state["result"] for state in self.states()}

    def comments(self) -> str:
        """Return all comments."""
        return "\n".join(str(state["comment"]) for state in self.states())

    def changed(self) -> list[str]:
        """Return the ids of the states that changed something, or would."""
        return [state["__id__"] for state in self.states() if state["changes"]]


class Minion:
    """A host without a master. Everything of Salt's is below `directory`."""

    def __init__(
        self,
        directory: Path,
        key: str,
        pillar: dict[str, Any] | None = None,
        grains: dict[str, Any] | None = None,
        salt_call: Path = SALT_CALL,
    ) -> None:
        self.directory = directory
        self._salt_call = salt_call
        (directory / "etc").mkdir(parents=True, exist_ok=True)
        (directory / "pillar").mkdir(exist_ok=True)
        settings = {
            "id": key,
            "file_client": "local",
            "root_dir": str(directory),
            "pki_dir": str(directory / "pki"),
            "file_roots": {"base": [str(directory / "states"), str(FORMULA)]},
            "pillar_roots": {"base": [str(directory / "pillar")]},
            "log_level": "warning",
            "log_level_logfile": "debug",
            "log_file": str(directory / "minion.log"),
            "grains": grains or {},
            "fileserver_backend": ["roots"],
            "enable_fqdns_grains": False,
            # What a test adds is there at once.
            "fileserver_list_cache_time": 0,
        }
        (directory / "etc" / "minion").write_text(yaml.safe_dump(settings))
        self.give(pillar or {})

    def give(self, pillar: dict[str, Any]) -> None:
        """Write the pillar of the formula."""
        place = self.directory / "pillar"
        (place / "top.sls").write_text(yaml.safe_dump({"base": {"*": ["tremplin"]}}))
        (place / "tremplin.sls").write_text(yaml.safe_dump({"tremplin": pillar}))
        (place / "tremplin.sls").chmod(0o600)

    def call(self, *words: str, **variables: object) -> Call:
        """Run a function to its end."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TREMPLIN_")}
        named = [f"{name}={json.dumps(value)}" for name, value in variables.items()]
        done = subprocess.run(
            [self._salt_call, "--local", "-c", self.directory / "etc", "--out=json",
             "--out-indent=-1", "--retcode-passthrough", *words, *named],
            env=kept,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )  # fmt: skip
        output = done.stdout + done.stderr
        try:
            answer = json.loads(done.stdout)["local"]
        except (ValueError, KeyError):
            answer = None
        return Call(done.returncode, answer, output)

    def apply(self, name: str = "tremplin", **variables: object) -> Call:
        """Apply a part of the formula."""
        return self.call("state.apply", name, **variables)

    def done(self, name: str = "tremplin", **variables: object) -> Call:
        """Apply a part of the formula, which must succeed."""
        call = self.apply(name, **variables)
        assert call.status == 0, call.output
        assert False not in call.results(), call.output
        return call


def account(server: Server) -> dict[str, Any]:
    """Return the pillar's `api`, for a host that calls it by itself."""
    return {
        "url": server.base_url,
        "client_id": server.credentials.client_id,
        "client_secret": server.credentials.secret,
        "ca_path": str(server.ca_path),
    }
