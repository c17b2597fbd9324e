"""Files of the agent's user, over SFTP."""

from __future__ import annotations

import sys
from typing import Type

import asyncssh


class Files(asyncssh.SFTPServer):
    """Files of the agent's user. It ends with a status, as scp wants to see."""

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(chan)
        self._own_channel = chan

    def exit(self) -> None:
        self._own_channel.exit(0)


def system_files() -> Type[Files]:
    """Return what serves the files of this operating system."""
    if sys.platform == "win32":
        from tremplin_agent.ssh.windows_files import Drives

        return Drives
    return Files
