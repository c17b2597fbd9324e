"""The unprivileged account of `--scope system`: made when missing, counted by use.

A registry under /var/lib, or /var/db on a Mac, names the installations that run as it;
`init-script.sh` takes the account away with the last of them, if an installer made it.
"""

from __future__ import annotations

import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

from tremplin_agent.codes import Code
from tremplin_agent.installer.checks import ACCOUNT, Runner
from tremplin_agent.platform import macos_accounts
from tremplin_agent.refusal import Refusal
from tremplin_agent.store import write_durably

REGISTRY = Path("/var/db" if sys.platform == "darwin" else "/var/lib") / "tremplin-jump-client"
MADE = "account-made"


def ensure(name: str, directory: Path) -> Runner:
    """Return the account, made if need be, and note that `directory` uses it.

    name: the service name of the installation.
    """
    REGISTRY.mkdir(mode=0o755, exist_ok=True)
    write_durably(REGISTRY / name, f"{directory}\n".encode(), 0o644)
    try:
        found = pwd.getpwnam(ACCOUNT)
    except KeyError:
        # Noted before it is made: a power cut in between leaves a note, not an account.
        write_durably(REGISTRY / MADE, b"", 0o644)
        _make()
        found = pwd.getpwnam(ACCOUNT)
    return Runner(found.pw_name, found.pw_uid, found.pw_gid)


def _make() -> None:
    try:
        for command in _on_a_mac() if sys.platform == "darwin" else [_on_linux()]:
            subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        detail = (getattr(error, "stderr", "") or str(error)).strip()
        raise Refusal(
            Code.INSTALL_INTERNAL, detail=f"the account {ACCOUNT} cannot be made: {detail}"
        ) from error


def _on_a_mac() -> List[List[str]]:
    listed = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
        for command in macos_accounts.LISTINGS
    ]
    return macos_accounts.creation(macos_accounts.free_id(listed))


def _on_linux() -> List[str]:
    nologin = next(
        (shell for shell in ("/usr/sbin/nologin", "/sbin/nologin") if Path(shell).exists()),
        "/bin/false",
    )
    if shutil.which("useradd"):
        return [
            "useradd", "--system", "--user-group", "--no-create-home",
            "--home-dir", "/nonexistent", "--shell", nologin,
            "--comment", "Tremplin Jump Client", ACCOUNT,
        ]  # fmt: skip
    return ["adduser", "-S", "-D", "-H", "-h", "/nonexistent", "-s", nologin, ACCOUNT]
