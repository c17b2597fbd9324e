"""The parts of a session that need no connection."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent import wire
from tremplin_agent.ssh import orders, processes, terminal
from tremplin_agent.ssh.login import PATH, Login, login
from tremplin_agent.ssh.machine import Size
from tremplin_agent.ssh.notice import _written
from tremplin_agent.ssh.recording import CUT, Recording
from tremplin_agent.ssh.tunnel import _head
from websockets.frames import Opcode
from websockets.server import ServerProtocol

LONGEST_EXCHANGE_HASH = hashlib.sha512().digest_size
"""What an SSH host key signs is the exchange hash (RFC 4253, section 8)."""


# --- one key for two protocols --------------------------------------------------------


def test_what_the_agent_signs_elsewhere_is_never_as_short_as_an_exchange_hash() -> None:
    nonce, pin = b"n" * wire.NONCE_BYTES, b""
    shortest = [
        wire.proof_bytes(1, nonce, pin),
        wire.enrol_bytes("a" * 32, nonce, pin),
        wire.recording_bytes("a" * 32, 1, b"s" * 32),
    ]
    for signed in shortest:
        assert len(signed) != hashlib.sha256().digest_size
        assert len(signed) != LONGEST_EXCHANGE_HASH
        assert signed.startswith(b"tremplin ")


@given(st.binary(max_size=32), st.integers(1, 2**63))
def test_no_nonce_or_pin_makes_it_one(pin: bytes, client_id: int) -> None:
    # Neither side lets a nonce of another length pass.
    signed = wire.proof_bytes(client_id, b"n" * wire.NONCE_BYTES, pin)
    assert len(signed) == 58 + len(pin)
    if len(pin) in (0, 32):
        assert len(signed) not in (32, LONGEST_EXCHANGE_HASH)


# --- orders ---------------------------------------------------------------------------


@given(st.integers(1, 40))
def test_orders_survive_any_cutting(size: int) -> None:
    sent: list[orders.Order] = [
        orders.Setup("/var", "ab", "name"),
        orders.Open("a" * 32, "token", "https://x", {"keys": ["é"]}, 15.0),
        orders.Close("a" * 32, "session.idle"),
        orders.Ended("a" * 32, "", "detail"),
    ]
    stream = b"".join(orders.encode(order) for order in sent)
    lines = orders.Lines()
    heard = [
        order
        for start in range(0, len(stream), size)
        for order in lines.feed(stream[start : start + size])
    ]
    assert heard == sent
    assert "token" not in repr(sent)


def test_an_agents_main_process_loads_no_ssh() -> None:
    code = (
        "import sys; sys.path[:] = sys.argv[1:]\n"
        "import tremplin_agent.agent\n"
        "assert not {'asyncssh', 'ctypes'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, *[p for p in sys.path if p]], check=True)


# --- frames ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 262144])
def test_a_servers_library_reads_our_frames(size: int) -> None:
    server = ServerProtocol()
    server.state = server.state.__class__.OPEN
    server.parser = server.parse()
    next(server.parser)
    payload = os.urandom(size)
    server.max_message_size = server.max_size = None  # type: ignore[attr-defined]
    server.receive_data(_head(size) + payload)
    (frame,) = server.events_received()
    assert (frame.opcode, bytes(frame.data)) == (Opcode.BINARY, payload)  # type: ignore[union-attr]


# --- terminals ------------------------------------------------------------------------


def test_modes_of_the_client_are_those_of_the_terminal() -> None:
    pair = terminal.opened(Size(90, 20), {1: 24, 3: 255, 42: 1, 53: 0, 72: 1, 128: 38400, 250: 1})
    try:
        attributes = termios.tcgetattr(pair.theirs)
        assert attributes[6][termios.VINTR] == b"\x18"
        assert attributes[6][termios.VERASE] == b"\0"
        assert attributes[0] & terminal._IUTF8
        assert not attributes[3] & termios.ECHO
        assert attributes[1] & termios.ONLCR
        assert os.get_terminal_size(pair.theirs) == (90, 20)
        terminal.resize(pair.ours, Size(1 << 20, -3))
        assert os.get_terminal_size(pair.theirs) == (65535, 0)
    finally:
        os.close(pair.ours)
        os.close(pair.theirs)


# --- recordings -----------------------------------------------------------------------


def lines(path: Path) -> list[list[object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_letter_in_two_pieces_is_one_letter(tmp_path: Path) -> None:
    path = tmp_path / "x.cast"
    recording = Recording(path, Size(80, 24), 10_000, {"TERM": "xterm"})
    recording.shown("é".encode()[:1])
    recording.shown("é".encode()[1:] + b"\xff")
    recording.resized(Size(100, 30))
    assert not path.exists()
    recording.shown(b"\xe2\x82")
    recording.finish()
    head, *events = lines(path)
    assert head["env"] == {"TERM": "xterm"}  # type: ignore[call-overload]
    assert [event[1:] for event in events] == [
        ["o", "é\ufffd"],
        ["r", "100x30"],
        ["o", "\ufffd"],
    ]


@given(limit=st.integers(600, 5000), pieces=st.lists(st.binary(max_size=400), max_size=40))
def test_a_recording_keeps_to_its_limit(
    tmp_path_factory: pytest.TempPathFactory, limit: int, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("recording") / "x.cast"
    recording = Recording(path, Size(80, 24), limit, {})
    for piece in pieces:
        recording.shown(piece)
    recording.finish()
    assert path.stat().st_size <= limit
    found = lines(path)
    assert all(event[1] == "o" for event in found[1:-1])
    assert CUT not in [event[2] for event in found[1:-1]]


# --- whose session it is --------------------------------------------------------------


def test_a_user_without_a_home_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    who = pwd.struct_passwd(("svc", "x", 990, 990, "", "/nonexistent", "/usr/sbin/nologin"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: who)
    found = login(tmp_path)
    assert found.home == str(tmp_path / "home")
    assert Path(found.home).stat().st_mode & 0o777 == 0o700
    assert found.shell in ("/bin/bash", "/bin/sh")


def test_the_client_sets_its_language_and_nothing_that_decides() -> None:
    asked = {"LC_ALL": "fr_FR.UTF-8", "PATH": "/tmp", "HOME": "/", "BASH_ENV": "x"}
    program = Login("tech", "/bin/bash", "/home/tech").program("id", asked, {"TERM": "xterm"})
    assert program.words == ["bash", "-c", "id"]
    assert program.environment["LC_ALL"] == "fr_FR.UTF-8"
    assert program.environment["PATH"] == PATH
    assert program.environment["HOME"] == "/home/tech"
    assert "BASH_ENV" not in program.environment
    shell = Login("tech", "/bin/bash", "/home/tech").program(None, {}, {})
    assert shell.words == ["-bash"]


# --- processes ------------------------------------------------------------------------


def test_what_is_below_a_process_is_found_and_what_is_spared_is_not() -> None:
    script = "sleep 1000 & echo $!; sh -c 'sleep 1001 & echo $!; wait' & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        pids = sorted(int(started.stdout.readline()) for _ in range(3))
        assert sorted(processes.below(started.pid)) == pids
        assert started.pid in processes.below(os.getpid())
        assert not set(processes.below(os.getpid(), [started.pid])) & set(pids)
        for pid in pids:
            os.kill(pid, 9)


# --- the notice -----------------------------------------------------------------------


def test_a_terminal_that_takes_nothing_delays_no_notice() -> None:
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    try:
        for _ in range(200):
            assert _written(name, "a session begins\n" + "x" * 200)
        assert b"a session begins" in os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
    assert not _written("/nonexistent/tty", "nobody")
