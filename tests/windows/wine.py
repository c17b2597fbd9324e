"""Windows as Wine has it: a prefix of its own per test run, and programs in it.

A prefix is made once and kept below .cache; tests get a copy. Wine ends services a few
seconds after the last other program, so a machine that is on holds one such program.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "wine"
COMPILER = "x86_64-w64-mingw32-gcc"
PROGRAMS = ("wine", "wineserver", "msiinfo", COMPILER)
SECONDS = 120
_RECIPE = b"3"
"""To be changed when `template` makes it differently."""
_numbers = count(1)


def missing() -> list[str]:
    """Return the programs that these tests need and this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@dataclass(frozen=True)
class Done:
    """A program that ended: the whole exit status, as Windows has it, and what it said."""

    status: int
    output: str


def _environment(prefix: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "JOURNAL_STREAM")}
    return kept | {
        "WINEPREFIX": str(prefix),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
        "LC_ALL": "C.UTF-8",
    }


def template() -> Path:
    """Return the kept prefix that machines are copies of, made when it is not there."""
    version = subprocess.run(["wine", "--version"], capture_output=True, check=True).stdout
    inputs = version + _RECIPE
    kept = CACHE / hashlib.sha256(inputs).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{kept.name}.lock").open("w") as turn:
        # The workers of a run come at once, and one of them makes it for all.
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not kept.exists():
            _make(kept)
    return kept


def _make(kept: Path) -> None:
    made = CACHE / "making"
    shutil.rmtree(made, ignore_errors=True)
    environment = _environment(made)
    # Output goes nowhere: what Wine leaves running would hold a pipe open.
    quiet = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    subprocess.run(["wineboot", "--init"], env=environment, check=True, timeout=SECONDS, **quiet)  # type: ignore[call-overload]
    # Ten seconds for a service to start is little where two cores do much else; Windows
    # itself gives thirty.
    control = r"HKLM\SYSTEM\CurrentControlSet\Control"
    patience = ["/v", "ServicesPipeTimeout", "/t", "REG_DWORD", "/d", "90000", "/f"]
    subprocess.run(
        ["wine", "reg.exe", "add", control, *patience],
        env=environment, check=True, timeout=SECONDS, **quiet,  # type: ignore[call-overload]
    )  # fmt: skip
    subprocess.run(["wineserver", "--wait"], env=environment, check=True, timeout=SECONDS)
    # Nothing here needs what is for 32-bit programs, and a copy takes time.
    made.rename(kept)


def _until_ended(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Return what a program says until it ends; what it leaves running may say more."""
    assert process.stdout is not None
    said, deadline = b"", time.monotonic() + seconds
    os.set_blocking(process.stdout.fileno(), False)
    while True:
        ended = process.poll() is not None
        select.select([process.stdout], [], [], 0 if ended else 0.05)
        piece = process.stdout.read()
        said += piece or b""
        if ended and not piece:
            return said
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"not within {seconds:g} s: {process.args!r}: {said!r}")


class Machine:
    """A Windows that is on. prefix: its directory; `c` is its drive C."""

    def __init__(self, prefix: Path) -> None:
        self.environment = _environment(prefix)
        self._prefix = prefix
        self.c = prefix / "drive_c"
        self._held: subprocess.Popen[bytes] | None = None

    def on(self) -> None:
        """Start it; its services start with it."""
        self._held = subprocess.Popen(
            ["wine", "cmd.exe", "/c", "pause"],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.c,
        )
        # What Wine starts for the first program would hold the pipe of any other open.
        assert self._held.stdout is not None
        assert self._held.stdout.read(1), "Wine does not start"

    def off(self) -> None:
        """End everything on it at once."""
        subprocess.run(["wineserver", "--kill"], env=self.environment, timeout=SECONDS)
        subprocess.run(["wineserver", "--wait"], env=self.environment, timeout=SECONDS)
        if self._held is not None:
            assert self._held.stdin is not None
            self._held.stdin.close()
            assert self._held.stdout is not None
            self._held.stdout.close()
            self._held.wait(SECONDS)
            self._held = None

    def run(self, *words: str, seconds: float = SECONDS) -> Done:
        """Run a program to its end. Its exit status is the low 8 bits of what Windows has."""
        with subprocess.Popen(
            ["wine", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.c,
        ) as process:
            said = _until_ended(process, seconds)
        return Done(process.returncode, said.decode("utf-8", "replace"))

    def line(self, line: str, seconds: float = SECONDS) -> Done:
        """Run a line of cmd.exe, as somebody would type it, and return all of its status."""
        script = self.c / f"line{next(_numbers)}.bat"
        script.write_bytes(f"@echo off\r\n{line}\r\necho status=%ERRORLEVEL%\r\n".encode())
        try:
            said = self.run("cmd.exe", "/c", script.name, seconds=seconds).output
        finally:
            script.unlink()
        found = re.search(r"status=(-?\d+)\s*\Z", said)
        assert found, said
        return Done(int(found[1]), said[: found.start()])

    def registry(self, key: str) -> str:
        """Return a key's values and the keys in it, empty when there is none."""
        found = self.run("reg.exe", "query", key)
        return found.output if found.status == 0 else ""

    def footprint(self) -> set[str]:
        """Return every file and directory of drive C, and every service and product."""
        files = {str(path.relative_to(self.c)) for path in self.c.rglob("*")}
        volatile = re.compile(r"windows/(temp|Installer)(/|\Z)|users/[^/]+/(AppData/Local/)?Temp/")
        kept = {name for name in files if not volatile.match(name)}
        keys = (
            r"HKLM\SYSTEM\CurrentControlSet\Services",
            r"HKLM\SOFTWARE",
            r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application",
            r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
            r"HKLM\SOFTWARE\Classes\Installer\Products",
            r"HKLM\SOFTWARE\Classes\Installer\UpgradeCodes",
        )
        # One program for all of them: to start one takes Wine longer than what it does.
        said = self.line(" & ".join(f"reg query {key}" for key in keys)).output
        return kept | {line for line in said.splitlines() if line.startswith("HKEY")}


@contextmanager
def machine(directory: Path) -> Iterator[Machine]:
    """Give a machine that is on, in `directory`, which must not exist."""
    source = template()
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(directory)], check=True)
    made = Machine(directory)
    made.on()
    try:
        yield made
    finally:
        made.off()
        shutil.rmtree(directory, ignore_errors=True)
