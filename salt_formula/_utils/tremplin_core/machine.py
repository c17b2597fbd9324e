# SPDX-License-Identifier: Apache-2.0
"""The host at hand: what is on it, and the few things that are done to it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any, NamedTuple

from . import host

PUSHED = "tremplin-scc-{}.bin"


class Done(NamedTuple):
    """A finished command."""

    status: int
    output: str
    errors: str

    @property
    def reason(self) -> str:
        """The last line that it wrote about its failure."""
        lines = [line for line in self.errors.splitlines() if line.strip()]
        return lines[-1] if lines else ""


class Machine:
    """This host. Its programs run with this process's rights, and without Salt's own paths."""

    def survey(self, directories: list[str]) -> dict[str, Any]:
        """Return what `host.survey` finds in `directories`."""
        return host.survey(directories, self._run)

    def execute(self, words: list[str], given: str = "") -> Done:
        """Run a program with `given` on its standard input, which nothing logs."""
        try:
            done = subprocess.run(  # noqa: S603 - a list of words, no shell
                words,
                input=given,
                capture_output=True,
                check=False,
                encoding="utf-8",
                errors="replace",
                env=_environment(),
                cwd="/",
            )
        except OSError as error:
            return Done(127, "", str(error))
        return Done(done.returncode, done.stdout, done.stderr)

    def push(self, directory: str, platform: str, content: bytes) -> str:
        """Put an installer into `directory`, which only its owner may enter; its path."""
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o700)
        path = os.path.join(directory, PUSHED.format(platform))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o700)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return path

    def delete(self, path: str) -> None:
        """Delete a file or a directory, if it is there."""
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)

    def exists(self, path: str) -> bool:
        """Return whether a path is there."""
        return os.path.lexists(path)

    def _run(self, words: list[str]) -> tuple[int, str]:
        done = self.execute(words)
        return done.status, done.output


def _environment() -> dict[str, str]:
    """Return the environment without what a frozen Python sets for itself."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "SALT_", "LD_LIBRARY_PATH", "TREMPLIN_"))
    }
    kept.setdefault("PATH", os.defpath)
    kept["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    return kept
