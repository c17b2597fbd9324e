"""The customer's side in a terminal: lines in, lines out."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Callable, List, Optional

from tremplin_agent.support.desk import Action, Desk, Question

YES = ("y", "yes", "o", "oui")
_COMMANDS = {
    "/end": "end", "/fin": "end", "/quit": "end", "/exit": "end",
    "/stop": "stop", "/retirer": "stop",
    "/allow": "allow", "/autoriser": "allow",
    "/help": "help", "/aide": "help",
}  # fmt: skip
_LONGEST_LINE = 8192


def understood(desk: Desk, line: str) -> List[Action]:
    """Return what a typed line does: an answer, a command, or a line of the chat."""
    text = line.strip()
    command = _COMMANDS.get(text.lower())
    if command == "end":
        return desk.end()
    if command == "stop":
        return desk.withdraw()
    if desk.question is not None:
        return desk.reply(text.lower() in YES)
    if command == "allow":
        return desk.allow_again()
    if command == "help" or text.startswith("/"):
        return []
    return desk.say(text)


class Terminal:
    """Reads standard input and writes standard output.

    do: takes what the customer's words lead to.
    """

    windowed = False

    def __init__(self, desk: Desk, do: Callable[[List[Action]], None]) -> None:
        self._desk, self._do = desk, do
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._asked: Optional[Question] = None
        self._reading = False
        self.resume()

    def show(self, text: str, author: str = "") -> None:
        """Write a line."""
        self._write(f"{printable(f'{author}: {text}' if author else text)}\n")

    def ask(self, desk: Desk) -> None:
        """Write the question, once."""
        question = desk.question
        if question is not None and question is not self._asked:
            self._write(printable(question.text) + desk.speech.say("yes_no"))
        self._asked = question

    def pause(self) -> None:
        """Read no more: another program has the terminal."""
        if self._reading:
            self._loop.remove_reader(sys.stdin.fileno())
            self._reading = False

    def resume(self) -> None:
        """Read again."""
        if not self._reading:
            self._loop.add_reader(sys.stdin.fileno(), self._read)
            self._reading = True

    def interrupted(self) -> None:
        """End the session: Ctrl-C, or the terminal is gone."""
        self._do(self._desk.end())

    async def close(self) -> None:
        """Read no more, and say what remains."""
        self.pause()
        self.show(self._desk.speech.say("gone"))

    def _read(self) -> None:
        try:
            received = os.read(sys.stdin.fileno(), 4096)
        except OSError:
            received = b""
        if not received:
            self.pause()
            self.interrupted()
            return
        *lines, self._rest = (self._rest + received).split(b"\n")
        self._rest = self._rest[-_LONGEST_LINE:]
        for line in lines:
            text = line.decode("utf-8", "replace")
            if text.strip().lower() in ("/help", "/aide"):
                self.show(self._desk.speech.say("help"))
            # A question that is put again must be seen again.
            self._asked = None if self._desk.question is not None else self._asked
            self._do(understood(self._desk, text))

    @staticmethod
    def _write(text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            # The terminal is gone; its end is noticed where it is read.
            return


def printable(text: str) -> str:
    """Return a text without what could steer the terminal: others wrote it."""
    return "".join(c if c.isprintable() else " " for c in text)
