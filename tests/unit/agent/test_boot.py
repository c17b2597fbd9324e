"""Boot entries: texts, and what `auto` takes on which host."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tremplin_agent.platform import linux_boot

ODD = Path('/srv/o\'dd "dir" 100% $HOME')


@pytest.mark.parametrize(
    ("files", "is_root", "has_crontab", "expected"),
    [
        (["run/systemd/system/"], True, True, ("systemd", "cron", "none")),
        (["run/systemd/system/"], False, True, ("systemd", "cron", "none")),
        (["sbin/openrc-run", "etc/init.d/", "usr/sbin/update-rc.d"], True, True,
         ("openrc", "cron", "none")),
        (["etc/init.d/", "usr/sbin/update-rc.d"], True, True, ("sysv", "cron", "none")),
        (["etc/init.d/", "etc/rc2.d/"], True, False, ("sysv", "none")),
        (["etc/init.d/"], True, False, ("none",)),
        (["sbin/openrc-run", "etc/init.d/", "usr/sbin/update-rc.d"], False, True,
         ("cron", "none")),
        (["etc/init.d/", "usr/sbin/update-rc.d"], False, False, ("none",)),
    ],
)  # fmt: skip
def test_auto(
    tmp_path: Path, files: list[str], is_root: bool, has_crontab: bool, expected: tuple[str, ...]
) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.touch()
    assert linux_boot.detect(tmp_path, is_root, has_crontab) == expected


def test_each_directory_has_a_name_of_its_own() -> None:
    one = linux_boot.service_name(Path("/opt/a"))
    assert one != linux_boot.service_name(Path("/opt/b"))
    assert one.startswith("tremplin-jump-client-")
    assert len(one) == len("tremplin-jump-client-") + 8


def test_a_system_unit_runs_as_the_user_and_removes_as_root() -> None:
    unit = linux_boot.systemd_unit(Path("/opt/jc"), "deploy", system=True)
    assert "\nUser=deploy\n" in unit
    assert '\nExecStart=/bin/sh "/opt/jc/init-script" run\n' in unit
    assert '\nExecStopPost=+/bin/sh "/opt/jc/init-script" reap\n' in unit
    assert "\nWantedBy=multi-user.target\n" in unit


def test_a_user_unit_has_no_privileges() -> None:
    unit = linux_boot.systemd_unit(Path("/home/u/jc"), "u", system=False)
    assert "User=" not in unit
    assert "+" not in unit
    assert "\nWantedBy=default.target\n" in unit


def test_odd_directories_are_quoted() -> None:
    unit = linux_boot.systemd_unit(ODD, "u", system=True)
    assert '"/srv/o\'dd \\"dir\\" 100%% $$HOME/init-script"' in unit
    assert "100\\%" in linux_boot.cron_line(ODD, "n")


@pytest.mark.parametrize("make", [linux_boot.sysv_script, linux_boot.openrc_script])
@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_scripts_are_shell(make: object, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(make(ODD, "tremplin-jump-client-0"))  # type: ignore[operator]
    subprocess.run(["sh", "-n", str(path)], check=True)


def test_the_sysv_header_is_what_insserv_reads() -> None:
    script = linux_boot.sysv_script(Path("/opt/jc"), "name")
    for line in ("BEGIN INIT INFO", "Provides:          name", "Default-Start:     2 3 4 5", "END"):
        assert line in script
