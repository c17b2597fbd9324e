"""How the installer speaks: one line on stderr and in the system log, in two languages."""

from __future__ import annotations

import os
import re
import sys
import syslog
from typing import Any, Mapping, Optional

from tremplin_agent.codes import FAILURES, Code

PROGRAM = "tremplin-installer"

_FRENCH = (
    (r"must be one of (.+)", r"doit être l'un de : \1"),
    (r"longer than (\d+) characters", r"plus de \1 caractères"),
    (r"larger than (\d+)", r"plus grand que \1"),
    (r"control characters are not allowed", "les caractères de contrôle sont interdits"),
    (
        r"a code name has letters, digits, '_' and '-' only",
        "un nom de code n'a que des lettres, des chiffres, « _ » et « - »",
    ),
    (r"must not be empty", "ne doit pas être vide"),
    (r"must be yes or no", "doit être yes ou no"),
    (r"must be a whole number, zero or more", "doit être un entier, zéro ou plus"),
    (r"a Jump Client never runs as root", "un Jump Client ne s'exécute jamais en root"),
    (r"unrecognized arguments: (.+)", r"paramètres inconnus : \1"),
    (r"argument (\S+): expected one argument", r"\1 attend une valeur"),
    (r"argument (\S+): ignored explicit argument .+", r"\1 n'attend pas de valeur"),
    (r"it is not what runs on this host", "ce n'est pas ce qui tourne sur cette machine"),
    (r"no right to write in (.+)", r"pas le droit d'écrire dans \1"),
    (r"(.+) is not a directory", r"\1 n'est pas un répertoire"),
    (r"interrupted by (\w+)", r"interrompu par \1"),
)
"""Details that come from where only English is spoken; any other is left as it is."""


class Refusal(Exception):
    """The installation cannot be done: a failure of the catalogue and its parameters."""

    def __init__(self, code: Code, **parameters: Any) -> None:
        super().__init__(code.value)
        self.code = code
        self.parameters = parameters


def is_french(environment: Mapping[str, str]) -> bool:
    """Return whether the one who installs reads French."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(variable):
            return environment[variable].lower().startswith("fr")
    return False


def in_french(detail: str) -> str:
    """Return a detail in French where it is one of those that we know."""
    for pattern, french in _FRENCH:
        if re.fullmatch(pattern, detail):
            return re.sub(pattern, french, detail)
    return detail


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
        syslog.syslog(syslog.LOG_WARNING, _one_line(line))
        if not self.quiet:
            sys.stderr.write(f"{PROGRAM}: {_one_line(line)}\n")

    def fail(self, refusal: Refusal) -> int:
        """Say why it failed, and return the exit status."""
        failure = FAILURES.get(refusal.code, FAILURES[Code.INSTALL_INTERNAL])
        template = self.text(failure.en, failure.fr)
        parameters = dict(refusal.parameters)
        if self._french:
            parameters["detail"] = in_french(str(parameters.get("detail", "?")))
        line = f"{refusal.code.value}: {template.format_map(_Lenient(parameters))}"
        syslog.syslog(syslog.LOG_ERR, _one_line(line))
        sys.stderr.write(f"{PROGRAM}: {_one_line(line)}\n")
        return failure.exit_status


class _Lenient(dict):  # type: ignore[type-arg]
    """Parameters of a text; one that is missing must not hide why the installation failed."""

    def __missing__(self, key: str) -> str:
        return "?"


def _one_line(text: str) -> str:
    return " ".join(text.split())
