"""Which front the customer gets: a page in his browser on a desktop, the terminal elsewhere."""

from __future__ import annotations

import os
import sys
from typing import Callable, List, Protocol, Union

from tremplin_agent.support.client import Front
from tremplin_agent.support.desk import Action, Desk
from tremplin_agent.support.terminal import Terminal
from tremplin_agent.support.window import Window, opener

Do = Callable[[List[Action]], None]


class AnyFront(Front, Protocol):
    """A front that can be asked to end.

    windowed: a password cannot be typed into it.
    """

    @property
    def windowed(self) -> bool:
        """Whether programs that ask for a password need a window of their own."""

    def interrupted(self) -> None:
        """End the session."""

    async def close(self) -> None:
        """Leave the screen."""


def has_terminal() -> bool:
    """Return whether somebody can be asked on a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def has_screen() -> bool:
    """Return whether there is a desktop to open a page on."""
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(shown) and opener() is not None


def front_for(desk: Desk, do: Do, in_terminal: bool = False) -> AnyFront:
    """Return the front of this host. in_terminal: the customer asks for that one."""
    if in_terminal or not has_screen():
        return Terminal(desk, do)
    return Desktop(desk, do)


class Desktop:
    """The page, and the terminal in its place where no browser comes."""

    def __init__(self, desk: Desk, do: Do) -> None:
        self._desk, self._do = desk, do
        self._front: Union[Window, Terminal] = Window(desk, do, self._not_seen)
        if has_terminal():
            _say(desk.speech.say("window"))

    @property
    def windowed(self) -> bool:
        """Whether the page is the front."""
        return self._front.windowed

    def show(self, text: str, author: str = "") -> None:
        """Show a line."""
        self._front.show(text, author)

    def ask(self, desk: Desk) -> None:
        """Show how the desk stands."""
        self._front.ask(desk)

    def pause(self) -> None:
        """Leave the keyboard to another program."""
        self._front.pause()

    def resume(self) -> None:
        """Take the keyboard again."""
        self._front.resume()

    def interrupted(self) -> None:
        """End the session."""
        self._front.interrupted()

    async def close(self) -> None:
        """Leave the screen."""
        await self._front.close()

    def _not_seen(self) -> None:
        window = self._front
        if not has_terminal() or not isinstance(window, Window):
            self.interrupted()
            return
        self._front = Terminal(self._desk, self._do)
        for name in ("no_window", "help"):
            self._front.show(self._desk.speech.say(name))
        for line in window.lines:
            self._front.show(line["text"], line["author"])
        self._front.ask(self._desk)


def _say(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        return
