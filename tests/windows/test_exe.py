"""The EXE: the `.bin`'s switches, msiexec's own, and its exit status."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.agent_site import Site
from tests.windows.installing import EXE, FAILED, Windows
from tests.windows.wine import COMPILER

BAD_COMMAND_LINE = 1639


def run(windows: Windows, exe: Path, words: str, name: str = EXE) -> tuple[int, str]:
    """Run the EXE; its exit status and what it said."""
    windows.bring(exe, name)
    done = windows.machine.line(f"C:\\tests\\{name} {words}")
    return done.status, done.output


def test_both_forms_of_switches(windows: Windows, exe: Path, site: Site, name: str) -> None:
    key = site.key_info(name, allow_override_tag=True, allow_override_comments=True)
    words = f'--key-info {key} --jc-tag="a b" --jc-comments "two words" --online-install'
    assert run(windows, exe, f'{words} --install-dir "C:\\exe dir"') == (0, "")
    record = site.until_state(name, "online")
    assert (record["tag"], record["comments"]) == ("a b", "two words")
    assert record["install_dir"] == "C:\\exe dir"
    assert not list(windows.path("C:\\users").rglob("tremplin-*")), "it tidies up behind it"


def test_the_reason_of_a_failure_and_msiexecs_status(windows: Windows, exe: Path) -> None:
    status, said = run(windows, exe, "--jc-tag x")
    assert status == FAILED
    assert said.strip().startswith("tremplin-installer: install.key_missing: this generic")


@pytest.mark.parametrize("status", [1641, 3010])
def test_every_status_of_msiexec_is_passed_on(
    windows: Windows, exe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Wine's msiexec never asks for a restart, so one that does stands in its place."""
    source, program = tmp_path / "msiexec.c", tmp_path / "msiexec.exe"
    source.write_text(f"int main(void) {{ return {status}; }}\n")
    subprocess.run([COMPILER, "-O2", "-s", "-o", str(program), str(source)], check=True)
    windows.bring(exe)
    windows.bring(program)
    line = f"cd C:\\tests && {EXE} --key-info nonsense"
    assert windows.machine.line(line).status == FAILED, "one that lies beside the EXE is not run"
    own = windows.machine.c / "windows/system32/msiexec.exe"
    kept = own.read_bytes()
    try:
        own.write_bytes(program.read_bytes())
        with monkeypatch.context() as changed:
            # Wine prefers its own to what lies there, unless it is told otherwise.
            overrides = windows.machine.environment["WINEDLLOVERRIDES"] + ";msiexec.exe=n"
            changed.setitem(windows.machine.environment, "WINEDLLOVERRIDES", overrides)
            assert windows.machine.line(line).status == status
    finally:
        own.write_bytes(kept)


def test_msiexecs_own_words_are_passed_on(windows: Windows, exe: Path) -> None:
    status, _ = run(windows, exe, 'KEY_INFO=nonsense jc_tag="a b" /qn /l*v C:\\tests\\log.txt')
    assert status == FAILED
    assert "install.key_damaged" in windows.log
    assert "JC_TAG = a b" in windows.log


def test_an_unknown_switch(windows: Windows, exe: Path) -> None:
    status, said = run(windows, exe, "--jc-colour blue")
    assert status == BAD_COMMAND_LINE
    assert "install.usage: unknown parameter" in said
    assert "--jc-colour" in said
    assert run(windows, exe, "--jc-tag")[0] == BAD_COMMAND_LINE, "its value is missing"


def test_help_and_version(windows: Windows, exe: Path) -> None:
    status, said = run(windows, exe, "--help")
    assert status == 0
    assert "--jc-jump-group GROUP" in said
    assert "--startup" not in said, "that is for Linux"
    status, said = run(windows, exe, "--version")
    assert (status, said.split()[0], said.split()[-1]) == (0, "tremplin", "(windows-64)")


def test_a_downloaded_exe_needs_no_key(
    windows: Windows, site: Site, name: str, tmp_path: Path
) -> None:
    number = site.installer(external_id=name).installer_id
    site.text  # noqa: B018 - signs in
    status, body = site._call("GET", f"/jump-client/installer/{number}/windows-64", None)
    assert status == 200
    stamped = tmp_path / "stamped.exe"
    stamped.write_bytes(body)
    assert run(windows, stamped, "--quiet", "stamped.exe")[0] == 0
    site.until_state(name, "online")
