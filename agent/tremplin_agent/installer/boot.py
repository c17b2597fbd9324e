"""Registers an installation with what starts it at boot.

What is made here is unmade by `init-script.sh`, which has to work without Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Dict, List, Optional

from tremplin_agent.codes import Code
from tremplin_agent.installation import Installation
from tremplin_agent.platform import linux_boot, macos_boot
from tremplin_agent.refusal import Refusal
from tremplin_agent.store import write_durably

COMMAND_SECONDS = 60
USER_MANAGER_SECONDS = 15
LINGER = Path("/var/lib/systemd/linger")


def boot_entry(manager: str, name: str, is_root: bool) -> str:
    """Return the file, or the crontab, that registering makes."""
    if manager == "systemd":
        return str(_units(is_root) / f"{name}.service")
    if manager in ("sysv", "openrc"):
        return str(linux_boot.INIT_SCRIPTS / name)
    if manager == "launchd":
        return str(macos_boot.entry(Path.home(), name, is_root))
    return "crontab" if manager == "cron" else ""


def needs_linger(manager: str, is_root: bool, user: str) -> bool:
    """Return whether the user's units would stop when the user leaves."""
    return manager == "systemd" and not is_root and not (LINGER / user).exists()


def register(installation: Installation) -> None:
    """Make the boot entry; Refusal (install.startup) when the host will not have it."""
    makers = {
        "systemd": _systemd,
        "sysv": _sysv,
        "openrc": _openrc,
        "cron": _cron,
        "launchd": _launchd,
    }
    maker = makers.get(installation.startup)
    if maker is None:
        return
    try:
        maker(installation)
    except (OSError, subprocess.SubprocessError) as error:
        raise Refusal(
            Code.INSTALL_STARTUP, manager=installation.startup, detail=_reason(error)
        ) from error


def _reason(error: Exception) -> str:
    said: Optional[str] = getattr(error, "stderr", None)
    return (said or "").strip() or str(error)


def _run(*command: str, stdin: Optional[str] = None) -> str:
    """Run a command of the host; its output. Raises when it fails or takes too long."""
    environment: Dict[str, str] = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    environment.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    return subprocess.run(  # noqa: S603 - fixed words and names that we made
        list(command),
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=COMMAND_SECONDS,
    ).stdout


def _units(is_root: bool) -> Path:
    if is_root:
        return linux_boot.SYSTEM_UNITS
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "systemd/user"


def _systemd(installation: Installation) -> None:
    system = installation.installed_by == "root"
    systemctl: List[str] = ["systemctl"] if system else ["systemctl", "--user"]
    if not system and installation.linger_made:
        _run("loginctl", "enable-linger")
        _await_user_manager()
    unit = Path(installation.boot_entry)
    unit.parent.mkdir(parents=True, exist_ok=True)
    text = linux_boot.systemd_unit(installation.directory, installation.user, system)
    write_durably(unit, text.encode(), 0o644)
    _run(*systemctl, "daemon-reload")
    _run(*systemctl, "enable", unit.name)


def _await_user_manager() -> None:
    """Wait until the manager that lingering starts can be spoken to."""
    end = time.monotonic() + USER_MANAGER_SECONDS
    while not Path(f"/run/user/{os.geteuid()}/systemd/private").exists():
        if time.monotonic() > end:
            raise OSError("the user's service manager does not start")
        time.sleep(0.1)


def _sysv(installation: Installation) -> None:
    script = Path(installation.boot_entry)
    text = linux_boot.sysv_script(installation.directory, installation.name)
    write_durably(script, text.encode(), 0o755)
    if shutil.which("update-rc.d"):
        _run("update-rc.d", installation.name, "defaults")
    elif shutil.which("insserv"):
        _run("insserv", installation.name)
    else:
        _rc_links(script)


def _rc_links(script: Path) -> None:
    """Make the links of the run levels by hand, where no tool does it."""
    for level in "0123456":
        directory = Path(f"/etc/rc{level}.d")
        if directory.is_dir():
            prefix = "S80" if level in "2345" else "K20"
            (directory / (prefix + script.name)).symlink_to(script)


def _openrc(installation: Installation) -> None:
    script = Path(installation.boot_entry)
    text = linux_boot.openrc_script(installation.directory, installation.name)
    write_durably(script, text.encode(), 0o755)
    _run("rc-update", "add", installation.name, "default")


def _cron(installation: Installation) -> None:
    try:
        before = _run("crontab", "-l")
    except subprocess.CalledProcessError:
        before = ""
    line = linux_boot.cron_line(installation.directory, installation.name)
    _run("crontab", "-", stdin=before + line + "\n")


def _launchd(installation: Installation) -> None:
    """Write the property list; `init-script start` has it loaded."""
    if installation.installed_by != "root":
        try:
            _run(*macos_boot.session(os.geteuid()))
        except subprocess.CalledProcessError as error:
            raise OSError(f"{installation.user} is not logged in at this Mac's screen") from error
    entry = Path(installation.boot_entry)
    entry.parent.mkdir(parents=True, exist_ok=True)
    text = macos_boot.property_list(installation.directory, installation.name)
    write_durably(entry, text, 0o644)
