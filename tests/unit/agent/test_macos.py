"""The agent on a Mac: what it reads there, how launchd starts it. No Mac ran any of it."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tremplin_agent.codes import Code
from tremplin_agent.installer import checks
from tremplin_agent.platform import (
    macos,
    macos_accounts,
    macos_boot,
    macos_processes,
    macos_statistics,
)
from tremplin_agent.platform.syslog_lines import line
from tremplin_agent.refusal import Refusal

UUID = "4C4C4544-0051-3510-8058-B2C04F4D3534"
ODD = Path("/Users/zoé/a & b's <dir>")


@pytest.mark.parametrize(
    ("listing", "uuid"),
    [
        (plistlib.dumps([{"IOPlatformUUID": UUID, "IOPlatformSerialNumber": "C02X"}]), UUID),
        (plistlib.dumps([{"IOObjectClass": "IOPlatformExpertDevice"}]), ""),
        (plistlib.dumps({"IOPlatformUUID": UUID}), ""),
        (plistlib.dumps([]), ""),
        (b'<?xml version="1.0"?><plist><array><dict>', ""),
        (b"", ""),
    ],
)
def test_the_hardware_has_a_uuid(listing: bytes, uuid: str) -> None:
    assert macos.platform_uuid(listing) == uuid


def test_a_host_that_is_no_mac_has_no_identity_of_a_mac() -> None:
    macos.machine_id.cache_clear()
    assert macos.machine_id() == ""
    assert macos.hardware(Path("/opt/jc")) == ""


@pytest.mark.parametrize(
    ("owner", "shown"),
    [("zoe", "zoe"), ("root", ""), ("loginwindow", ""), ("_mbsetupuser", ""), ("", "")],
)
def test_who_sits_at_the_screen(owner: str, shown: str) -> None:
    assert macos.person(owner) == shown


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("fr_FR", "fr_FR.UTF-8"),
        ("en_GB@currency=EUR", "en_GB.UTF-8"),
        ("zh-Hans_CN", "zh_CN.UTF-8"),
        ("fr", "en_US.UTF-8"),
        ("", "en_US.UTF-8"),
        ("../x_FR", "en_US.UTF-8"),
    ],
)
def test_the_language_of_logins(locale: str, language: str) -> None:
    assert macos.language_of({"AppleLocale": locale}) == language
    assert macos.language_of({}) == "en_US.UTF-8"


def test_the_name_of_the_system() -> None:
    said = {"ProductName": "macOS", "ProductVersion": "15.1", "ProductBuildVersion": "24B83"}
    assert macos_statistics.named(said) == "macOS 15.1 (24B83)"
    assert macos_statistics.named({}) == "macOS"


def test_the_stub_of_apple_is_never_run() -> None:
    assert not [path for path in macos.PYTHONS if path.startswith("/usr/bin/")]


def test_lines_in_the_log_of_a_mac_have_the_name_in_them() -> None:
    assert line("tremplin-installer", "install.platform: x", "darwin").startswith(
        "tremplin-installer: install.platform"
    )
    assert line("tremplin-installer", "x", "linux") == "x"


# --- launchd --------------------------------------------------------------------------


@pytest.mark.parametrize("directory", [Path("/opt/tremplin-jump-client"), ODD])
def test_the_property_list(directory: Path) -> None:
    job = plistlib.loads(macos_boot.property_list(directory, "tremplin-jump-client-0"))
    assert job["Label"] == "tremplin-jump-client-0"
    assert job["ProgramArguments"] == ["/bin/sh", str(directory / "init-script"), "launched"]
    assert job["RunAtLoad"] is True
    assert job["KeepAlive"] is True
    assert "UserName" not in job, "root's script gives the agent to its user, and removes it"


def test_where_launchd_looks() -> None:
    home = Path("/Users/zoe")
    assert macos_boot.entry(home, "n", True) == Path("/Library/LaunchDaemons/n.plist")
    assert macos_boot.entry(home, "n", False) == home / "Library/LaunchAgents/n.plist"
    assert macos_boot.session(501)[1:] == ("print", "gui/501")


def test_launchd_is_for_macs_alone() -> None:
    assert checks.managers("darwin", True) == ("launchd", "none")
    assert "launchd" not in checks.managers("linux", True)
    with pytest.raises(Refusal) as refused:
        checks._managers("launchd", True)
    assert refused.value.code is Code.INSTALL_STARTUP


def test_root_runs_no_python_of_a_persons(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    python = tmp_path / "python3"
    python.touch(0o755)
    reachable = checks._is_public(python)
    assert checks._suits_root(python, "linux") is reachable
    assert checks._suits_root(python, "darwin") is (reachable and python.stat().st_uid == 0)
    if os.geteuid() == 0:
        os.chown(python, 501, 20)
        assert not checks._suits_root(python, "darwin")


# --- the account ----------------------------------------------------------------------

USERS = """\
_amavisd                        83
_analyticsd                     263
_tremplin                       499
daemon                          1
nobody                          -2
zoe                             501
"""
GROUPS = """\
_appserveradm           81
_of others              498
com.apple.access_ssh    399
"""


def test_a_number_that_nobody_has() -> None:
    assert macos_accounts.free_id([USERS, GROUPS]) == 497
    assert macos_accounts.free_id([]) == 499
    full = "\n".join(f"a {number}" for number in range(300, 500))
    with pytest.raises(ValueError, match="taken"):
        macos_accounts.free_id([full])


def test_the_account_is_made_by_words_without_a_shell() -> None:
    made = macos_accounts.creation(497)
    assert all(command[:3] == ["/usr/bin/dscl", ".", "-create"] for command in made)
    user = {c[4]: c[5] for c in made if c[3] == "/Users/_tremplin-jc"}
    group = {c[4]: c[5] for c in made if c[3] == "/Groups/_tremplin-jc"}
    assert (user["UniqueID"], user["PrimaryGroupID"]) == ("497", group["PrimaryGroupID"])
    assert user["UserShell"] == "/usr/bin/false"
    assert user["IsHidden"] == "1"


# --- processes: psutil tells them here as it does there -------------------------------


def _until(holds: Any) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_orphan_belongs_to_who_started_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sh` leaves a process behind and ends; the session that was made for it tells whose."""
    words = ["sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as started:
        assert started.stdout is not None
        orphan = int(started.stdout.readline())
        started.wait()
    try:
        plain = macos_processes.parents([])
        # Here something else than the first process may adopt it.
        monkeypatch.setattr(macos_processes, "_INIT", plain[orphan])
        assert macos_processes.parents([started.pid])[orphan] == os.getpid()
        assert plain[os.getpid()] == os.getppid()
    finally:
        os.kill(orphan, 9)


def test_a_process_that_has_ended_has_no_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        _until(lambda: ended.pid not in macos_processes.parents([]))
        assert ended.wait() == 0
