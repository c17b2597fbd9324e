"""The installer's command line, generated from `tremplin_agent.parameters`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any, Dict, List, NoReturn

from tremplin_agent import __version__
from tremplin_agent.codes import FAILURES, Code
from tremplin_agent.installer.report import Refusal
from tremplin_agent.parameters import BY_NAME, PARAMETERS, Kind, Parameter, check

STDIN_LIMIT = 16 * 1024

_EPILOG = """examples:
  sh %(prog)s
      install for the user who runs it, in ~/.local/share/tremplin-jump-client
  sudo sh %(prog)s --scope system --jc-tag web --jc-jump-group jumpgroup:servers
      install as a service, with an unprivileged account of its own
  sudo sh %(prog)s --user deploy --install-dir /srv/jump --online-install
      run it as an existing user, and fail at once if the server does not take it
  sh %(prog)s --key-info - --quiet < key-info.txt
      the generic payload, with the key info of an installer on standard input

Every failure is one line on standard error and in the system log, leaves nothing behind,
and has an exit status of its own:
"""


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
    made = _Parser(
        prog=program,
        description="Install a Tremplin Jump Client on this host.",
        epilog=_EPILOG + _exit_statuses(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"tremplin {__version__} ({platform})")
    made.add_argument("--quiet", action="store_true", help="Say nothing but failures.")
    for parameter in PARAMETERS:
        made.add_argument(parameter.flag, **_options(parameter))
    return made


def _exit_statuses() -> str:
    known = sorted((failure.exit_status, code.value) for code, failure in FAILURES.items())
    return "\n".join(f"  {status:3}  {code}" for status, code in known)


def _options(parameter: Parameter) -> Dict[str, Any]:
    options: Dict[str, Any] = {"dest": parameter.name, "help": parameter.help.replace("%", "%%")}
    if parameter.kind is Kind.SWITCH:
        options.update(nargs="?", const="yes", metavar="yes|no")
    else:
        options["metavar"] = parameter.metavar or "|".join(parameter.choices)
    return options


def parse(words: List[str], program: str, platform: str) -> Arguments:
    """Return what the command line asks for; Refusal when it cannot be read."""
    spoken = vars(parser(program, platform).parse_args(words))
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
