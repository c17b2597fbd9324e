"""Files of the agent's user, over SFTP."""

from __future__ import annotations

import sys
from typing import Any, Type

import asyncssh


class Files(asyncssh.SFTPServer):
    """Files of the agent's user. It ends with a status, as scp wants to see."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(chan)
        self._own_channel = chan

    def exit(self) -> None:
        self._own_channel.exit(0)


_CHANGES = (
    "remove",
    "rename",
    "posix_rename",
    "mkdir",
    "rmdir",
    "setstat",
    "lsetstat",
    "fsetstat",
    "symlink",
    "link",
)
_WRITING = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC
_READS_56 = 0x1 | 0x8  # ACE4_READ_DATA | ACE4_READ_NAMED_ATTRS
_WRITES_56 = 0x2 | 0x4 | 0x10  # ACE4_WRITE_DATA | ACE4_APPEND_DATA | ACE4_WRITE_NAMED_ATTRS
_OPEN_EXISTING = 2  # FXF_OPEN_EXISTING, of the low three bits
_DISPOSITION = 0x7


def one_way(files: Type[Files], *, reads: bool, writes: bool) -> Type[Files]:
    """Return `files` without the reading, or the writing, of what is in them.

    Directories are listed in any case: whoever uploads must see where to.
    """

    def check(reading: bool, writing: bool) -> None:
        if reading and not reads:
            raise asyncssh.SFTPPermissionDenied("this session may not download files")
        if writing and not writes:
            raise asyncssh.SFTPPermissionDenied("this session may not upload or change files")

    class OneWay(files):  # type: ignore[misc, valid-type] # its base is a parameter
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            check(bool(pflags & asyncssh.FXF_READ), bool(pflags & _WRITING))
            return super().open(path, pflags, attrs)

        def open56(
            self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs
        ) -> Any:
            makes = flags & _DISPOSITION != _OPEN_EXISTING
            check(bool(desired_access & _READS_56), makes or bool(desired_access & _WRITES_56))
            return super().open56(path, desired_access, flags, attrs)

    def refused(self: Files, *_what: Any, **_more: Any) -> Any:
        check(False, True)

    if not writes:
        for name in _CHANGES:
            setattr(OneWay, name, refused)
    return OneWay


def system_files() -> Type[Files]:
    """Return what serves the files of this operating system."""
    if sys.platform == "win32":
        from tremplin_agent.ssh.windows_files import Drives

        return Drives
    return Files
