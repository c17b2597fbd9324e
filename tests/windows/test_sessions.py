"""Sessions on Windows, with the real ssh through the bastion."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.agent_site import Site
from tests.integration.openssh import Person
from tests.serving import until
from tests.windows.installing import Windows
from tests.windows.wine import Machine

NAME = "winsession"


@dataclass
class Reach:
    """Somebody's way to the host."""

    windows: Windows
    site: Site
    config: Path

    def ssh(self, *words: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run ssh to its end."""
        command = ["ssh", "-F", str(self.config), *words]
        return subprocess.run(command, input=typed, capture_output=True, timeout=60)

    def sftp(self, batch: str) -> subprocess.CompletedProcess[bytes]:
        """Run sftp with a batch."""
        command = ["sftp", "-F", str(self.config), "-b", "-", NAME]
        return subprocess.run(command, input=batch.encode(), capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def reach(
    machine: Machine, msi: Path, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reach]:
    """A host that is online, and a technician with a key."""
    windows = Windows(machine, msi)
    key = site.key_info(NAME, allow_override_name=True)
    assert windows.install(f"KEY_INFO={key} jc_name={NAME}").status == 0, windows.log
    site.until_state(NAME, "online")
    person = Person(site, tmp_path_factory.mktemp("person"), "zoe")
    person.register()
    asyncio.run(person.configure())
    yield Reach(windows, site, person.key.with_name("config"))
    windows.put_right()


def test_a_command_has_its_output_errors_and_status(reach: Reach) -> None:
    done = reach.ssh(NAME, 'echo "to out" & echo to errors 1>&2 & exit 5')
    assert done.returncode == 5
    assert done.stdout.split() == [b'"to', b'out"']
    assert b"to errors" in done.stderr


def test_a_command_reads_its_input_to_the_end(reach: Reach) -> None:
    python = f'"{reach.windows.directory()}\\python\\python.exe"'
    copy = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    sent = bytes(range(256)) * 4000
    done = reach.ssh(NAME, f'{python} -c "{copy}"', typed=sent)
    assert done.stdout == sent[::-1], done.stderr


def test_cmd_in_a_terminal(reach: Reach) -> None:
    done = reach.ssh("-tt", NAME, typed=b"echo xx%OS%xx\rexit 7\r")
    assert b"xxWindows_NTxx" in done.stdout
    assert done.returncode == 7


def test_a_terminal_is_recorded(reach: Reach) -> None:
    assert reach.ssh("-tt", NAME, "ver").returncode == 0
    var = reach.windows.path(reach.windows.directory()) / "var/recordings"
    until(lambda: not list(var.glob("*.cast*")), "the recordings are sent", 30)


def test_files_with_drive_letters(reach: Reach, tmp_path: Path) -> None:
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_bytes(bytes(range(256)) * 8000)
    done = reach.sftp(f"ls /\nput {sent} /C:/f.bin\nget /C:/f.bin {back}\nrm /C:/f.bin\nls /C:\n")
    assert done.returncode == 0, done.stderr
    assert b"/C:" in done.stdout
    assert b"/C:/windows" in done.stdout
    assert b"f.bin" not in done.stdout.split(b"ls /C:\n")[1]
    assert back.read_bytes() == sent.read_bytes()
    assert not (reach.windows.machine.c / "f.bin").exists()


def test_disabling_ends_a_session(reach: Reach) -> None:
    with subprocess.Popen(
        ["ssh", "-F", str(reach.config), NAME, "echo ready & pause"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.read(5) == b"ready"
        assert reach.windows.agent("disable").status == 0
        assert running.wait(30) != 0
        assert running.stderr is not None
        assert b"disabled" in running.stderr.read()
    assert reach.windows.agent("enable").status == 0
    until(lambda: reach.windows.status()["sessions"] == [], "no session is left", 20)
    reach.site.until_state(NAME, "online")
