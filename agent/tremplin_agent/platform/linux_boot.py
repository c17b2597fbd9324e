"""What starts a Jump Client at boot: systemd, SysV, OpenRC or cron.

Texts and file names are pure; `tremplin_agent.installer.boot` writes and registers them.
The removal of each is in `installer/init-script.sh`, which must do without Python.
"""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Tuple

SYSTEM_UNITS = Path("/etc/systemd/system")
INIT_SCRIPTS = Path("/etc/init.d")


def service_name(directory: Path) -> str:
    """Return the name under which an installation is registered, one per directory."""
    digest = hashlib.sha256(str(directory).encode()).hexdigest()
    return f"tremplin-jump-client-{digest[:8]}"


def detect(root: Path, is_root: bool, has_crontab: bool) -> Tuple[str, ...]:
    """Return the managers to try on this host, best first.

    root: `/`, or a tree that looks like it. Without root only a user's own means count.
    """
    found = []
    if (root / "run/systemd/system").is_dir():
        found.append("systemd")
    elif is_root and (root / "sbin/openrc-run").exists():
        found.append("openrc")
    elif is_root and (root / "etc/init.d").is_dir() and _has_rc_links(root):
        found.append("sysv")
    if has_crontab:
        found.append("cron")
    return (*found, "none")


def _has_rc_links(root: Path) -> bool:
    tools = ("usr/sbin/update-rc.d", "sbin/insserv", "usr/sbin/insserv", "etc/rc2.d")
    return any((root / tool).exists() for tool in tools)


def systemd_unit(directory: Path, user: str, system: bool) -> str:
    """Return the unit. user: who runs the agent, for a system unit.

    The `+` lines run as root whoever the agent runs as: that is how an unprivileged
    agent which ends with the removal status gets removed.
    """
    script = _systemd_quote(str(directory / "init-script"))
    privileged = "+" if system else ""
    identity = f"User={user}\n" if system else ""
    prepare = f"ExecStartPre=-+/bin/sh {script} prepare\n" if system else ""
    return (
        "[Unit]\n"
        f"Description=Tremplin Jump Client in {_systemd_escape(str(directory))}\n"
        "After=network.target\n"
        "StartLimitIntervalSec=0\n"
        "\n"
        "[Service]\n"
        "Type=simple\n"
        "SyslogIdentifier=tremplin-jump-client\n"
        f"{identity}{prepare}"
        f"ExecStart=/bin/sh {script} run\n"
        f"ExecStopPost={privileged}/bin/sh {script} reap\n"
        "Restart=always\n"
        "RestartSec=2\n"
        "RestartPreventExitStatus=86\n"
        "SuccessExitStatus=86 87\n"
        "TimeoutStartSec=600\n"
        "TimeoutStopSec=300\n"
        "KillMode=mixed\n"
        "UMask=0077\n"
        "\n"
        "[Install]\n"
        f"WantedBy={'multi-user' if system else 'default'}.target\n"
    )


def _systemd_escape(text: str) -> str:
    return text.replace("%", "%%")


def _systemd_quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_systemd_escape(escaped)}"'


def sysv_script(directory: Path, name: str) -> str:
    """Return the init script, with the header that insserv and update-rc.d read."""
    script = shlex.quote(str(directory / "init-script"))
    return (
        "#!/bin/sh\n"
        "### BEGIN INIT INFO\n"
        f"# Provides:          {name}\n"
        "# Required-Start:    $remote_fs $network\n"
        "# Required-Stop:     $remote_fs $network\n"
        "# Should-Start:      $syslog $named $time\n"
        "# Should-Stop:       $syslog\n"
        "# Default-Start:     2 3 4 5\n"
        "# Default-Stop:      0 1 6\n"
        "# Short-Description: Tremplin Jump Client\n"
        "### END INIT INFO\n"
        f"[ -e {script} ] || exit 5\n"
        f'exec /bin/sh {script} "$@"\n'
    )


def openrc_script(directory: Path, name: str) -> str:
    """Return the OpenRC script; the agent's supervisor is our own."""
    script = shlex.quote(str(directory / "init-script"))
    return (
        "#!/sbin/openrc-run\n"
        f'name="{name}"\n'
        'description="Tremplin Jump Client"\n'
        "\n"
        "depend() {\n"
        "    use net logger dns\n"
        "    after bootmisc\n"
        "}\n"
        "\n"
        "start() {\n"
        '    ebegin "Starting $name"\n'
        f"    /bin/sh {script} supervisor-start\n"
        "    eend $?\n"
        "}\n"
        "\n"
        "stop() {\n"
        '    ebegin "Stopping $name"\n'
        f"    /bin/sh {script} supervisor-stop\n"
        "    eend $?\n"
        "}\n"
        "\n"
        "status() {\n"
        f"    /bin/sh {script} supervisor-status\n"
        "}\n"
    )


def cron_line(directory: Path, name: str) -> str:
    """Return the crontab line. In a crontab a bare percent sign would end the command."""
    script = shlex.quote(str(directory / "init-script")).replace("%", "\\%")
    return f"@reboot /bin/sh {script} start # {name}"
