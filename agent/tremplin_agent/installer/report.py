"""How the installer speaks: one line on stderr and in the system log, in two languages."""

from __future__ import annotations

import os
import sys
import syslog
from typing import Mapping, Optional

from tremplin_agent.platform.syslog_lines import line as logged
from tremplin_agent.refusal import Refusal

PROGRAM = "tremplin-installer"


def is_french(environment: Mapping[str, str]) -> bool:
    """Return whether the one who installs reads French."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(variable):
            return environment[variable].lower().startswith("fr")
    return False


class Reporter:
    """The installer's mouth.

    quiet: only failures are said. environment: where the language is taken from.
    """

    def __init__(self, quiet: bool = False, environment: Optional[Mapping[str, str]] = None):
        self.quiet = quiet
        self._french = is_french(os.environ if environment is None else environment)
        syslog.openlog(PROGRAM, syslog.LOG_PID, syslog.LOG_DAEMON)

    def text(self, english: str, french: str) -> str:
        """Return the words in the reader's language."""
        return french if self._french else english

    def say(self, english: str, french: str) -> None:
        """Tell how it goes, on stdout."""
        if not self.quiet:
            sys.stdout.write(self.text(english, french) + "\n")
            sys.stdout.flush()

    def warn(self, english: str, french: str) -> None:
        """Warn on stderr and in the system log."""
        line = self.text(english, french)
        syslog.syslog(syslog.LOG_WARNING, logged(PROGRAM, _one_line(line)))
        if not self.quiet:
            sys.stderr.write(f"{PROGRAM}: {_one_line(line)}\n")

    def fail(self, refusal: Refusal) -> int:
        """Say why it failed, and return the exit status."""
        line = refusal.line(self._french)
        syslog.syslog(syslog.LOG_ERR, logged(PROGRAM, _one_line(line)))
        sys.stderr.write(f"{PROGRAM}: {_one_line(line)}\n")
        return refusal.failure.exit_status


def _one_line(text: str) -> str:
    return " ".join(text.split())
