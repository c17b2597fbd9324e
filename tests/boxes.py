"""A place on this machine to install into: an unprivileged user's, with the real `.bin`."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tremplin_agent.installer.payload import stamped_key
from tremplin_agent.platform.linux import platform_name
from tremplin_agent.wire import KeyInfo

from tests.serving import until

REPOSITORY = Path(__file__).resolve().parent.parent
PAYLOADS = REPOSITORY / ".cache" / "payload"
NOWHERE = KeyInfo(("https://127.0.0.1:9",), b"p" * 32, "a1" * 16, b"s" * 16).encode()
"""Key info of a server that is not there."""


@cache
def payload() -> Path:
    """Return this platform's generic payload, built if need be."""
    build = [sys.executable, str(REPOSITORY / "agent/build_payload.py")]
    options = ["--platform", platform_name(), "--output", str(PAYLOADS)]
    subprocess.run([*build, *options], check=True, capture_output=True)
    return PAYLOADS / f"tremplin-scc-{platform_name()}.bin"


def unprivileged() -> str:
    """Return who the tests install as: this user, or `nobody` when that is root."""
    return "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True)
class Box:
    """A home directory of its own, and the installer in it."""

    root: Path
    user: str

    @property
    def installer(self) -> Path:
        return self.root / "x.bin"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def directory(self) -> Path:
        """Where the tests install."""
        return self.home / "jump client"

    def run(
        self,
        *words: str,
        stdin: str = "",
        as_root: bool = False,
        language: str = "C.UTF-8",
        program: Path | None = None,
        interpreter: tuple[str, ...] = ("sh",),
    ) -> subprocess.CompletedProcess[str]:
        """Run the installer, or another of its programs, to its end."""
        return subprocess.run(
            [*interpreter, str(program or self.installer), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **self._who(as_root, language),
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the installer without waiting for it."""
        return subprocess.Popen(
            ["sh", str(self.installer), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **self._who(False, "C.UTF-8"),
        )

    def _who(self, as_root: bool, language: str) -> dict[str, Any]:
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "LANG": language,
        }
        who: dict[str, Any] = {"env": environment, "cwd": "/"}
        if os.geteuid() == 0 and not as_root:
            who.update(user=self.user, group=pwd.getpwnam(self.user).pw_gid, extra_groups=[])
        return who

    def install(self, *words: str, key_info: str = NOWHERE) -> subprocess.CompletedProcess[str]:
        """Install into `directory`, registered with nothing, key info on stdin."""
        words = ("--install-dir", str(self.directory), "--startup", "none", *words)
        return self.run("--key-info", "-", *words, stdin=key_info)

    def script(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `init-script`."""
        return self.run(*words, program=self.directory / "init-script")

    def uninstall(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `uninstall`."""
        return self.run(*words, program=self.directory / "uninstall")

    def agent(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the installed agent."""
        python = ("/usr/bin/python3", "-I", "-S")
        return self.run(*words, program=self.directory / "lib", interpreter=python)

    def contents(self) -> list[str]:
        """Return what lies in the home directory, even while it changes."""
        found = []
        for place, directories, files in os.walk(self.home):
            below = Path(place).relative_to(self.home)
            found += [str(below / name) for name in (*directories, *files)]
        return sorted(found)

    def agents(self) -> list[int]:
        """Return the process ids of this box's agents."""
        return self._processes("run", "lib")

    def supervisors(self) -> list[int]:
        """Return the process ids of this box's supervisors."""
        return self._processes("supervise", "init-script")

    def _processes(self, last_word: str, part: str) -> list[int]:
        found = []
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                words = (process / "cmdline").read_text().split("\0")[:-1]
            except OSError:
                continue
            if words and words[-1] == last_word and str(self.directory / part) in words:
                found.append(int(process.name))
        return found

    def until_gone(self, seconds: float = 30) -> None:
        """Wait until nothing of the installation is left."""
        until(lambda: not self.directory.exists(), "the directory to go", seconds)
        until(
            lambda: not self.agents() and not self.supervisors(),
            "its processes to end",
            seconds,
        )


@contextmanager
def box() -> Iterator[Box]:
    """Give a box; what a test leaves running or lying there is removed."""
    root = Path(tempfile.mkdtemp(prefix="tremplin-box-"))
    made = Box(root, unprivileged())
    try:
        root.chmod(0o755)
        made.home.mkdir()
        shutil.copyfile(payload(), made.installer)
        if os.geteuid() == 0:
            shutil.chown(made.home, made.user)
        assert not stamped_key(made.installer)
        yield made
        if (made.directory / "uninstall").exists():
            made.uninstall("--local", "--quiet")
    finally:
        shutil.rmtree(root, ignore_errors=True)
