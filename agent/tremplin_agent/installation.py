"""The facts of one installation, as `install.json` tells them; no secret is among them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, List

from tremplin_agent import __version__

FACTS_FILE = "install.json"
VERSIONS = "versions"
"""Directory of the versions of the code; `lib` is a link to the one that runs. Windows has
none of it: there the MSI replaces `lib`."""
SYSTEM_DIRECTORY = Path("/opt/tremplin-jump-client")
USER_DIRECTORY = Path(".local/share/tremplin-jump-client")
"""Where installers install when they are not told, the latter below the user's home."""


class NotInstalled(Exception):
    """There is no installation in that directory, or its facts are damaged."""


@dataclass(frozen=True)
class Installation:
    """One installation.

    user: who runs the agent. installed_by: "root" or "user"; root owns the code then.
    startup: the manager that was registered. boot_entry: file that it made, or a word.
    parameters: what was given at installation, less the secrets. urls, ca_pin (hex):
    where the server is and what its CA must be. server_key (hex): the identity key
    whose updates are taken, empty when the key info did not tell it. made_parents:
    directories above that were made as well, deepest first; they go again when nothing
    else is in them. complete: the last fact that is written.
    """

    install_dir: str
    user: str
    scope: str
    startup: str
    name: str
    platform: str
    boot_entry: str = ""
    installed_by: str = "user"
    installed_at: str = ""
    version: str = __version__
    python: str = ""
    urls: List[str] = field(default_factory=list)
    ca_pin: str = ""
    server_key: str = ""
    parameters: Dict[str, Any] = field(default_factory=dict)
    made_parents: List[str] = field(default_factory=list)
    linger_made: bool = False
    complete: bool = False

    @property
    def directory(self) -> Path:
        return Path(self.install_dir)

    @property
    def var(self) -> Path:
        """Where the agent keeps what is its own."""
        return self.directory / "var"

    def dump(self) -> str:
        """Return the content of `install.json`."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def read(directory: Path) -> Installation:
    """Return the installation in `directory`; NotInstalled when there is none."""
    path = directory / FACTS_FILE
    try:
        body = json.loads(path.read_text("utf-8"))
        known = {part.name for part in fields(Installation)}
        return Installation(**{key: body[key] for key in body if key in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise NotInstalled(f"{directory} holds no Jump Client") from error


def own_directory() -> Path:
    """Return the directory that this code is installed in: `DIR/lib` runs as a program.

    A console command is installed nowhere in particular: it means the usual directories.
    """
    code = Path(sys.path[0] or ".").resolve()
    own = code.parent.parent if code.parent.name == VERSIONS else code.parent
    if sys.platform == "win32":
        return own
    for directory in (own, Path.home() / USER_DIRECTORY):
        if (directory / FACTS_FILE).exists():
            return directory
    return SYSTEM_DIRECTORY
