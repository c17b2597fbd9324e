"""Payloads of another version for the tests of updates, good ones and broken ones."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

from tremplin_agent.platform.linux import platform_name

from tests.boxes import REPOSITORY

NEW = "0.2.0"
BROKEN = "0.3.0"
NAME = f"tremplin-scc-{platform_name()}.bin"
BUILT = REPOSITORY / ".cache" / "payload-next"


@cache
def newer(version: str = NEW) -> bytes:
    """Return this platform's payload in another version: a whole build of its own."""
    directory = BUILT / version
    build = [sys.executable, str(REPOSITORY / "agent/build_payload.py")]
    options = ["--platform", platform_name(), "--output", str(directory), "--version", version]
    subprocess.run([*build, *options], check=True, capture_output=True)
    return (directory / NAME).read_bytes()


def broken(source: bytes, name: str, before: str, after: str) -> bytes:
    """Return a payload with `before` in its file `name` replaced by `after`."""
    header = source[: source.index(b"PK\x03\x04")]
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(source)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.infolist():
            content = old.read(member)
            if member.filename == name:
                assert before in content.decode()
                content = content.decode().replace(before, after).encode()
            new.writestr(member, content)
    return header + target.getvalue()


def that_crashes(version: str = BROKEN) -> bytes:
    """Return a payload whose agent passes its check and ends at once when it should run."""
    return broken(
        newer(version),
        "tremplin_agent/__main__.py",
        "    set_up(installation.read(directory).name)\n    os.umask(0o077)",
        "    raise SystemExit(9)\n    os.umask(0o077)",
    )


def that_hangs(version: str = BROKEN) -> bytes:
    """Return a payload whose agent runs, and never connects."""
    return broken(
        newer(version),
        "tremplin_agent/agent.py",
        '    async def connect(self, farewell: str = "") -> Ending:\n',
        '    async def connect(self, farewell: str = "") -> Ending:\n'
        "        await asyncio.sleep(1e6)\n",
    )


def put(directory: Path, content: bytes) -> None:
    """Put a payload in place of the one that is there, in one step."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{NAME}.new"
    temporary.write_bytes(content)
    temporary.replace(directory / NAME)
