"""A customer: the real client, out of the real payload, in a terminal of its own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tremplin_agent.wire import SupportKey
from tremplin_server.installers.payload import SLOT_BYTES

from tests.boxes import Box, payload
from tests.console import Reachable
from tests.serving import until


def stamped(server: Reachable, key: str) -> bytes:
    """Return this platform's payload with a session key in it, as the server hands it out."""
    import hashlib
    import ssl

    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.ca_path.read_text())).digest()
    text = SupportKey((server.base_url,), pin, key).encode().encode()
    content = payload().read_bytes()
    assert content.count(b"@" * SLOT_BYTES) == 1
    return content.replace(b"@" * SLOT_BYTES, text.ljust(SLOT_BYTES))


class Customer:
    """One run of the client, in the box of an unprivileged user."""

    def __init__(
        self, box: Box, program: Path, *words: str, language: str = "C.UTF-8", **more: Any
    ) -> None:
        self.box = box
        self.shown = ""
        ours, theirs = pty.openpty()
        self._terminal = ours
        who = box._who(more.pop("as_root", False), language)
        who["env"]["TMPDIR"] = str(box.home)
        who["env"].update(more.pop("environment", {}))
        self.process = subprocess.Popen(
            ["sh", str(program), *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=_take_terminal,
            start_new_session=True,
            **who,
            **more,
        )
        os.close(theirs)
        os.set_blocking(ours, False)

    def read(self) -> str:
        """Return everything that the terminal has shown."""
        try:
            while True:
                received = os.read(self._terminal, 65536)
                if not received:
                    break
                self.shown += received.decode("utf-8", "replace")
        except (BlockingIOError, OSError):
            pass
        return self.shown

    def sees(self, text: str, seconds: float = 20.0) -> None:
        """Wait until the terminal shows a text; what came before it is forgotten."""
        deadline = time.monotonic() + seconds
        while text not in self.read():
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.shown}"
            time.sleep(0.02)
        self.shown = self.shown[self.shown.index(text) + len(text) :]

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._terminal, text.encode() + b"\n")

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def end(self, seconds: float = 20.0) -> int:
        """Wait for the end of the client; return its exit status."""
        until(lambda: (self.read(), self.process.poll())[1] is not None, "the end", seconds)
        return int(self.process.returncode)

    def kill(self) -> None:
        """End the whole client as a power cut does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1

    def leftovers(self) -> list[str]:
        """Return what is left in the home directory."""
        return sorted(path.name for path in self.box.home.iterdir())


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
