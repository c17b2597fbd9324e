"""The shell of a Mac's installation, run by the shells that macOS has as /bin/sh.

The commands that only a Mac has are stood in for by ones that note their words and behave
as their manuals say. The agent is a program of three lines; all else is what is installed.
"""

from __future__ import annotations

import os
import pwd
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from build_payload import header
from tremplin_agent.installation import Installation
from tremplin_agent.installer import scripts
from tremplin_agent.platform import macos

from tests.serving import until

NAME = "tremplin-jump-client-01234567"
LAUNCHCTL = """\
printf '%s\\n' "launchctl $*" >>"$LOG"
case $1 in
print) [ -e "$STATE" ] || exit 113; printf '\\tstate = %s\\n' "$(cat "$STATE")" ;;
bootstrap) [ ! -e "$STATE" ] || exit 37; [ -e "$3" ] || exit 5; echo running >"$STATE" ;;
kickstart) [ -e "$STATE" ] || exit 113; echo running >"$STATE" ;;
bootout) [ -e "$STATE" ] || exit 113; rm "$STATE" ;;
esac
"""
NOTED = 'printf \'%s\\n\' "${0##*/} $*" >>"$LOG"\n'
AGENT = """\
import os, sys, time
open(os.environ["LOG"], "a").write("agent " + " ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "run":
    plan = os.environ["PLAN"]
    sys.exit(int(plan)) if plan != "stay" else time.sleep(60)
"""


@pytest.fixture(params=["dash", "bash --posix"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    """What /bin/sh may be on a Mac."""
    return str(request.param).split()


class Mac:
    """An installation, and what stands for a Mac around it."""

    def __init__(self, place: Path, shell: list[str], startup: str = "launchd") -> None:
        self.shell = shell
        self.place = place
        self.directory = place / "made" / "it's here"
        self.entry = place / "LaunchDaemons" / f"{NAME}.plist"
        self._log, self.state = place / "log", place / "state"
        self.environment = {
            "PATH": f"{self._commands()}:/usr/bin:/bin:/usr/sbin:/sbin",
            "LOG": str(self._log),
            "STATE": str(self.state),
            "PLAN": "stay",
            "LC_ALL": "C",
        }
        self._install(startup)

    def _commands(self) -> Path:
        commands = self.place / "bin"
        commands.mkdir()
        for name, body in {
            "launchctl": LAUNCHCTL,
            "dscl": NOTED,
            "logger": ":\n",
            "stat": '/usr/bin/stat -L -c %u "$4"\n',
        }.items():
            (commands / name).write_text(f"#!/bin/sh\n{body}")
            (commands / name).chmod(0o755)
        return commands

    def _install(self, startup: str) -> None:
        me = pwd.getpwuid(os.geteuid()).pw_name
        facts = Installation(
            install_dir=str(self.directory), user=me, scope="system", startup=startup,
            name=NAME, platform="macos-arm64", python=sys.executable,
            installed_by="root" if os.geteuid() == 0 else "user",
            boot_entry=str(self.entry), made_parents=[str(self.directory.parent)], complete=True,
        )  # fmt: skip
        for path in (self.directory / "lib", self.directory / "var", self.entry.parent):
            path.mkdir(parents=True)
        self.entry.write_text("a property list")
        (self.directory / "lib/__main__.py").write_text(AGENT)
        (self.directory / "var/state.json").write_text("{}")
        (self.directory / "install.json").write_text(facts.dump())
        for name in ("uninstall", "init-script"):
            text = scripts.render(f"{name}.sh", replace(facts))
            # A Mac has no /proc, and no /run.
            text = text.replace("/proc/self", "/no/proc").replace("-d /run ]", "-d /no/run ]")
            text = text.replace("exec /bin/sh", "exec " + " ".join(self.shell))
            text = text.replace("/var/run/", f"{self.place}/")
            (self.directory / name).write_text(text)

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start the script."""
        return subprocess.Popen(
            [*self.shell, str(self.directory / words[0]), *words[1:]],
            env=self.environment | environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *words: str, **environment: str) -> int:
        """Run the script to its end; the exit status."""
        with self.start(*words, **environment) as running:
            said = running.communicate(timeout=30)[0]
        assert "not found" not in said, said
        return running.returncode

    def has_run(self) -> bool:
        """Return whether the agent has begun."""
        return self._log.exists() and "agent run\n" in self._log.read_text()

    def said(self) -> list[str]:
        """Return the commands since the last call, less the questions."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("launchctl print")]


DOMAIN = "system" if os.geteuid() == 0 else f"gui/{os.geteuid()}"


@pytest.fixture
def mac(tmp_path: Path, shell: list[str]) -> Mac:
    return Mac(tmp_path, shell)


def test_start_stop_and_status(mac: Mac) -> None:
    assert mac.run("init-script", "status") == 3
    assert mac.run("init-script", "start") == 0
    assert mac.said() == [
        f"launchctl bootstrap {DOMAIN} {mac.entry}",
        f"launchctl kickstart {DOMAIN}/{NAME}",
    ]
    assert mac.run("init-script", "status") == 0
    mac.state.write_text("spawn scheduled\n")
    assert mac.run("init-script", "status") == 1
    assert mac.run("init-script", "start") == 0, "what waits for its next start is not kept waiting"
    assert mac.said() == [f"launchctl kickstart {DOMAIN}/{NAME}"]
    assert mac.run("init-script", "restart") == 0
    assert [line.split()[1] for line in mac.said()] == ["bootout", "bootstrap", "kickstart"]
    assert mac.run("init-script", "stop") == 0
    assert mac.run("init-script", "status") == 3


def test_a_removal_by_hand_leaves_nothing(mac: Mac) -> None:
    assert mac.run("init-script", "start") == 0
    mac.said()
    assert mac.run("uninstall", "--quiet") == 0
    said = mac.said()
    assert said[0] == f"launchctl bootout {DOMAIN}/{NAME}"
    assert "agent farewell by_hand" in said
    assert not mac.directory.parent.exists()
    assert not mac.entry.exists()
    assert not mac.state.exists()


def test_an_agent_that_was_deleted_takes_everything_along(mac: Mac) -> None:
    assert mac.run("init-script", "start") == 0
    mac.said()
    assert mac.run("init-script", "launched", PLAN="86") == 0
    said = mac.said()
    assert said[:2] == ["agent run", "agent farewell by_agent"]
    assert said[-1] == f"launchctl bootout {DOMAIN}/{NAME}", "it is what ends this very shell"
    assert not mac.directory.parent.exists()
    assert not mac.entry.exists()


def test_launchd_sees_a_failure_and_starts_it_again(mac: Mac) -> None:
    assert mac.run("init-script", "launched", PLAN="7") == 7
    assert mac.said() == ["agent run"]
    assert mac.directory.exists()


def test_an_installation_that_was_cut_goes_at_its_start(mac: Mac) -> None:
    (mac.directory / "removing").write_text("local\n")
    mac.run("init-script", "launched")
    assert not mac.directory.exists()
    assert not mac.entry.exists()


def test_launchd_stops_the_agent_too(mac: Mac) -> None:
    with mac.start("init-script", "launched") as running:
        until(mac.has_run, "the agent runs", 20)
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) != 0
    assert mac.said() == ["agent run"]
    assert mac.directory.exists()


@pytest.fixture
def unmanaged(tmp_path: Path, shell: list[str]) -> Iterator[Mac]:
    mac = Mac(tmp_path, shell, startup="none")
    yield mac
    if mac.directory.exists():
        mac.run("init-script", "stop")


def test_without_launchd_and_without_proc(unmanaged: Mac) -> None:
    assert unmanaged.run("init-script", "status") == 3
    assert unmanaged.run("init-script", "start") == 0
    assert unmanaged.run("init-script", "status") == 0
    until(unmanaged.has_run, "the agent runs", 20)
    assert unmanaged.run("init-script", "start") == 0
    assert unmanaged.run("init-script", "stop") == 0
    assert unmanaged.run("init-script", "status") == 3
    assert [line for line in unmanaged.said() if line == "agent run"] == ["agent run"]


# --- the header -----------------------------------------------------------------------


class Header:
    """The shell header of a Mac's installer, on a machine that says it is one."""

    def __init__(self, place: Path, shell: list[str], platform: str) -> None:
        self._shell, self._place = shell, place
        text = header(platform).decode().replace(" ".join(macos.PYTHONS), str(place / "python.org"))
        self._file = place / "installer.bin"
        self._file.write_text(text)
        self.path = "/usr/bin:/bin"
        self.command("logger", ":")

    def command(self, name: str, body: str) -> Path:
        """Make a command that comes before those of the system."""
        commands = self._place / "bin"
        commands.mkdir(exist_ok=True)
        (commands / name).write_text(f"#!/bin/sh\n{body}\n")
        (commands / name).chmod(0o755)
        return commands / name

    def is_a(self, machine: str, is_apple: bool) -> None:
        """Say what kind of Mac it is. machine: what `uname -m` says there."""
        self.command("uname", f"case $1 in -s) echo Darwin ;; *) echo {machine} ;; esac")
        self.command("sysctl", "echo 1" if is_apple else "exit 1")
        self.command("stat", '/usr/bin/stat -L -c %u "$4"')

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it, every command shown."""
        return subprocess.run(
            [*self._shell, "-x", str(self._file), *words], capture_output=True, text=True,
            env={"PATH": f"{self._place / 'bin'}:{self.path}", "LC_ALL": "C"},
        )  # fmt: skip


PYTHON = f"""\
case $3 in -c) exec {shlex.quote(sys.executable)} -I -S -c \
'import os; os.uname = lambda: type("", (), {{"machine": "MACHINE"}})
'"$4" "$5" ;;
esac
shift 3; printf '<%s>' "$@"
"""


@pytest.mark.parametrize(
    ("platform", "machine", "is_apple", "python", "status"),
    [
        ("macos-arm64", "arm64", True, "arm64", 0),
        ("macos-arm64", "x86_64", True, "arm64", 0),
        ("macos-arm64", "arm64", True, "x86_64", 40),
        ("macos-64", "x86_64", False, "x86_64", 0),
        ("macos-64", "x86_64", True, "x86_64", 41),
        ("macos-arm64", "x86_64", False, "x86_64", 41),
        ("linux-64", "x86_64", False, "x86_64", 41),
    ],
)
def test_each_mac_gets_its_own(
    tmp_path: Path,
    shell: list[str],
    platform: str,
    machine: str,
    is_apple: bool,
    python: str,
    status: int,
) -> None:
    made = Header(tmp_path, shell, platform)
    made.is_a(machine, is_apple)
    made.command("../python.org", PYTHON.replace("MACHINE", python))
    done = made.run("--jc-tag", "two words", "--", "")
    assert done.returncode == status, done.stderr
    if status == 0:
        assert done.stdout == f"<{tmp_path}/installer.bin><--jc-tag><two words><--><>"
    else:
        word = "install.platform" if status == 41 else "install.python_missing"
        assert f"tremplin-installer: {word}: " in done.stderr


def test_the_stub_of_apple_is_left_alone(tmp_path: Path, shell: list[str]) -> None:
    made = Header(tmp_path, shell, "macos-arm64")
    made.is_a("arm64", True)
    made.path = "/usr/bin:/bin"
    (tmp_path / "bin/python3").unlink(missing_ok=True)
    done = made.run()
    assert done.returncode == 40
    assert "/usr/bin/python3 -I" not in done.stderr


def test_a_python_on_the_way_is_found(tmp_path: Path, shell: list[str]) -> None:
    made = Header(tmp_path, shell, "macos-arm64")
    made.is_a("arm64", True)
    python = made.command("python3", PYTHON.replace("MACHINE", "arm64"))
    assert made.run("--quiet").stdout == f"<{tmp_path}/installer.bin><--quiet>"
    if os.geteuid() == 0:
        os.chown(python, 501, 20)
        assert made.run("--quiet").returncode == 40, "root runs no Python of a person's"
