"""The two shell scripts of an installation, from their templates and its facts."""

from __future__ import annotations

import pkgutil
import shlex
from pathlib import Path
from typing import Dict

from tremplin_agent.installation import Installation
from tremplin_agent.installer.accounts import REGISTRY
from tremplin_agent.installer.checks import ACCOUNT, PYTHONS
from tremplin_agent.store import write_durably

_MARK = "#@FACTS@\n"


def facts(installation: Installation) -> str:
    """Return the facts as shell assignments."""
    own_account = installation.installed_by == "root" and installation.user == ACCOUNT
    values: Dict[str, str] = {
        "NAME": installation.name,
        "DIR": installation.install_dir,
        "RUN_AS": installation.user,
        "OWNER": installation.installed_by,
        "STARTUP": installation.startup,
        "BOOT_ENTRY": installation.boot_entry,
        "PYTHON": installation.python,
        "ACCOUNT": ACCOUNT if own_account else "",
        "MAC": "yes" if installation.platform.startswith("macos-") else "",
        "REGISTRY": str(REGISTRY),
        "PYTHONS": " ".join(PYTHONS),
        "LINGER_MADE": "yes" if installation.linger_made else "",
    }
    assignments = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    parents = " ".join(shlex.quote(path) for path in installation.made_parents)
    body = f"rmdir -- {parents} 2>/dev/null" if parents else ":"
    return f"{assignments}forget_parents() {{ {body}; }}\n"


def render(template: str, installation: Installation) -> str:
    """Return the script of a template, `init-script.sh` or `uninstall.sh`."""
    text = pkgutil.get_data(__package__, template)
    assert text is not None, template
    return text.decode("utf-8").replace(_MARK, facts(installation))


def write(installation: Installation, directory: Path) -> None:
    """Write both scripts of an installation into `directory`."""
    for name in ("uninstall", "init-script"):
        text = render(f"{name}.sh", installation)
        write_durably(directory / name, text.encode(), 0o755)
