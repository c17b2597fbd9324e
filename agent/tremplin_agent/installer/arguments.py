"""The installer's command line, generated from `tremplin_agent.parameters`."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from typing import Any, Dict, List, NoReturn, Type

from tremplin_agent import __version__
from tremplin_agent.codes import FAILURES, Code
from tremplin_agent.installer.help import Words, words
from tremplin_agent.parameters import BY_NAME, PARAMETERS, Kind, Parameter, check
from tremplin_agent.refusal import Refusal

STDIN_LIMIT = 16 * 1024


@dataclass(frozen=True)
class Arguments:
    """What was asked for: the parameters that were given, in their proper types."""

    given: Dict[str, Any]
    quiet: bool

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or `default` when it was not given."""
        return self.given.get(name, default)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(Code.INSTALL_USAGE, detail=message)


def parser(program: str, platform: str) -> argparse.ArgumentParser:
    """Return the parser; `--help` and `--version` end the program."""
    said = words(os.environ)
    made = _Parser(
        prog=program,
        description=said.description,
        epilog=said.epilog + _exit_statuses(),
        formatter_class=_formatter(said.usage),
        allow_abbrev=False,
        add_help=False,
    )
    options = made.add_argument_group(said.options)
    options.add_argument("-h", "--help", action="help", help=said.help)
    version = f"tremplin {__version__} ({platform})"
    options.add_argument("--version", action="version", version=version, help=said.version)
    options.add_argument("--quiet", action="store_true", help=said.quiet)
    for parameter in PARAMETERS:
        options.add_argument(parameter.flag, **_options(parameter, said))
    return made


def _formatter(prefix: str) -> Type[argparse.HelpFormatter]:
    class Formatter(argparse.RawDescriptionHelpFormatter):
        """argparse's own, with the word for usage in the reader's language."""

        def _format_usage(self, usage: Any, actions: Any, groups: Any, _: Any) -> str:
            return super()._format_usage(usage, actions, groups, prefix)

    return Formatter


def _exit_statuses() -> str:
    known = sorted((failure.exit_status, code.value) for code, failure in FAILURES.items())
    return "\n".join(f"  {status:3}  {code}" for status, code in known)


def _options(parameter: Parameter, said: Words) -> Dict[str, Any]:
    text = said.of(parameter).replace("%", "%%")
    options: Dict[str, Any] = {"dest": parameter.name, "help": text}
    if parameter.kind is Kind.SWITCH:
        options.update(nargs="?", const="yes", metavar="yes|no")
    else:
        options["metavar"] = parameter.metavar or "|".join(parameter.choices)
    return options


def parse(line: List[str], program: str, platform: str) -> Arguments:
    """Return what the command line asks for; Refusal when it cannot be read."""
    spoken = vars(parser(program, platform).parse_args(line))
    quiet = bool(spoken.pop("quiet"))
    given = {name: _typed(name, text) for name, text in spoken.items() if text is not None}
    return Arguments({name: value for name, value in given.items() if value is not False}, quiet)


def _typed(name: str, text: str) -> Any:
    parameter = BY_NAME[name]
    if name == "key_info" and text == "-":
        text = sys.stdin.read(STDIN_LIMIT).strip()
    try:
        return check(parameter, text)
    except ValueError as error:
        raise Refusal(
            Code.INSTALL_BAD_VALUE, parameter=parameter.flag, detail=str(error)
        ) from error
