"""The real ssh of somebody with an account: a key, known hosts, a configuration."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.serving import PASSWORD, Server

PATIENCE = 40.0


@dataclass(frozen=True)
class Done:
    """How a command ended. err: what ssh itself had to say, mostly."""

    status: int
    out: bytes
    err: str


class Person:
    """Somebody with an account at a server and an ssh of his own.

    groups: whether he is a member of the Jump Group of the tests.
    """

    def __init__(self, server: Server, directory: Path, name: str, *, member: bool = True) -> None:
        self.server = server
        self.name = name
        self.key = directory / "key"
        self.known_hosts = directory / "known_hosts"
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-C", name, "-f", str(self.key)]
        subprocess.run(command, check=True)
        names = {"public_display_name": name, "private_display_name": name}
        self.id = server.made("/user", {"username": name, "password": PASSWORD, **names})["id"]
        if member:
            server.made(f"/jump-group/{server.group()}/user", {"user_id": self.id})

    @property
    def public_key(self) -> str:
        """The line of the public key."""
        return self.key.with_suffix(".pub").read_text("ascii").strip()

    def register(self) -> None:
        """Register the key."""
        self.server.made(f"/user/{self.id}/ssh-key", {"public_key": self.public_key})

    async def configure(self) -> None:
        """Write known hosts and configuration anew, as the server gives them out."""
        await asyncio.to_thread(self._configure)

    def _configure(self) -> None:
        self.known_hosts.write_text(self.server.text("/known-hosts"))
        config = self._directory / "config"
        wishes = {
            "user": self.name,
            "known_hosts_file": str(self.known_hosts),
            "identity_file": str(self.key),
        }
        common = "Host *\n    IdentitiesOnly yes\n    IdentityAgent none\n    ConnectTimeout 20\n"
        config.write_text(self.server.text(f"/ssh-config?{urlencode(wishes)}") + common)

    def ssh(self, *words: str) -> list[str]:
        """Return the command line of ssh with his configuration."""
        return ["ssh", "-F", str(self._directory / "config"), *words]

    async def run(self, *words: str, given: bytes = b"") -> Done:
        """Run ssh to its end. given: what it reads."""
        return await finished(self.ssh(*words), given)

    async def answers(self, *words: str, replies: Sequence[tuple[str, str]]) -> Done:
        """Run ssh on a terminal, and type a reply for each prompt that comes.

        replies: a pattern of what is asked, and what is typed then.
        """
        leader, follower = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *self.ssh(*words),
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(follower)
        try:
            shown = await asyncio.wait_for(_talk(leader, list(replies)), PATIENCE)
            return Done(await asyncio.wait_for(process.wait(), PATIENCE), shown, "")
        finally:
            os.close(leader)
            if process.returncode is None:
                process.kill()
                await process.wait()


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def _talk(leader: int, replies: list[tuple[str, str]]) -> bytes:
    shown, unanswered = b"", ""
    with suppress(OSError):
        while data := await asyncio.to_thread(os.read, leader, 65536):
            shown += data
            unanswered += data.decode("utf-8", "replace")
            while replies and re.search(replies[0][0], unanswered):
                os.write(leader, replies.pop(0)[1].encode() + b"\n")
                unanswered = ""
    return shown


async def finished(command: Sequence[str], given: bytes = b"") -> Done:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(given), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Done(process.returncode or 0, out, err.decode("utf-8", "replace"))
