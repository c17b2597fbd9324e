"""Which front the customer gets: a window on a desktop, the terminal elsewhere."""

from __future__ import annotations

import os
import sys
from typing import Callable, List, Protocol

from tremplin_agent.support.client import Front
from tremplin_agent.support.desk import Action, Desk
from tremplin_agent.support.terminal import Terminal

Do = Callable[[List[Action]], None]


class AnyFront(Front, Protocol):
    """A front that can be asked to end."""

    windowed: bool

    def interrupted(self) -> None:
        """End the session."""

    def close(self) -> None:
        """Leave the screen."""


def has_terminal() -> bool:
    """Return whether somebody can be asked on a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def has_screen() -> bool:
    """Return whether there is a desktop to open a window on."""
    return bool(os.environ.get("DISPLAY"))


def front_for(desk: Desk, do: Do) -> AnyFront:
    """Return the front of this host."""
    return Terminal(desk, do)
