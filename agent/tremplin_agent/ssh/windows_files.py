"""Files on Windows: `/` holds the drives, and `/C:/Users` is C:\\Users."""

from __future__ import annotations

import re
import stat
import string
from pathlib import Path
from typing import Any, AsyncIterator, List

import asyncssh

from tremplin_agent.ssh.files import Files

_DRIVE = re.compile(rb"/[A-Za-z]:\Z")


def is_root(path: bytes) -> bool:
    """Return whether a path is the directory that holds the drives."""
    return path.startswith(b"/") and not path.strip(b"/.")


def whole(path: bytes) -> bytes:
    """Return a path in which a bare drive is that drive's root: `C:` alone means wherever
    a program happens to be on it."""
    return path + b"/" if _DRIVE.match(path) else path


def drives() -> List[bytes]:
    """Return the drives that are there, such as `C:`."""
    found = [letter for letter in string.ascii_uppercase if Path(f"{letter}:\\").exists()]
    return [f"{letter}:".encode() for letter in found]


def _directory() -> asyncssh.SFTPAttrs:
    return asyncssh.SFTPAttrs(permissions=stat.S_IFDIR | 0o555)


class Drives(Files):
    """All drives, below one root."""

    def map_path(self, path: bytes) -> bytes:
        return super().map_path(whole(path))

    def realpath(self, path: bytes) -> Any:
        if is_root(path):
            return b"/"
        return super().realpath(path)

    def stat(self, path: bytes) -> Any:
        return _directory() if is_root(path) else super().stat(path)

    def lstat(self, path: bytes) -> Any:
        return _directory() if is_root(path) else super().lstat(path)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        if not is_root(path):
            async for name in super().scandir(path):
                yield name
            return
        for drive in drives():
            yield asyncssh.SFTPName(drive, drive.decode(), _directory())
