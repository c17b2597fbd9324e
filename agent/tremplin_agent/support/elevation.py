"""The administrator's rights for a support session: the client starts itself again with sudo.

The customer types his password to sudo or pkexec on his own side; this program neither sees
nor sends it. The new client takes over with the same key, and this one waits for its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from tremplin_agent import wire
from tremplin_agent.store import write_durably

RESUME_OPTION = "--resume-support"
_TAKEN = "taken-over"
_DESKTOP = ("DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
_LANGUAGE = ("LANG", "LC_ALL", "LC_MESSAGES")


class Elevation:
    """How a client gets more rights. windowed: there is no terminal to type a password in.

    before: the file of the client that this one takes over from, if it does.
    """

    def __init__(
        self,
        directory: Path,
        payload: Path,
        key: wire.SupportKey,
        windowed: Callable[[], bool],
        before: Optional[Path] = None,
    ) -> None:
        self._directory, self._payload, self._key = directory, payload, key
        self._windowed, self._before = windowed, before
        self.handed_over = False
        """Whether another client took over: this one has nothing more to say."""
        self.is_asking = False
        """Whether sudo has the terminal: its Ctrl-C is an answer to sudo, not to this client."""

    @property
    def possible(self) -> bool:
        """Whether there is a program to ask for the rights with."""
        return os.geteuid() != 0 and self._tool() is not None

    def arrived(self) -> None:
        """Let the client before this one know that its session goes on here."""
        if self._before is not None:
            write_durably(self._before.with_name(_TAKEN), b"")

    async def run(self, private_key: bytes, known: Dict[str, object]) -> bool:
        """Run a client with more rights to its end; return whether it took over."""
        tool = self._tool()
        if tool is None:
            return False
        taken, resume = self._directory / _TAKEN, self._directory / "resume.json"
        taken.unlink(missing_ok=True)
        kept = {name: os.environ[name] for name in (*_LANGUAGE, *_DESKTOP) if name in os.environ}
        body = {
            "key": self._key.encode(),
            "private_key": wire.b64encode(private_key),
            "known": known,
            "environment": kept,
        }
        write_durably(resume, json.dumps(body).encode())
        command = [*tool, sys.executable, "-I", "-S", "-B", str(self._payload)]
        self.is_asking = True
        try:
            process = await asyncio.create_subprocess_exec(*command, RESUME_OPTION, str(resume))
            await process.wait()
        finally:
            self.is_asking = False
        resume.unlink(missing_ok=True)
        self.handed_over = taken.exists()
        return self.handed_over

    def _tool(self) -> Optional[List[str]]:
        names = ("pkexec",) if self._windowed() else ("sudo", "pkexec")
        found = next((shutil.which(name) for name in names if shutil.which(name)), None)
        if found is None:
            return None
        return [found, "--"] if Path(found).name == "sudo" else [found]


def resumed(path: Path) -> Dict[str, Any]:
    """Return what the client before this one left, in its private directory.

    Raises ValueError or OSError when there is no such thing.
    """
    body = json.loads(path.read_text("utf-8"))
    if not isinstance(body, dict):
        raise ValueError("damaged")
    for name, value in body["environment"].items():
        if name in (*_LANGUAGE, *_DESKTOP):
            os.environ[name] = str(value)
    return body
