"""The header that both C programs take their words and names from: all from the agent."""

from __future__ import annotations

from tremplin_agent import __version__
from tremplin_agent.codes import FAILURES, Code
from tremplin_agent.installer.help import ENGLISH, FRENCH, Words
from tremplin_agent.parameters import Kind, Parameter
from tremplin_agent.platform.windows_install import (
    KEEP_RECORD,
    PARAMETERS_HERE,
    PROPERTIES,
    START_SERVICES,
    with_properties,
)
from tremplin_agent.platform.wine import LENT

SLOT_SIZE = 1536
"""Bytes that the server may overwrite with a key info: as in the `.bin`."""

_MORE_EN = """The MSI's properties (JC_TAG=x) and msiexec's switches (/qn, /l*v FILE) are taken
too. The exit status is msiexec's: 0, 1602, 1603 (the reason is on standard error and in the event
log), 1618, 3010.
"""
_MORE_FR = """Les propriétés du MSI (JC_TAG=x) et les options de msiexec (/qn, /l*v FICHIER) sont
acceptées aussi. Le code de retour est celui de msiexec : 0, 1602, 1603 (la raison est sur
la sortie d'erreur et dans le journal d'événements), 1618, 3010.
"""
_MARK = "\N{INFORMATION SEPARATOR ONE}"


def header() -> str:
    """Return the content of texts.h."""
    before_en, after_en, before_fr, after_fr = _directory_exists()
    missing = FAILURES[Code.INSTALL_KEY_MISSING]
    code = Code.INSTALL_KEY_MISSING.value
    options = ", ".join(_option(each) for each in PARAMETERS_HERE)
    defined = {
        "PROPERTIES": ", ".join(_wide(name) for name in (*PROPERTIES, START_SERVICES, KEEP_RECORD)),
        "OPTIONS": options,
        "DIR_EXISTS_EN_BEFORE": _wide(before_en),
        "DIR_EXISTS_EN_AFTER": _wide(after_en),
        "DIR_EXISTS_FR_BEFORE": _wide(before_fr),
        "DIR_EXISTS_FR_AFTER": _wide(after_fr),
        "KEY_MISSING_EN": _wide(with_properties(f"{code}: {missing.en}")),
        "KEY_MISSING_FR": _wide(with_properties(f"{code}: {missing.fr}")),
        "HELP_EN": _wide(help_text(ENGLISH)),
        "HELP_FR": _wide(help_text(FRENCH)),
        "VERSION_LINE": _wide(f"tremplin {__version__} (windows-64)\n"),
        "VERSION": f'"{__version__}"',
        "LENT": _wide(LENT),
        "SLOT": '"' + "@" * SLOT_SIZE + '"',
    }
    return "".join(f"#define {name} {value}\n" for name, value in defined.items())


def _directory_exists() -> list[str]:
    code, failure = Code.INSTALL_DIR_EXISTS.value, FAILURES[Code.INSTALL_DIR_EXISTS]
    parts: list[str] = []
    for text in (failure.en, failure.fr):
        line = with_properties(f"{code}: {text}".format_map({"path": _MARK}))
        parts += line.split(_MARK)
    return parts


def _option(parameter: Parameter) -> str:
    is_switch = "TRUE" if parameter.kind is Kind.SWITCH else "FALSE"
    return f"{{{_wide(parameter.flag)}, {_wide(parameter.msi_property)}, {is_switch}}}"


def help_text(said: Words) -> str:
    """Return what --help shows, in the language of `said`."""
    lines = [said.description, "", said.options + ":"]
    for parameter in PARAMETERS_HERE:
        value = "" if parameter.kind is Kind.SWITCH else f" {parameter.metavar}"
        lines += [f"  {parameter.flag}{value}", f"        {said.of(parameter)}"]
    lines += ["  --quiet", f"        {said.quiet}", "  --version", f"        {said.version}"]
    return "\n".join(lines) + "\n\n" + (_MORE_FR if said is FRENCH else _MORE_EN)


def _wide(text: str) -> str:
    """Return a wide string of C, in letters that every compiler reads."""
    escaped = "".join(_letter(letter) for letter in text)
    return f'L"{escaped}"'


def _letter(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter == "\n":
        return "\\n"
    if letter.isascii() and letter.isprintable():
        return letter
    return f'\\x{ord(letter):04x}" L"'
