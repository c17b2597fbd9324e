"""What a session needs of the operating system. `posix` and `windows` are the two that are.

Everything above (SSH, terms, limits, recordings) is the same on both.
"""

from __future__ import annotations

import asyncio
from typing import Callable, Mapping, NamedTuple, Optional, Protocol


class Size(NamedTuple):
    """Columns and rows of a terminal, then the same in pixels or 0."""

    columns: int
    rows: int
    width: int = 0
    height: int = 0


class Login(Protocol):
    """Whose session it is. shell: path of the program that runs commands. home: exists."""

    @property
    def shell(self) -> str: ...
    @property
    def home(self) -> str: ...


class Running(Protocol):
    """A program that a session started, with a terminal or with three pipes.

    ended: its exit status, or the negative number of the signal that ended it.
    """

    ended: asyncio.Future[int]

    def signal(self, name: str) -> None:
        """Send a signal by its name without SIG; what the system lacks does nothing."""

    async def read(self) -> bytes:
        """Return what it puts out, or what its terminal shows; nothing at the end."""

    async def read_errors(self) -> bytes:
        """Return what it puts out beside that, where it has no terminal."""

    async def write(self, data: bytes) -> None:
        """Give it input; OSError when it takes no more."""

    def close_input(self) -> None:
        """End its input, unless that is a terminal. May be called again."""

    def resize(self, size: Size) -> None:
        """Change its terminal."""

    def close(self) -> None:
        """Give back what is held for it."""


class Machine(Protocol):
    """The operating system, for one session. It ends with all that the session started."""

    @property
    def login(self) -> Login: ...

    def listen(self, told: Callable[[bytes], None], stop: Callable[[], None]) -> None:
        """Begin to listen for orders. told: takes what the agent's main process says, nothing
        when that is gone. stop: called when this process has to end."""

    def in_terminal(
        self,
        command: Optional[str],
        wanted: Mapping[str, str],
        own: Mapping[str, str],
        size: Size,
        modes: Mapping[int, int],
    ) -> Running:
        """Run a command, or the login shell for None, in a terminal; OSError if it can't be.

        wanted: environment that the client asks for. own: what the session adds. modes: of
        the terminal (RFC 4254, section 8).
        """

    def in_pipes(
        self, command: Optional[str], wanted: Mapping[str, str], own: Mapping[str, str]
    ) -> Running:
        """Run a command, or the login shell for None, without a terminal."""

    def show_notice(self, text: str) -> None:
        """Show a notice to those who sit at the host, without waiting for any of them."""

    async def end_all(self) -> None:
        """End everything that the session started; return when nothing of it is left."""
