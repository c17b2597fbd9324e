"""How sessions end on the host, whoever ends them: nothing is left, and the agent says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from tremplin_agent.sessions import SESSIONS_AT_ONCE

from tests.integration.session_site import (
    Jump,
    SessionSite,
    is_alive,
    processes_with,
    session_site,
)
from tests.serving import until

pytestmark = pytest.mark.timeout(120)
LARGEST_GROWTH_KIB = 24 * 1024

EVERYTHING_THAT_STAYS = """
trap '' TERM HUP
setsid sh -c 'trap "" TERM HUP; exec sleep {mark}' >/dev/null 2>&1 </dev/null &
(setsid sleep {mark} >/dev/null 2>&1 </dev/null &)
sleep {mark} &
echo begun
sleep {mark}
"""
"""A command that will not go: daemons of two kinds, deaf ones, and itself."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SessionSite]:
    with session_site(tmp_path) as made:
        yield made


@pytest.fixture
def mark() -> str:
    """A number of seconds that only this test's processes sleep."""
    return f"{100_000 + time.monotonic_ns() % 100_000_000}"


def begun(jump: Jump, mark: str, *options: str) -> subprocess.Popen[bytes]:
    """Start the command that stays, and wait for it."""
    command = jump.started(*options, EVERYTHING_THAT_STAYS.format(mark=mark))
    assert command.stdout is not None
    while b"begun" not in command.stdout.readline():
        assert command.poll() is None
    until(lambda: len(processes_with(mark)) == 4, "all its processes")
    return command


def finished(command: subprocess.Popen[bytes]) -> bytes:
    """Wait for an ssh whose session is over; what it said."""
    said = command.communicate(timeout=20)
    return said[0] + said[1]


def session_process(site: SessionSite) -> int:
    """Return the process of the only session."""
    (found,) = children(host_process(site))
    return found


def host_process(site: SessionSite) -> int:
    host = site.sessions._host
    assert host is not None
    return host._process.pid


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in listed]


# --- who ends it ----------------------------------------------------------------------


def leave(jump: Jump, command: subprocess.Popen[bytes]) -> None:
    command.kill()


def stop(jump: Jump, command: subprocess.Popen[bytes]) -> None:
    jump.close("session.stopped")


def cut(jump: Jump, command: subprocess.Popen[bytes]) -> None:
    jump.cut()


def kill_the_session(jump: Jump, command: subprocess.Popen[bytes]) -> None:
    os.kill(session_process(jump.site), signal.SIGKILL)


def kill_the_host(jump: Jump, command: subprocess.Popen[bytes]) -> None:
    os.kill(host_process(jump.site), signal.SIGKILL)


def disable(jump: Jump, command: subprocess.Popen[bytes]) -> None:
    jump.site.store.set_disabled(True)


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (leave, ""),
        (stop, "session.stopped"),
        (cut, "session.host_lost"),
        (kill_the_session, "session.host_lost"),
        (kill_the_host, "session.host_lost"),
        (disable, "session.disabled"),
    ],
)
@pytest.mark.parametrize("options", [(), ("-tt",)], ids=["pipes", "terminal"])
def test_nothing_is_left_whoever_ends_it(
    site: SessionSite,
    mark: str,
    ending: Callable[[Jump, subprocess.Popen[bytes]], None],
    code: str,
    options: tuple[str, ...],
) -> None:
    jump = site.open()
    with begun(jump, mark, *options) as command:
        ending(jump, command)
        assert jump.end().code == code
        until(lambda: not processes_with(mark), "the end of all its processes", 5)
        finished(command)


def test_the_agents_own_end_ends_sessions_in_order(site: SessionSite, mark: str) -> None:
    jump = site.open()
    with begun(jump, mark, "-tt") as command:
        site.wait(site.sessions.stop())
        assert not processes_with(mark)
        assert b"session.removed" in finished(command)
    assert jump.end().code == "session.removed"


def test_nothing_is_left_when_the_agent_is_killed(
    site: SessionSite, mark: str, tmp_path: Path
) -> None:
    """The session host of an agent that is killed sees its socket end."""
    jump = site.open()
    with begun(jump, mark) as command:
        host = host_process(site)
        site.do(site.sessions._host._socket.shutdown, 2)  # type: ignore[union-attr]
        until(lambda: not is_alive(host), "the end of the session host")
        assert not processes_with(mark)
        finished(command)


def test_the_technician_reads_why(site: SessionSite) -> None:
    jump = site.open(ends={"session.stopped": "arrêtée depuis le serveur (session.stopped)"})
    with jump.started("echo begun; sleep 1000") as command:
        assert command.stdout is not None
        command.stdout.readline()
        jump.close("session.stopped")
        said = finished(command)
        assert "arrêtée depuis le serveur (session.stopped)".encode() in said
        assert command.returncode == 255


# --- time -----------------------------------------------------------------------------


def test_the_time_is_up(site: SessionSite) -> None:
    jump = site.open(expires_at=time.time() + 3)
    with jump.started("sleep 1000") as command:
        assert jump.end().code == "session.time_up"
        assert b"session.time_up" in finished(command)


def test_a_host_whose_clock_is_ahead_leaves_the_time_to_the_server(site: SessionSite) -> None:
    jump = site.open(expires_at=time.time() - 3600)
    assert jump.ssh("echo in").stdout == b"in\n"


def test_idle_for_too_long(site: SessionSite) -> None:
    jump = site.open(idle_seconds=2)
    began = time.monotonic()
    with jump.started("for i in 1 2 3; do sleep 0.7; echo $i; done; sleep 1000") as command:
        assert jump.end().code == "session.idle"
        assert time.monotonic() - began > 3.5
        assert b"1\n2\n3\n" in finished(command)


# --- refusals -------------------------------------------------------------------------


def test_a_disabled_client_takes_no_session(site: SessionSite) -> None:
    site.store.set_disabled(True)
    assert site.order().end().code == "jump.disabled"
    site.store.set_disabled(False)
    assert site.open().ssh("echo in").stdout == b"in\n"


def test_a_host_serves_so_many_sessions_and_no_more(site: SessionSite) -> None:
    jumps = [site.order() for _ in range(SESSIONS_AT_ONCE)]
    assert site.order().end().code == "jump.host_busy"
    for jump in jumps:
        until(lambda jump=jump: jump.port, "a session of many")  # type: ignore[misc]
    assert jumps[-1].ssh("echo in").stdout == b"in\n"
    jumps[-1].end()
    assert site.open().port


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT])
def test_a_server_that_does_not_know_the_session(site: SessionSite, status: HTTPStatus) -> None:
    site.refuse = status
    assert site.order().end().code == ""


def test_a_server_in_trouble(site: SessionSite) -> None:
    site.refuse = HTTPStatus.BAD_GATEWAY
    ended = site.order().end()
    assert (ended.code, "502" in ended.detail) == ("jump.internal", True)


# --- what is kept ---------------------------------------------------------------------


@pytest.mark.parametrize("ending", [cut, kill_the_session, kill_the_host, stop])
def test_the_recording_is_kept_up_to_the_cut(
    site: SessionSite, ending: Callable[[Jump, subprocess.Popen[bytes]], None]
) -> None:
    jump = site.open(record_bytes=100_000)
    with jump.started("-tt", "echo shown; sleep 1000") as command:
        assert command.stdout is not None
        command.stdout.readline()
        ending(jump, command)
        jump.end()
        finished(command)
    directory = site.var / "recordings"
    found = [path for path in directory.iterdir() if path.name.startswith(jump.session_id)]
    assert len(found) == 1
    events = [json.loads(line) for line in found[0].read_text().splitlines()]
    assert events[1][2].startswith("shown")


def test_status_shows_who_is_there(site: SessionSite) -> None:
    jump = site.open()
    assert [each["technician"] for each in site.store.sessions()] == ["tech"]
    jump.close()
    jump.end()
    assert site.store.sessions() == []


# --- memory ---------------------------------------------------------------------------


def resident_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


@pytest.mark.parametrize("words", [("cat /dev/zero",), ("-tt", "cat /dev/zero")])
def test_a_reader_that_stalls_does_not_grow_the_session(
    site: SessionSite, words: tuple[str, ...]
) -> None:
    jump = site.open()
    with jump.started(*words, bufsize=0) as command:
        assert command.stdout is not None
        command.stdout.read(100_000)
        process = session_process(site)
        before = resident_kib(process)
        assert jump.technician is not None
        command.send_signal(signal.SIGSTOP)
        written = -1
        while written != (now := _written(process)):
            written = now
            time.sleep(0.5)
        assert resident_kib(process) - before <= LARGEST_GROWTH_KIB
        command.send_signal(signal.SIGCONT)
        command.stdout.read(10_000_000)
        command.kill()
    jump.end()


def _written(process: int) -> int:
    text = Path(f"/proc/{process}/io").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("wchar")).split()[1])


def test_the_session_host_leaves_no_secret_in_its_arguments(site: SessionSite) -> None:
    jump = site.open()
    for pid in (host_process(site), session_process(site)):
        shown = Path(f"/proc/{pid}/cmdline").read_text()
        assert sys.executable in shown
        assert f"token-{jump.session_id}" not in shown
