"""A Windows under Wine, named by WINEPREFIX in the environment."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path


def here(path: str) -> Path:
    """Return where a path of that Windows is on this machine; case makes no difference."""
    found = Path(os.environ["WINEPREFIX"], "drive_c")
    for part in path[3:].replace("\\", "/").split("/"):
        there = {each.name.lower(): each for each in found.iterdir()} if found.is_dir() else {}
        found = there.get(part.lower(), found / part)
    return found


def run(*words: str) -> str:
    """Run a program there; its output."""
    done = subprocess.run(
        ["wine", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return done.stdout.decode("utf-8", "replace")


def line(text: str) -> int:
    """Run a line of cmd.exe there; all of its exit status."""
    script = here("C:\\ansible-line.bat")
    script.write_text(f"@echo off\r\n{text}\r\necho status=%ERRORLEVEL%\r\n")
    said = run("cmd.exe", "/c", "C:\\ansible-line.bat")
    script.unlink()
    return int(re.findall(r"status=(-?\d+)", said)[-1])


def values(key: str) -> dict[str, str]:
    """Return the values of a key of the registry, empty when there is none."""
    found = re.findall(r"^    (\S+)    REG_SZ    (.*?)\r?$", run("reg.exe", "query", key), re.M)
    return dict(found)
