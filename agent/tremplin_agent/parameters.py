"""The one table of installer parameters.

Everything that names a parameter (installer, MSI, Ansible role, Salt formula, API,
pages, documentation) is generated from this table or held against it by a drift test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, Optional, Tuple


class Kind(str, Enum):
    """How a parameter is written."""

    TEXT = "text"
    INTEGER = "integer"
    SWITCH = "switch"
    CHOICE = "choice"
    PATH = "path"


class Where(str, Enum):
    """Platforms whose installer takes a parameter."""

    ALL = "all"
    UNIX = "linux, macos"


@dataclass(frozen=True)
class Parameter:
    """One installer parameter.

    name: identifier in snake_case; the Ansible variable is `tremplin_<name>`, the Salt
        key is `<name>`, the wire and API name is `<name>` less its `jc_` prefix.
    limit: largest length of a text in characters, or largest integer.
    override: name of the installer's `allow_override_…` flag that must be set before
        the value may be given at installation; None when no right is needed.
    help: one sentence for `--help` and the documentation.
    """

    name: str
    kind: Kind
    help: str
    metavar: str = ""
    limit: int = 0
    choices: Tuple[str, ...] = ()
    override: Optional[str] = None
    where: Where = Where.ALL
    secret: bool = False

    @property
    def flag(self) -> str:
        """The command line form, `--jc-tag`."""
        return "--" + self.name.replace("_", "-")

    @property
    def msi_property(self) -> str:
        """The msiexec form: dashes to underscores, upper case; INSTALLDIR is the exception."""
        return "INSTALLDIR" if self.name == "install_dir" else self.name.upper()

    @property
    def wire_name(self) -> str:
        """The key in `Enrol.overrides` and in the API."""
        return self.name[3:] if self.name.startswith("jc_") else self.name


PARAMETERS: Tuple[Parameter, ...] = (
    Parameter(
        "install_dir", Kind.PATH, metavar="DIR",
        help="Directory to create and install into; it must not exist yet.",
    ),
    Parameter(
        "user", Kind.TEXT, metavar="NAME", limit=32, where=Where.UNIX,
        help="Existing user who runs the Jump Client; root must name one, or use --scope system.",
    ),
    Parameter(
        "jc_jump_group", Kind.TEXT, metavar="GROUP", limit=255,
        override="allow_override_jump_group",
        help="Jump Group: user:<name>, jumpgroup:<code name>, or the name of a group.",
    ),
    Parameter(
        "jc_tag", Kind.TEXT, metavar="TAG", limit=64, override="allow_override_tag",
        help="Tag shown with the Jump Client.",
    ),
    Parameter(
        "jc_comments", Kind.TEXT, metavar="TEXT", limit=1024,
        override="allow_override_comments",
        help="Comments shown with the Jump Client.",
    ),
    Parameter(
        "jc_name", Kind.TEXT, metavar="NAME", limit=128, override="allow_override_name",
        help="Name of the Jump Client; the host name when it is not given.",
    ),
    Parameter(
        "jc_external_id", Kind.TEXT, metavar="ID", limit=255,
        override="allow_override_external_id",
        help="Declared key of the machine, such as its inventory name or minion id.",
    ),
    Parameter(
        "jc_jump_policy", Kind.TEXT, metavar="CODE", limit=64,
        override="allow_override_jump_policy",
        help="Code name of the Jump Policy.",
    ),
    Parameter(
        "jc_session_policy", Kind.TEXT, metavar="CODE", limit=64,
        override="allow_override_session_policy",
        help="Code name of the session policy.",
    ),
    Parameter(
        "jc_max_offline_minutes", Kind.INTEGER, metavar="MINUTES", limit=2_147_483_647,
        override="allow_override_max_offline_minutes",
        help="Remove the Jump Client after this many minutes offline; 0 follows the site.",
    ),
    Parameter(
        "jc_ephemeral", Kind.SWITCH, override="allow_override_max_offline_minutes",
        help="Short-lived host: remove the Jump Client after 5 minutes offline.",
    ),
    Parameter(
        "key_info", Kind.TEXT, metavar="KEY", limit=4096, secret=True,
        help="Key info of the installer, for the generic payload; "
        "'-' reads it from standard input, so that it stays out of the process list.",
    ),
    Parameter(
        "online_install", Kind.SWITCH,
        help="Enrol during the installation and fail at once when that fails.",
    ),
    Parameter(
        "scope", Kind.CHOICE, choices=("user", "system"), where=Where.UNIX,
        help="user: runs as the installing user or --user; "
        "system: service mode, needs root, with an unprivileged account of its own.",
    ),
    Parameter(
        "startup", Kind.CHOICE,
        choices=("auto", "systemd", "sysv", "openrc", "cron", "launchd", "none"),
        where=Where.UNIX,
        help="What starts the Jump Client at boot; auto takes the host's service manager.",
    ),
)  # fmt: skip

BY_NAME: Dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}
OVERRIDES: Dict[str, Parameter] = {p.wire_name: p for p in PARAMETERS if p.override}
"""Parameters that describe the record, by their wire name."""

EPHEMERAL_OFFLINE_MINUTES = 5

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CODE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def check(parameter: Parameter, value: Any) -> Any:
    """Return `value` in its proper type.

    value: a string as typed, or an already typed value. Raises ValueError with a short
    English reason that does not repeat the value.
    """
    if parameter.kind is Kind.SWITCH:
        return _switch(value)
    if parameter.kind is Kind.INTEGER:
        return _integer(parameter, value)
    text = str(value)
    if parameter.kind is Kind.CHOICE and text not in parameter.choices:
        raise ValueError("must be one of " + ", ".join(parameter.choices))
    if parameter.limit and len(text) > parameter.limit:
        raise ValueError(f"longer than {parameter.limit} characters")
    if _CONTROL.search(text.replace("\n", "") if parameter.name == "jc_comments" else text):
        raise ValueError("control characters are not allowed")
    if parameter.name in ("jc_jump_policy", "jc_session_policy") and not _CODE_NAME.match(text):
        raise ValueError("a code name has letters, digits, '_' and '-' only")
    if parameter.name in ("install_dir", "user", "jc_external_id", "jc_name") and not text.strip():
        raise ValueError("must not be empty")
    return text


def _switch(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("must be yes or no")


def _integer(parameter: Parameter, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,10}", str(value)):
        raise ValueError("must be a whole number, zero or more")
    number = int(value)
    if number > parameter.limit:
        raise ValueError(f"larger than {parameter.limit}")
    return number
