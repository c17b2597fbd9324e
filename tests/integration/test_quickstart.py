"""`make run` and `make run-clean`, whole: server, Ansible, Jump Client, and nothing left."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PAYLOAD = CHECKOUT / ".cache" / "payload" / "tremplin-scc-linux-64.bin"
SYSTEM_PYTHON = Path("/usr/bin/python3")

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.turns(2, family="quickstart"),
    pytest.mark.skipif(not PAYLOAD.exists(), reason="the payload is not built (make build)"),
]


@dataclass(frozen=True)
class Copy:
    """A checkout of its own, with what `make run` prepares before it calls the quickstart."""

    root: Path
    user: str | None

    def run(self, command: str) -> str:
        done = subprocess.run(
            [self.root / "docs" / "quickstart" / "run", command],
            cwd=self.root,
            env={
                "PATH": f"{self.root}/.venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                "HOME": str(self.root / "home"),
                "LANG": "C.UTF-8",
            },
            user=self.user,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def tremplin(self, *words: str) -> str:
        data = self.root / ".run" / "server"
        environment = {"PATH": os.defpath, "TREMPLIN_DATA_DIR": str(data), "LANG": "C.UTF-8"}
        done = subprocess.run(
            [self.root / ".venv" / "bin" / "tremplin", *words],
            env=environment, user=self.user, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def processes(self) -> list[str]:
        """Return the command lines of all processes that belong to this copy."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.root) in line:
                found.append(line)
        return found


def _copy(root: Path, user: str | None) -> Copy:
    (root / "home").mkdir()
    (root / ".cache").symlink_to(CHECKOUT / ".cache")
    shutil.copytree(CHECKOUT / "docs" / "quickstart", root / "docs" / "quickstart")
    shutil.copytree(CHECKOUT / "ansible_collection", root / "ansible_collection")
    if user is None:
        (root / ".venv").symlink_to(CHECKOUT / ".venv")
    else:
        _environment_for_others(root / ".venv")
        for path in (root, *root.rglob("*")):
            if not path.is_symlink():
                shutil.chown(path, user)
    return Copy(root, user)


def _environment_for_others(venv: Path) -> None:
    """Make an environment whose Python every user may run, over the packages of ours."""
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", venv], check=True)
    ours = next((CHECKOUT / ".venv" / "lib").glob("python3.*/site-packages"))
    theirs = next((venv / "lib").glob("python3.*/site-packages"))
    (theirs / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")
    programs = {
        "tremplin": "tremplin_server.cli:main",
        "ansible-playbook": "ansible.cli.playbook:main",
    }
    for name, entry in programs.items():
        module, function = entry.split(":")
        script = venv / "bin" / name
        script.write_text(
            f"#!{venv}/bin/python\nimport sys\nfrom {module} import {function}\n"
            f"sys.exit({function}())\n"
        )
        script.chmod(0o755)


def _why_not_unprivileged() -> str | None:
    if os.geteuid() != 0:
        return "not root: the other test runs unprivileged already"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    ask = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([SYSTEM_PYTHON, "-c", ask], capture_output=True, text=True)
    except FileNotFoundError:
        return f"no {SYSTEM_PYTHON}"
    if done.stdout.strip() != version:
        return f"{SYSTEM_PYTHON} is not Python {version}"
    readable = subprocess.run(["test", "-r", PAYLOAD], user="nobody").returncode == 0
    return None if readable else "other users may not read the checkout"


@pytest.fixture(autouse=True)
def _alone_on_this_host() -> Iterator[None]:
    """Deploy to this host one at a time: they would share the place for pushed files."""
    with Path(tempfile.gettempdir(), "tremplin-quickstart.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may enter."""
    path = Path(tempfile.mkdtemp(prefix="tremplin-quickstart-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _whole_story(copy: Copy, jump_client: Path) -> str:
    """Go through it all; return the account that the Jump Client ran as."""
    first = copy.run("up")
    assert re.search(r"password, shown only now: \S+", first)
    assert "https://localhost:" in first
    _assert_running(copy, jump_client)
    client = _only_client(copy)
    user: str = json.loads((jump_client / "install.json").read_text())["user"]

    second = copy.run("up")
    assert "shown only now" not in second
    assert re.search(r"changed=0 .*failed=0", second), "a second run changes nothing"
    _assert_running(copy, jump_client)
    assert _only_client(copy)["id"] == client["id"]

    copy.run("down")
    assert not (copy.root / ".run").exists()
    assert not jump_client.exists()
    assert copy.processes() == []
    assert "nothing to remove" in copy.run("down")
    return user


def _assert_running(copy: Copy, jump_client: Path) -> None:
    facts = json.loads((jump_client / "install.json").read_text())
    assert facts["complete"] is True
    assert facts["scope"] == "user"
    credentials = copy.root / ".run" / "credentials.json"
    assert credentials.stat().st_mode & 0o077 == 0


def _only_client(copy: Copy) -> dict[str, object]:
    (client,) = json.loads(copy.tremplin("client", "list", "--json"))
    assert client["state"] == "online"
    found: dict[str, object] = client
    return found


def test_up_twice_then_down(place: Path) -> None:
    before = _accounts()
    copy = _copy(place, None)
    user = _whole_story(copy, copy.root / ".run" / "jump-client")
    assert user in before or user not in _accounts()


def _accounts() -> set[str]:
    return {entry.pw_name for entry in pwd.getpwall()}


@pytest.fixture
def somebody(place: Path) -> Iterator[str]:
    """An account for the test, whose home is in its place."""
    reason = _why_not_unprivileged()
    if reason is not None:
        pytest.skip(reason)
    name = f"tremplin-t{os.getpid()}"
    home = place / "home"
    subprocess.run(["useradd", "--system", "--home-dir", home, name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["userdel", name], check=True)


def test_as_an_unprivileged_user(place: Path, somebody: str) -> None:
    copy = _copy(place, somebody)
    _whole_story(copy, copy.root / ".run" / "jump-client")


def _elsewhere() -> Iterator[Path]:
    """Give the places of Jump Clients whose account may not enter their checkout."""
    return Path("/var/lib").glob("tremplin-quickstart-*")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's Jump Client has another account")
def test_a_checkout_that_others_may_not_enter(place: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)
    copy = _copy(private, None)
    others = set(_elsewhere())
    copy.run("up")
    (elsewhere,) = set(_elsewhere()) - others
    _assert_running(copy, elsewhere / "jump-client")
    copy.run("down")
    assert not elsewhere.exists()


def test_a_server_that_was_killed_is_started_again(place: Path) -> None:
    copy = _copy(place, None)
    copy.run("up")
    pid = int((copy.root / ".run" / "server.pid").read_text())
    port = (copy.root / ".run" / "port").read_text()
    os.killpg(pid, 9)
    copy.run("up")
    assert (copy.root / ".run" / "port").read_text() == port
    _only_client(copy)
    copy.run("down")
    assert copy.processes() == []
