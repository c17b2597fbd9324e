"""What the `.bin` carries: its description, the stamped key info, and the files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

HEADER_LIMIT = 64 * 1024
_SLOT = re.compile(rb'^TREMPLIN_KEY_INFO="([^"\n]*)"', re.MULTILINE)
_CODE_PREFIXES = ("lib/", "tremplin_agent/")


@dataclass(frozen=True)
class Payload:
    """A payload. size: bytes of what it unpacks to."""

    path: Path
    platform: str
    size: int
    version: str = ""


def read(path: Path) -> Payload:
    """Return what `path` carries."""
    with zipfile.ZipFile(path) as archive:
        description = json.loads(archive.read("payload.json"))
        size = sum(member.file_size for member in archive.infolist())
    return Payload(path, str(description["platform"]), size, str(description["version"]))


def stamped_key(path: Path) -> str:
    """Return the key info in the shell header, empty in a generic payload."""
    with path.open("rb") as file:
        found = _SLOT.search(file.read(HEADER_LIMIT))
    return found.group(1).decode("ascii", "replace").strip("@ ") if found else ""


def unpack(path: Path, library: Path) -> None:
    """Write the agent and what it needs into `library`, which must not exist."""
    library.mkdir(mode=0o755)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir() or not member.filename.startswith(_CODE_PREFIXES):
                continue
            name = member.filename
            target = library / (name[4:] if name.startswith("lib/") else name)
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("xb") as file:
                while True:
                    piece = source.read(1 << 20)
                    if not piece:
                        break
                    file.write(piece)


def sync_tree(directory: Path) -> None:
    """Have the whole file system of `directory` written out: one call, not one per file."""
    try:
        subprocess.run(["sync", "-f", str(directory)], capture_output=True, check=True)  # noqa: S603, S607
    except (OSError, subprocess.CalledProcessError):
        os.sync()
