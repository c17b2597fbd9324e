"""The real `.bin` on this machine: every failure leaves nothing, and so does a removal."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import build_payload
import pytest
from tremplin_agent.codes import FAILURES, Code
from tremplin_agent.platform.linux import platform_name

from tests.boxes import NOWHERE, Box, box, payload, unprivileged
from tests.serving import until

KEY = f"--key-info={NOWHERE}"
BAD_WORDS: list[tuple[Code, list[str]]] = [
    (Code.INSTALL_USAGE, ["--bogus"]),
    (Code.INSTALL_USAGE, ["word"]),
    (Code.INSTALL_USAGE, ["--jc-tag"]),
    (Code.INSTALL_BAD_VALUE, ["--install-dir="]),
    (Code.INSTALL_BAD_VALUE, ["--user="]),
    (Code.INSTALL_BAD_VALUE, [f"--jc-jump-group={'g' * 256}"]),
    (Code.INSTALL_BAD_VALUE, ["--jc-tag", "t" * 65]),
    (Code.INSTALL_BAD_VALUE, ["--jc-comments", "c" * 1025]),
    (Code.INSTALL_BAD_VALUE, ["--jc-name="]),
    (Code.INSTALL_BAD_VALUE, ["--jc-external-id="]),
    (Code.INSTALL_BAD_VALUE, ["--jc-jump-policy", "a b"]),
    (Code.INSTALL_BAD_VALUE, ["--jc-session-policy", "a b"]),
    (Code.INSTALL_BAD_VALUE, ["--jc-max-offline-minutes", "soon"]),
    (Code.INSTALL_BAD_VALUE, ["--jc-ephemeral=perhaps"]),
    (Code.INSTALL_BAD_VALUE, ["--online-install=perhaps"]),
    (Code.INSTALL_BAD_VALUE, ["--scope", "world"]),
    (Code.INSTALL_BAD_VALUE, ["--startup", "upstart"]),
    (Code.INSTALL_KEY_MISSING, []),
    (Code.INSTALL_KEY_DAMAGED, ["--key-info", "bm90IGl0"]),
    (Code.INSTALL_KEY_DAMAGED, [f"--key-info={NOWHERE[:-7]}"]),
    (Code.INSTALL_USER_MISSING, ["--user", "no-such-user", KEY]),
    (Code.INSTALL_NEEDS_ROOT, ["--user", "daemon", KEY]),
    (Code.INSTALL_NEEDS_ROOT, ["--scope", "system", KEY]),
    (Code.INSTALL_NEEDS_ROOT, ["--startup", "sysv", KEY]),
    (Code.INSTALL_NEEDS_ROOT, ["--startup", "openrc", KEY]),
    (Code.INSTALL_DIR_EXISTS, ["--install-dir", "/etc", KEY]),
    (Code.INSTALL_DIR_NOT_WRITABLE, ["--install-dir", "/etc/no/such", KEY]),
    (Code.INSTALL_DIR_NOT_WRITABLE, ["--install-dir", "/etc/passwd/x", KEY]),
    (Code.INSTALL_SERVER_UNREACHABLE, ["--online-install", "--startup", "none", KEY]),
]


@pytest.fixture
def place() -> Iterator[Box]:
    with box() as made:
        yield made


@pytest.fixture
def system_log() -> Iterator[socket.socket]:
    """What listens where the system log is, on a machine that has none."""
    path = Path("/dev/log")
    if os.geteuid() != 0 or path.exists():
        pytest.skip("this machine's own system log is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        path.chmod(0o666)
        log.settimeout(5)
        yield log
    path.unlink()


def _line_with(text: str, log: socket.socket) -> str:
    """Return the next line of the log if it has this text: others log too."""
    line = log.recv(4096).decode()
    return line if text in line else ""


def lines(text: str) -> list[str]:
    return text.splitlines()


@pytest.mark.parametrize(("code", "words"), BAD_WORDS)
def test_a_failure_is_one_line_and_leaves_nothing(place: Box, code: Code, words: list[str]) -> None:
    done = place.run(*words)
    assert done.returncode == FAILURES[code].exit_status, done.stderr
    (line,) = lines(done.stderr)
    assert code.value in line
    assert done.stdout == ""
    assert place.contents() == []
    assert place.agents() == []


def test_the_reason_is_in_the_system_log_as_well(place: Box, system_log: socket.socket) -> None:
    done = place.run("--key-info", "bm90IGl0")
    reason = lines(done.stderr)[0].split(": ", 1)[1]
    line = until(lambda: _line_with(reason, system_log), "its line")
    assert "tremplin-installer" in line


def test_it_speaks_french(place: Box) -> None:
    done = place.run(language="fr_FR.UTF-8")
    assert "cet installeur générique exige --key-info" in done.stderr


def test_a_directory_of_somebody_else_is_respected(place: Box) -> None:
    place.home.chmod(0o555)
    if os.geteuid() == 0:
        os.chown(place.home, 0, 0)
    done = place.install()
    assert done.returncode == FAILURES[Code.INSTALL_DIR_NOT_WRITABLE].exit_status


def test_another_machine_is_refused_by_the_header_alone(place: Box) -> None:
    content = place.installer.read_bytes()
    start = content.index(b'TREMPLIN_PLATFORM="') + len(b'TREMPLIN_PLATFORM="')
    place.installer.write_bytes(
        content[:start] + b"sunos-64" + content[content.index(b'"', start) :]
    )
    for language, words in (("C", "this installer is made for"), ("fr_FR", "cet installeur est")):
        done = place.run(language=language)
        assert done.returncode == FAILURES[Code.INSTALL_PLATFORM].exit_status
        assert "install.platform" in done.stderr
        assert words in done.stderr
        assert len(lines(done.stderr)) == 1


def test_a_host_without_python_is_told_so_by_the_header_alone(place: Box) -> None:
    content = place.installer.read_bytes()
    place.installer.write_bytes(
        content.replace(b"-I -S -c 'import sys, os", b"-I -S -c 'import no, os")
    )
    for language, words in (("C", "no CPython 3.9"), ("fr_FR", "aucun CPython 3.9")):
        done = place.run(language=language)
        assert done.returncode == FAILURES[Code.INSTALL_PYTHON_MISSING].exit_status
        assert words in done.stderr
        assert len(lines(done.stderr)) == 1


def test_help_has_every_parameter_and_examples(place: Box) -> None:
    done = place.run("--help")
    assert done.returncode == 0
    for word in ("--jc-max-offline-minutes", "--startup", "examples:", "install.dir_exists"):
        assert word in done.stdout
    assert "linux-64" in place.run("--version").stdout or "linux-arm64" in done.stdout


def test_root_must_say_who_runs_it(place: Box) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    done = place.run(KEY, as_root=True)
    assert done.returncode == FAILURES[Code.INSTALL_ROOT_NEEDS_USER].exit_status
    warning, reason = lines(done.stderr)
    assert "never runs as root" in warning
    assert "--user NAME" in reason
    assert "--scope system" in reason


def test_root_may_not_name_root_nor_a_user_without_rights(place: Box) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    done = place.run(KEY, "--user", "root", as_root=True)
    assert done.returncode == FAILURES[Code.INSTALL_BAD_VALUE].exit_status
    closed = place.root / "closed"
    closed.mkdir(mode=0o700)
    target = str(closed / "jc")
    done = place.run(KEY, "--user", place.user, "--install-dir", target, as_root=True)
    assert done.returncode == FAILURES[Code.INSTALL_USER_NO_RIGHTS].exit_status
    assert list(closed.iterdir()) == []


def test_the_payload_is_small_and_always_the_same(tmp_path: Path) -> None:
    built = payload()
    assert built.stat().st_size <= 15_000_000
    again = build_payload.build(platform_name(), tmp_path, built.parent.parent / "wheels")
    assert again.read_bytes() == built.read_bytes()
    assert again.read_bytes().count(b"@" * build_payload.SLOT_SIZE) == 1


# --- an installation ------------------------------------------------------------------


def test_a_life(place: Box) -> None:
    done = place.install("--jc-tag", "web")
    assert done.returncode == 0, done.stderr
    directory = place.directory
    facts = json.loads((directory / "install.json").read_text())
    assert facts["complete"] is True
    assert facts["user"] == unprivileged()
    assert facts["parameters"]["jc_tag"] == "web"
    assert NOWHERE not in (directory / "install.json").read_text()
    assert stat.S_IMODE((directory / "var").stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "var/key-info").stat().st_mode) == 0o600
    until(lambda: len(place.agents()) == 1, "the agent")

    assert place.script("status").returncode == 0
    assert place.script("start").returncode == 0
    assert len(place.supervisors()) == 1
    before = place.agents()
    assert place.script("restart").returncode == 0
    until(lambda: place.agents() and place.agents() != before, "another agent")
    assert place.script("stop").returncode == 0
    assert place.agents() == []
    assert place.script("stop").returncode == 0
    assert place.script("status").returncode == 3
    assert place.script("bogus").returncode == 2
    assert place.script("start").returncode == 0

    done = place.uninstall()
    assert done.returncode == 0
    assert done.stderr == ""
    assert place.contents() == []
    place.until_gone()


def test_a_stamped_installer_needs_no_key_info(place: Box) -> None:
    content = place.installer.read_bytes()
    stamped = content.replace(b"@" * 1536, NOWHERE.encode().ljust(1536), 1)
    assert len(stamped) == len(content)
    place.installer.write_bytes(stamped)
    done = place.run("--install-dir", str(place.directory), "--startup", "none", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (place.directory / "var/key-info").read_text().strip() == NOWHERE


def test_a_second_installation_into_the_same_directory_is_refused(place: Box) -> None:
    assert place.install().returncode == 0
    done = place.install()
    assert done.returncode == FAILURES[Code.INSTALL_DIR_EXISTS].exit_status
    assert place.script("status").returncode == 0


def test_a_crashed_agent_is_started_again(place: Box) -> None:
    place.install()
    (agent,) = until(place.agents, "the agent")
    os.kill(agent, signal.SIGKILL)
    until(lambda: place.agents() not in ([], [agent]), "another agent")


def test_an_agent_that_decided_to_go_is_removed(place: Box) -> None:
    place.install()
    place.script("stop")
    (place.directory / "var/removing").touch()
    place.script("start")
    place.until_gone()
    assert place.contents() == []


def test_a_removal_that_was_cut_goes_on_at_the_next_start(place: Box) -> None:
    place.install()
    place.script("stop")
    (place.directory / "removing").write_text("local\n")
    for path in (place.directory / "lib/tremplin_agent").glob("*.py"):
        path.unlink()
    place.script("start")
    place.until_gone()


@pytest.mark.parametrize("left", ["all", "no lib", "no var", "no init-script"])
def test_uninstall_finishes_whatever_is_left(place: Box, left: str) -> None:
    place.install()
    gone = {"no lib": "lib", "no var": "var", "no init-script": "init-script"}.get(left)
    place.script("stop")
    if gone:
        (place.directory / gone).rename(place.home / "gone")
    done = place.uninstall("--local", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert not place.directory.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_installation_leaves_nothing(place: Box, number: signal.Signals) -> None:
    words = (KEY, "--install-dir", str(place.directory), "--startup", "none")
    with place.start(*words) as process:
        until(lambda: any("partial" in name for name in place.contents()), "the first files")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == FAILURES[Code.INSTALL_INTERNAL].exit_status
    assert number.name in said
    assert place.contents() == []


@pytest.mark.parametrize("moment", ["partial", "/psutil", "jump client/install.json"])
def test_the_next_installation_clears_what_a_power_cut_left(place: Box, moment: str) -> None:
    words = (KEY, "--install-dir", str(place.directory), "--startup", "none")
    with place.start(*words) as process:
        until(lambda: any(moment in name for name in place.contents()), moment)
        process.kill()
        process.communicate(timeout=60)
    if (place.directory / "install.json").exists():
        facts = json.loads((place.directory / "install.json").read_text())
        if facts["complete"]:
            pytest.skip("it was too quick to be cut")
    done = place.install()
    assert done.returncode == 0, done.stderr
    assert [name for name in place.contents() if "partial" in name] == []
    assert place.script("status").returncode == 0
