"""The agent on Windows, as far as it can be read on any system."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent.codes import Code
from tremplin_agent.parameters import PARAMETERS, Where
from tremplin_agent.platform import windows_install, windows_service
from tremplin_agent.platform.windows import board_uuid
from tremplin_agent.platform.windows_statistics import named
from tremplin_agent.platform.windows_terminal import environment_block, in_wine, size
from tremplin_agent.refusal import Refusal
from tremplin_agent.ssh import windows as sessions
from tremplin_agent.ssh import windows_files

from tests.windows.wine import HERE


def structure(kind: int, body: bytes, *strings: bytes) -> bytes:
    """Return a structure of SMBIOS."""
    text = b"".join(string + b"\0" for string in strings) or b"\0"
    return bytes([kind, 4 + len(body), 0, 0]) + body + text + b"\0"


UUID = bytes(range(1, 17))


def table(uuid: bytes) -> bytes:
    """Return what the firmware says, with the board's UUID in its second structure."""
    system = structure(1, b"\1\2\3\4" + uuid + b"\6", b"maker", b"product")
    return bytes(8) + structure(0, b"\1\2", b"vendor") + system + structure(127, b"")


def test_the_boards_uuid_is_found_behind_other_structures() -> None:
    assert board_uuid(table(UUID)) == UUID
    assert board_uuid(table(bytes(16))) == b"", "no UUID is not the same UUID everywhere"
    assert board_uuid(table(b"\xff" * 16)) == b""


@given(st.binary(max_size=200))
def test_any_table_is_read_to_an_end(raw: bytes) -> None:
    assert len(board_uuid(raw)) in (0, 16)


def test_a_table_that_is_cut_has_the_whole_uuid_or_none() -> None:
    whole = table(UUID)
    assert {board_uuid(whole[:length]) for length in range(len(whole))} == {b"", UUID}


def test_windows_11_calls_itself_10() -> None:
    assert named("Windows 10 Pro", "22631") == "Windows 11 Pro (22631)"
    assert named("Windows 10 Pro", "19045") == "Windows 10 Pro (19045)"
    assert named("Microsoft Windows 7", "") == "Windows 7"
    assert named("", "x") == "Windows (x)"


def test_the_service_is_started_again_ever_later() -> None:
    """Wine keeps no failure actions: what is handed to Windows is read here."""
    wanted = windows_service.failure_actions()
    actions = [(each.kind, each.milliseconds) for each in wanted.actions[: wanted.count]]
    assert actions == [(1, 2_000), (1, 10_000), (1, 60_000)], "SC_ACTION_RESTART, then pauses"
    assert wanted.reset_seconds == 86_400


@pytest.mark.parametrize(
    ("directory", "command"),
    [
        ("C:\\a b", '"C:\\a b\\python\\pythonw.exe" -I -S "C:\\a b\\lib" service'),
        ("C:\\jc", "C:\\jc\\python\\pythonw.exe -I -S C:\\jc\\lib service"),
    ],
)
def test_the_path_of_the_service_is_in_quotes(directory: str, command: str) -> None:
    assert windows_service.command_line(PureWindowsPath(directory)) == command


@pytest.mark.parametrize(
    ("shell", "command", "line"),
    [
        ("C:\\Windows\\System32\\cmd.exe", 'dir "C:\\a b"',
         'C:\\Windows\\System32\\cmd.exe /d /s /c "dir "C:\\a b""'),
        ("C:\\p s\\PowerShell.exe", 'Get-Item "C:\\a b"',
         '"C:\\p s\\PowerShell.exe" -c "Get-Item \\"C:\\a b\\""'),
        ("C:\\pwsh.exe", None, "C:\\pwsh.exe"),
    ],
)  # fmt: skip
def test_the_hosts_shell_runs_commands(shell: str, command: str | None, line: str) -> None:
    assert sessions.command_line(shell, command) == line


def test_an_environment_is_sorted_and_ends_twice() -> None:
    assert environment_block({"b": "2", "A": "1=1", "c": ""}) == "A=1=1\0b=2\0c=\0\0"


def test_a_client_without_a_size_gets_one() -> None:
    assert size(0, 0) == (80, 24)
    assert size(1 << 20, 50) == (0x7FFF, 50)


def test_wine_gets_its_handles_by_name() -> None:
    assert in_wine('"C:\\x y\\cmd.exe"').count("CONIN$") == 1


def test_properties_become_parameters_of_the_record() -> None:
    given_ = windows_install.given(
        {"JC_TAG": " a b ", "JC_COMMENTS": "", "JC_EPHEMERAL": "1", "ONLINE_INSTALL": "0",
         "JC_MAX_OFFLINE_MINUTES": "5", "STARTUP": "cron"}
    )  # fmt: skip
    assert given_ == {"jc_tag": " a b ", "jc_ephemeral": True, "jc_max_offline_minutes": 5}


def test_a_bad_property_is_named_as_it_is_typed() -> None:
    with pytest.raises(Refusal) as refused:
        windows_install.given({"JC_EPHEMERAL": "perhaps"})
    line = windows_install.with_properties(refused.value.line(french=False))
    assert line == "install.bad_value: JC_EPHEMERAL: must be yes or no"
    assert "doit être yes ou no" in refused.value.line(french=True)


def test_reasons_name_properties_instead_of_switches() -> None:
    refusal = Refusal(Code.INSTALL_OVERRIDE_DENIED, parameter="--jc-jump-group")
    assert "JC_JUMP_GROUP" in windows_install.with_properties(refusal.line(french=False))
    exists = Refusal(Code.INSTALL_DIR_EXISTS, path="C:\\x").line(french=True)
    assert "INSTALLDIR" in windows_install.with_properties(exists)


def test_only_what_windows_has_is_a_property() -> None:
    elsewhere = {p.msi_property for p in PARAMETERS if p.where is Where.UNIX}
    assert elsewhere == {"USER", "SCOPE", "STARTUP"}
    assert not elsewhere & set(windows_install.PROPERTIES)


def test_paths_of_files() -> None:
    assert windows_files.is_root(b"/")
    assert windows_files.is_root(b"//.")
    assert not windows_files.is_root(b"/C:")
    assert not windows_files.is_root(b"")
    assert windows_files.whole(b"/C:") == b"/C:/"
    assert windows_files.whole(b"/C:/x") == b"/C:/x"


def test_the_tests_under_wine_are_where_ci_looks() -> None:
    suites = (Path(HERE).parents[1] / ".ci/suites").read_text()
    assert "tests/windows" in suites
