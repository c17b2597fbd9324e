"""What OpenSSH's own programs find at the agent's end of a session."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.session_site import Jump, SessionSite, session_site
from tests.serving import until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionSite]:
    with session_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def jump(site: SessionSite) -> Iterator[Jump]:
    made = site.open()
    yield made
    made.close()
    made.end()


def blob(path: Path, size: int) -> str:
    """Write a file of random bytes; its SHA-256."""
    content = os.urandom(size)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- commands -------------------------------------------------------------------------


def test_a_command_has_its_output_its_errors_and_its_status(jump: Jump) -> None:
    done = jump.ssh("echo out; echo err >&2; exit 37")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 37)


def test_a_command_gets_all_bytes_and_gives_them_back(jump: Jump) -> None:
    every = bytes(range(256)) * 20_000
    done = jump.ssh("cat", input=every)
    assert done.returncode == 0
    assert done.stdout == every


def test_the_end_of_the_input_reaches_the_command_and_its_output_still_comes(jump: Jump) -> None:
    done = jump.ssh("sha256sum; echo after; exec >&- 2>&-; sleep 0.2; exit 9", input=b"x" * 100_000)
    expected = hashlib.sha256(b"x" * 100_000).hexdigest()
    assert done.stdout.decode().split() == [expected, "-", "after"]
    assert done.returncode == 9


def test_a_command_that_reads_nothing_does_not_hang(jump: Jump) -> None:
    done = jump.ssh("echo done", input=b"z" * 8_000_000)
    assert (done.stdout, done.returncode) == (b"done\n", 0)


def test_a_command_killed_by_a_signal_says_so(jump: Jump) -> None:
    done = jump.ssh("kill -KILL $$")
    # OpenSSH's own way to say that a signal ended the command.
    assert done.returncode == 255


def test_commands_of_one_connection_run_side_by_side(site: SessionSite, jump: Jump) -> None:
    socket_path = site.directory / f"master-{jump.port}"
    master = jump.started("-M", "-S", str(socket_path), "-N")
    try:
        until(socket_path.exists, "the master connection")
        share = ("-S", str(socket_path), "x")
        waiting = subprocess.Popen(
            ["ssh", "-F", "none", *share, "read line; echo $line"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        other = subprocess.run(
            ["ssh", "-F", "none", *share, "echo other"], capture_output=True, check=True
        )
        assert other.stdout == b"other\n"
        assert waiting.communicate(b"first\n")[0] == b"first\n"
    finally:
        master.terminate()
        master.communicate()


def test_the_environment_is_that_of_a_login(jump: Jump) -> None:
    done = jump.ssh("-o", "SetEnv=LC_TIME=fr_FR.UTF-8 LD_PRELOAD=x", "env; pwd; umask")
    found = dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)
    assert found["HOME"] == done.stdout.decode().splitlines()[-2]
    assert found["TREMPLIN_SESSION"] == jump.session_id
    assert found["TREMPLIN_TECHNICIAN"] == "tech"
    assert found["LC_TIME"] == "fr_FR.UTF-8"
    assert "LD_PRELOAD" not in found
    assert "TERM" not in found
    assert done.stdout.decode().splitlines()[-1] == "0022"


# --- terminals ------------------------------------------------------------------------


def test_a_terminal_has_the_size_and_the_keys_that_the_client_has(site: SessionSite) -> None:
    jump = site.open()
    ours, theirs = os.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "101", "intr", "^X"], stdin=theirs, check=True)
    shell = jump.started("-tt", stdin=theirs, env={**os.environ, "TERM": "vt220"})
    os.write(ours, b"stty size; stty -a | grep -o 'intr = ..'; echo $TERM $0; tty; exit 5\n")
    output, _ = shell.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)
    assert b"33 101" in output
    assert b"intr = ^X" in output
    assert b"vt220 -" in output
    assert b"/dev/pts/" in output
    assert shell.returncode == 5
    jump.end()


def read_until(stream: int, wanted: bytes) -> bytes:
    """Read until something is there; all that was read."""
    found = b""
    while wanted not in found:
        piece = os.read(stream, 65536)
        assert piece, found
        found += piece
    return found


RESIZED_AND_INTERRUPTED = """
trap 'echo caught; exit 3' INT
echo ready
until stty size | grep '44 132'; do sleep 0.05; done
while :; do sleep 0.05; done
"""


def test_a_terminal_follows_the_window_and_takes_ctrl_c(site: SessionSite) -> None:
    jump = site.open()
    ours, theirs = os.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with jump.started("-tt", RESIZED_AND_INTERRUPTED, **streams) as command:
        read_until(ours, b"ready")
        subprocess.run(["stty", "rows", "44", "cols", "132"], stdin=theirs, check=True)
        command.send_signal(signal.SIGWINCH)
        read_until(ours, b"44 132")
        os.write(ours, b"\x03")
        read_until(ours, b"caught")
        assert command.wait(20) == 3
    os.close(ours)
    os.close(theirs)
    jump.end()


def test_long_output_of_a_terminal_is_not_cut(jump: Jump) -> None:
    done = jump.ssh("-tt", "seq 1 400000", stdin=subprocess.DEVNULL)
    lines = done.stdout.split()
    assert (len(lines), lines[-1]) == (400_000, b"400000")


def test_what_stays_in_the_background_does_not_hold_the_terminal_open(site: SessionSite) -> None:
    jump = site.open()
    done = jump.ssh("-tt", "nohup sleep 1000 & echo done", stdin=subprocess.DEVNULL, timeout=10)
    assert b"done" in done.stdout
    jump.end()


def test_a_terminal_is_recorded(site: SessionSite) -> None:
    jump = site.open(record_bytes=100_000)
    jump.ssh("-tt", "printf 'h\\303'; sleep 0.1; printf '\\251 there'", stdin=subprocess.DEVNULL)
    jump.end()
    path = site.var / "recordings" / f"{jump.session_id}.1.cast"
    until(path.exists, "the recording")
    head, *events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert head["version"] == 2
    assert (head["width"], head["height"]) == (0, 0)
    assert "".join(event[2] for event in events if event[1] == "o") == "hé there"
    assert path.stat().st_mode & 0o777 == 0o600
    assert site.over[-1] == jump.session_id


def test_a_recording_has_an_end(site: SessionSite) -> None:
    jump = site.open(record_bytes=20_000)
    done = jump.ssh("-tt", "seq 1 100000", stdin=subprocess.DEVNULL)
    assert done.stdout.split()[-1] == b"100000"
    jump.end()
    path = site.var / "recordings" / f"{jump.session_id}.1.cast"
    assert path.stat().st_size <= 20_000
    assert json.loads(path.read_text().splitlines()[-1])[1] == "m"


# --- files ----------------------------------------------------------------------------


@pytest.mark.parametrize("old", [(), ("-O",)], ids=["over sftp", "the old protocol"])
def test_scp_both_ways(jump: Jump, tmp_path: Path, old: tuple[str, ...]) -> None:
    sent = blob(tmp_path / "a file", 3_000_000)
    there, back = tmp_path / "there", tmp_path / "back"
    port = ("-P", str(jump.port), *old)
    up = jump.run("scp", *port, str(tmp_path / "a file"), f"tech@127.0.0.1:{there}")
    assert up.returncode == 0, up.stderr
    port = ("-P", str(jump.fresh().port), *old)
    down = jump.run("scp", *port, f"tech@127.0.0.1:{there}", str(back))
    assert down.returncode == 0, down.stderr
    assert digest(there) == digest(back) == sent
    assert there.stat().st_mode & 0o777 == 0o644


def test_sftp(jump: Jump, tmp_path: Path) -> None:
    sent = blob(tmp_path / "one", 100_000)
    batch = f"""
        put {tmp_path}/one {tmp_path}/two
        rename {tmp_path}/two {tmp_path}/three
        mkdir {tmp_path}/new
        ls -l {tmp_path}
        get {tmp_path}/three {tmp_path}/four
        rm {tmp_path}/one
    """
    port = ("-P", str(jump.port))
    done = jump.run("sftp", "-b", "-", *port, "tech@127.0.0.1", input=batch.encode())
    assert done.returncode == 0, done.stderr
    assert digest(tmp_path / "four") == sent
    assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "one").exists()


def test_rsync_and_git(jump: Jump, tmp_path: Path) -> None:

    def ssh(jump: Jump) -> str:
        return " ".join(["ssh", *jump.options(), "-p", str(jump.port)])

    tree = tmp_path / "tree"
    tree.mkdir()
    blob(tree / "file", 500_000)
    copied = subprocess.run(
        ["rsync", "-a", "-e", ssh(jump), f"{tree}/", f"tech@127.0.0.1:{tmp_path}/copy/"],
        capture_output=True,
        check=False,
    )
    assert copied.returncode == 0, copied.stderr
    assert digest(tmp_path / "copy/file") == digest(tree / "file")
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(["git", "-C", str(tree), *words], check=True)
    cloned = subprocess.run(
        ["git", "clone", "-q", f"ssh://tech@127.0.0.1{tree}", str(tmp_path / "clone")],
        env={**os.environ, "GIT_SSH_COMMAND": ssh(jump.fresh()), "GIT_CONFIG_COUNT": "0"},
        capture_output=True,
        check=False,
    )
    assert cloned.returncode == 0, cloned.stderr
    assert digest(tmp_path / "clone/file") == digest(tree / "file")


# --- forwarding -----------------------------------------------------------------------


@contextmanager
def answering(address: str) -> Iterator[int]:
    """Give a port of `address` that answers in capitals."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data.upper())

    with socket.create_server((address, 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def service() -> Iterator[int]:
    """A port of the loopback that answers in capitals."""
    with answering("127.0.0.1") as port:
        yield port


def test_a_granted_port_is_forwarded_and_no_other(site: SessionSite, service: int) -> None:
    jump = site.open(ports=(service,))
    done = jump.ssh("-W", f"localhost:{service}", input=b"hello")
    assert done.stdout == b"HELLO"
    jump.end()
    for target in ("127.0.0.1:1", f"{socket.gethostname()}:{service}"):
        jump = site.open(ports=(service,))
        refused = jump.ssh("-W", target, input=b"hello")
        assert refused.returncode != 0
        assert b"administratively prohibited" in refused.stderr
        jump.end()


@pytest.fixture
def neighbour() -> Iterator[str]:
    """Another machine's port, for as far as the agent knows: an address that is not its loopback's
    usual one. It answers in capitals."""
    with answering("127.0.0.2") as port:
        yield f"127.0.0.2:{port}"


def test_another_machine_is_reached_at_the_granted_address_only(
    site: SessionSite, neighbour: str
) -> None:
    host, port = neighbour.split(":")
    jump = site.open(targets=(neighbour, f"localhost:{port}"))
    assert jump.ssh("-W", neighbour, input=b"hello").stdout == b"HELLO"
    jump.end()
    refused = {
        f"{host}:1": b"may not forward to port 1 of 127.0.0.2",
        f"127.0.0.3:{port}": b"may not forward to port",
        f"127.0.0.1:{port}": b"may not forward to port",
        # It is granted, and yet a name must not lead to the host itself.
        f"localhost:{port}": b"which a name may not lead to",
    }
    for target, reason in refused.items():
        jump = site.open(targets=(neighbour, f"localhost:{port}"))
        done = jump.ssh("-W", target, input=b"hello")
        assert (done.returncode, done.stdout) == (255, b"")
        assert reason in done.stderr, done.stderr
        jump.end()


def test_the_capability_and_the_host_have_the_last_word(site: SessionSite, neighbour: str) -> None:
    jump = site.open(targets=(neighbour,), capabilities=("shell", "exec"))
    assert b"may not forward" in jump.ssh("-W", neighbour, input=b"hello").stderr
    jump.end()
    forbidding = site.directory / "loopback-only"
    forbidding.touch()
    try:
        jump = site.open(targets=(neighbour,))
        done = jump.ssh("-W", neighbour, input=b"hello")
        assert b"does not forward to other machines" in done.stderr
        assert done.stdout == b""
        jump.end()
    finally:
        forbidding.unlink()


def test_the_other_direction_the_agent_and_x11_are_not_forwarded(jump: Jump) -> None:
    done = jump.ssh("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "true")
    assert done.returncode == 255
    jump = jump.fresh()
    environment = {**os.environ, "DISPLAY": ":99", "SSH_AUTH_SOCK": "/nonexistent"}
    done = jump.ssh("-A", "-X", 'echo "[$SSH_AUTH_SOCK$DISPLAY]"', env=environment)
    assert done.stdout == b"[]\n"


# --- who gets in, and to what ----------------------------------------------------------


def test_another_key_is_refused(site: SessionSite, tmp_path: Path) -> None:
    other = tmp_path / "other"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)]
    subprocess.run(command, check=True)
    jump = site.open(keys=(other.with_suffix(".pub").read_text(),))
    done = jump.ssh("true")
    assert done.returncode == 255
    assert b"Permission denied" in done.stderr
    jump.end()


def test_without_a_key_whom_the_server_vouches_for_gets_in(site: SessionSite) -> None:
    jump = site.open(keys=(), open=True)
    done = jump.ssh("-o", "PubkeyAuthentication=no", "echo in")
    assert done.stdout == b"in\n"
    jump.end()


@pytest.mark.parametrize(
    ("granted", "words", "refusal"),
    [
        (("exec", "sftp"), ("-tt",), b"may not open a shell"),
        (("shell", "sftp"), ("id",), b"may not run commands"),
        (("shell", "exec"), ("-s", "sftp"), b"may not transfer files"),
        (("shell", "exec", "sftp"), ("-s", "other"), b"no subsystem other"),
    ],
)
def test_what_is_not_granted_is_refused_with_a_reason(
    site: SessionSite, granted: tuple[str, ...], words: tuple[str, ...], refusal: bytes
) -> None:
    jump = site.open(capabilities=granted)
    options = [word for word in words if word.startswith("-")]
    done = jump.ssh(*options, *[w for w in words if w not in options], stdin=subprocess.DEVNULL)
    assert done.returncode == 126
    assert refusal in done.stdout + done.stderr
    jump.end()


def test_the_host_key_is_the_agents_own_and_no_other_is_offered(
    site: SessionSite, jump: Jump
) -> None:
    command = ["ssh-keyscan", "-t", "ed25519", "-p", str(jump.port), "127.0.0.1"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert shown.split()[1:3] == site.known_hosts.read_text().split()[1:3]
    done = jump.fresh().ssh("-o", "HostKeyAlgorithms=rsa-sha2-512,ecdsa-sha2-nistp256", "true")
    assert done.returncode == 255
