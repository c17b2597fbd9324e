"""Whose session it is on the host: the agent's user, with the shell and home of a login."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from tremplin_agent.ssh.processes import Program

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELLS = ("/bin/bash", "/bin/sh")
"""For an account that has none: the one that the installer makes is such an account."""
_NO_SHELL = ("nologin", "false", "true", "sync", "halt", "shutdown")
_TAKEN = ("LANG", "COLORTERM", "NO_COLOR")
"""What a client may set, with LC_*."""


@dataclass(frozen=True)
class Login:
    """The agent's user. home: exists and belongs to the user."""

    name: str
    shell: str
    home: str

    def program(
        self,
        command: Optional[str],
        wanted: Mapping[str, str],
        own: Mapping[str, str],
    ) -> Program:
        """Return how to run a command, or the login shell itself for None.

        wanted: environment that the client asks for. own: what the session adds.
        """
        name = Path(self.shell).name
        words: List[str] = [f"-{name}"] if command is None else [name, "-c", command]
        return Program(self.shell, words, self._environment(wanted, own), self.home)

    def _environment(self, wanted: Mapping[str, str], own: Mapping[str, str]) -> Dict[str, str]:
        environment = {
            "HOME": self.home,
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": self.shell,
            "PATH": PATH,
        }
        language = system_language()
        if language:
            environment["LANG"] = language
        accepted = {k: v for k, v in wanted.items() if k in _TAKEN or k.startswith("LC_")}
        return {**environment, **accepted, **own}


def login(var: Path) -> Login:
    """Return the login of the user that this process runs as.

    var: the agent's own directory; it holds a home for a user who has none.
    """
    user = pwd.getpwuid(os.geteuid())
    return Login(user.pw_name, _shell(user.pw_shell), _home(user.pw_dir, var))


def _shell(wanted: str) -> str:
    candidates = SHELLS if Path(wanted).name in _NO_SHELL else (wanted, *SHELLS)
    return next((shell for shell in candidates if os.access(shell, os.X_OK)), "/bin/sh")


def _home(wanted: str, var: Path) -> str:
    if Path(wanted).is_dir() and os.access(wanted, os.X_OK) and wanted != "/":
        return wanted
    made = var / "home"
    made.mkdir(mode=0o700, exist_ok=True)
    return str(made)


def system_language() -> str:
    """Return the host's language, as its logins have it, or nothing."""
    if sys.platform == "darwin":
        from tremplin_agent.platform.macos import language

        return language()
    for path in (Path("/etc/default/locale"), Path("/etc/locale.conf")):
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition("=")
            if name.strip() == "LANG":
                return value.strip().strip("\"'")
    return ""
