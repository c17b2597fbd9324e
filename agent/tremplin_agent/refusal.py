"""Why an installation cannot be done, in the one line that its installer says."""

from __future__ import annotations

import re
from typing import Any

from tremplin_agent.codes import FAILURES, Code, Failure

_FLAG = re.compile(r"--[a-z][a-z-]*")

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

    @property
    def failure(self) -> Failure:
        """The entry of the catalogue."""
        return FAILURES.get(self.code, FAILURES[Code.INSTALL_INTERNAL])

    def line(self, french: bool) -> str:
        """Return the code and the reason, in the reader's language."""
        parameters = dict(self.parameters)
        if french:
            parameters["detail"] = in_french(str(parameters.get("detail", "?")))
        template = self.failure.fr if french else self.failure.en
        return f"{self.code.value}: {template.format_map(_Lenient(parameters))}"


class _Lenient(dict):  # type: ignore[type-arg]
    """Parameters of a text; one that is missing must not hide why the installation failed."""

    def __missing__(self, key: str) -> str:
        return "?"


def in_french(detail: str) -> str:
    """Return a detail in French where it is one of those that we know."""
    for pattern, french in _FRENCH:
        if re.fullmatch(pattern, detail):
            return re.sub(pattern, french, detail)
    return detail


def enrolment_refusal(code: str, detail: str) -> Refusal:
    """Return the failure for what the server answered. detail: the server's own words."""
    try:
        known = Code(code)
    except ValueError:
        known = Code.INSTALL_INTERNAL
    if known not in FAILURES:
        return Refusal(Code.INSTALL_SERVER_UNREACHABLE, detail=f"{code} {detail}".strip())
    named = _FLAG.search(detail)
    flag = named.group() if named else "?"
    return Refusal(known, parameter=flag, detail=detail.replace(f"{flag}: ", "", 1) or code)
