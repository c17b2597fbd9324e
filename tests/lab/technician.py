"""A technician in the lab's network: unmodified ssh and its relatives, through the bastion."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.site import Site
from tests.lab.wait import until

PATIENCE = 60.0
PASSWORD = "only for tests 1"


class Technician:
    """Somebody with an account, a registered key, and the files that `tremplin` prints.

    language: of the account, such as `fr`.
    """

    def __init__(
        self, lab: Lab, site: Site, directory: Path, name: str, language: str = "en"
    ) -> None:
        self.name = name
        self.key = directory / f"{name}-key"
        self.known_hosts = directory / f"{name}-known_hosts"
        self._lab = lab
        self._site = site
        self._config = directory / f"{name}-config"
        command = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-C", name, "-f", str(self.key)]
        subprocess.run(command, check=True)
        self._register(language)

    def _register(self, language: str) -> None:
        api = self._site.api()
        names = {"public_display_name": self.name, "private_display_name": self.name}
        account = {"username": self.name, "password": PASSWORD, **names}
        account["preferred_email_language"] = language
        user = api.call("POST", "/user", account)
        group = api.call("GET", "/jump-group", code_name="lab")[0]
        api.call("POST", f"/jump-group/{group['id']}/user", {"user_id": user["id"]})
        line = self.key.with_suffix(".pub").read_text("ascii")
        api.call("POST", f"/user/{user['id']}/ssh-key", {"public_key": line})

    def configure(self) -> None:
        """Write known hosts and configuration as the command line prints them."""
        self.known_hosts.write_text(self._site.command("known-hosts"))
        files = ["--known-hosts", str(self.known_hosts), "--identity-file", str(self.key)]
        printed = self._site.command("ssh-config", "--user", self.name, *files)
        # Only what was printed counts, nothing of whoever runs the tests.
        own = "Host *\n    IdentitiesOnly yes\n    IdentityAgent none\n    BatchMode yes\n"
        self._config.write_text(printed + own)

    def words(self, program: str, *words: str) -> list[str]:
        """Return a command line of ssh, scp or sftp in the lab's network."""
        inside = ["ip", "netns", "exec", self._lab.namespace]
        return [*inside, program, "-F", str(self._config), *words]

    @property
    def shell(self) -> str:
        """The ssh that rsync and git are told to use."""
        return shlex.join(self.words("ssh"))

    def start(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        """Start ssh, scp or sftp with pipes."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.words(program, *words), stdin=pipe, stdout=pipe, stderr=pipe)

    def run(
        self, program: str, *words: str, stdin: bytes = b"", seconds: float = PATIENCE
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ssh, scp or sftp to its end."""
        command = self.words(program, *words)
        return subprocess.run(command, input=stdin, capture_output=True, timeout=seconds)

    def checked(self, program: str, *words: str, stdin: bytes = b"") -> bytes:
        """Run ssh, scp or sftp, and return what it wrote; AssertionError when it failed."""
        done = self.run(program, *words, stdin=stdin)
        told = done.stderr.decode("utf-8", "replace")
        assert done.returncode == 0, f"{program} {shlex.join(words)}: {done.returncode} {told}"
        return done.stdout

    @contextmanager
    def terminal(self, *words: str, rows: int = 24, columns: int = 80) -> Iterator[Terminal]:
        """Give an ssh on a terminal of its own."""
        terminal = Terminal(self.words("ssh", "-tt", *words), rows, columns)
        try:
            yield terminal
        finally:
            terminal.close()


class Terminal:
    """A program on a pseudo-terminal, as a person has it in a window."""

    def __init__(self, command: Sequence[str], rows: int, columns: int) -> None:
        self._process, self._leader = pty.fork()
        if self._process == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(command[0], list(command))
        self.shown = ""
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type `text`; a control character is what a key with Ctrl gives."""
        os.write(self._leader, text.encode())

    def expect(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        """Read until `pattern` was shown, and forget everything up to it."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.shown)
            if found:
                self.shown = self.shown[found.end() :]
                return found
            assert time.monotonic() < end, f"no {pattern!r} in: {self.shown[-2000:]!r}"
            if select.select([self._leader], [], [], 0.1)[0] and not self._read():
                raise AssertionError(f"it ended without {pattern!r}: {self.shown[-2000:]!r}")

    def status(self, seconds: float = PATIENCE) -> int:
        """Return the exit status of the program, once it ended."""
        ended: list[int] = []

        def over() -> bool:
            while select.select([self._leader], [], [], 0)[0] and self._read():
                pass
            pid, status = os.waitpid(self._process, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        until(over, "the program to end", seconds=seconds)
        self._process = 0
        return ended[0]

    def kill(self) -> None:
        """End the program at once, as a dead battery does."""
        if self._process:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)
            self._process = 0

    def close(self) -> None:
        """Close the window."""
        os.close(self._leader)
        self.kill()

    def _read(self) -> bool:
        try:
            data = os.read(self._leader, 65536)
        except OSError:
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)
