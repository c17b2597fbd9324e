"""What starts a Jump Client on a Mac: launchd.

Texts and names are pure; `tremplin_agent.installer.boot` writes them. Loading, unloading
and the removal are in `installer/init-script.sh`, which must do without Python.
"""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any, Dict, Tuple

DAEMONS = Path("/Library/LaunchDaemons")
AGENTS = Path("Library/LaunchAgents")
"""Below a user's home."""
MANAGERS = ("launchd", "none")
STOP_SECONDS = 300
"""As under systemd: sessions end well before, and a removal may be under way."""
_UMASK = 0o077


def entry(home: Path, name: str, is_root: bool) -> Path:
    """Return the property list that registers an installation. home: of its user."""
    return (DAEMONS if is_root else home / AGENTS) / f"{name}.plist"


def property_list(directory: Path, name: str) -> bytes:
    """Return the property list: started when it is loaded, and again whenever it ends.

    What is started is the installation's own script, which is also who removes it once the
    agent ends with the removal status: as root, for a daemon, though the agent itself never
    is.
    """
    job: Dict[str, Any] = {
        "Label": name,
        "ProgramArguments": ["/bin/sh", str(directory / "init-script"), "launched"],
        "RunAtLoad": True,
        "KeepAlive": True,
        "WorkingDirectory": "/",
        "Umask": _UMASK,
        "ExitTimeOut": STOP_SECONDS,
        # Anything less is slowed down when the Mac is busy, and so were its sessions.
        "ProcessType": "Interactive",
    }
    return plistlib.dumps(job)


def session(uid: int) -> Tuple[str, ...]:
    """Return the command that fails unless that user is logged in at the Mac's screen: it is
    there that a user's agents run."""
    return ("/bin/launchctl", "print", f"gui/{uid}")
