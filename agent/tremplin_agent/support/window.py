"""The customer's side on a desktop: a small page in his own browser, served to him alone."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional

from tremplin_agent.support.desk import Action, Desk, Question
from tremplin_agent.support.loopback import Answer, Asked, Loopback, Refused, part

OPENER = "xdg-open"
COMING_SECONDS = 45.0
"""How long the browser may take to open the page."""
AWAY_SECONDS = 60.0
"""Who closes the page has ended the session; a page that is loaded again is back by then."""
WAIT_SECONDS = 20.0
"""How long a page waits for news in one request."""
CLOSING_SECONDS = 5.0
_LINES_KEPT = 1000
_LARGEST_TEXT = 4096
_LABELS = ("title", "message", "send", "yes", "no", "allow", "stop", "end", "who_is_here",
           "you_allow", "close_page", "lost_page")  # fmt: skip
_PARTS = {"/": "window.html", "/window.css": "window.css", "/window.js": "window.js"}


class Window:
    """A front in a browser. do: takes what the customer's words lead to.

    not_seen: called once when no browser opens the page.
    """

    windowed = True

    def __init__(
        self, desk: Desk, do: Callable[[List[Action]], None], not_seen: Callable[[], None]
    ) -> None:
        self._desk, self._do, self._not_seen = desk, do, not_seen
        self._lines: List[Dict[str, str]] = []
        self._dropped = 0
        self._number = 0
        """Of the newest change; a page waits for the one after what it has seen."""
        self._changed: List[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()
        self._seen = False
        self._question: Optional[Question] = None
        self._asked = 0
        """Tells the question of now from every other one."""
        self._over = False
        self._told_end = asyncio.Event()
        self._waiting = 0
        """How many requests of the page wait for news: it is looked at while any does."""
        self._watch: Optional[asyncio.TimerHandle] = None
        self._server = Loopback(self._reply, owner())
        self._opening = asyncio.ensure_future(self._open())

    # --- what the client shows ------------------------------------------------------------

    def show(self, text: str, author: str = "") -> None:
        """Add a line."""
        self._lines.append({"text": text, "author": author})
        if len(self._lines) > _LINES_KEPT:
            del self._lines[0]
            self._dropped += 1
        self._change()

    def ask(self, desk: Desk) -> None:
        """Show how the desk stands."""
        if desk.question is not self._question:
            self._question = desk.question
            self._asked += 1
        self._change()

    def pause(self) -> None:
        """A window of its own asks for the password: this one can stay."""

    def resume(self) -> None:
        """Go on."""

    def interrupted(self) -> None:
        """End the session."""
        self._do(self._desk.end())

    async def close(self) -> None:
        """Let the page say that it is over, then serve it no more."""
        self._over = True
        self._change()
        if self._seen:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._told_end.wait(), CLOSING_SECONDS)
        self.stop()

    def stop(self) -> None:
        """Serve the page no more."""
        self._opening.cancel()
        if self._watch is not None:
            self._watch.cancel()
        self._server.stop()

    @property
    def lines(self) -> List[Dict[str, str]]:
        """What was shown so far."""
        return list(self._lines)

    # --- the browser ------------------------------------------------------------------------

    async def _open(self) -> None:
        address = await self._server.start()
        self._look_after(COMING_SECONDS)
        try:
            process = await asyncio.get_running_loop().run_in_executor(None, _browse, address)
        except (OSError, subprocess.SubprocessError):
            self._away()
            return
        if process != 0 and not self._seen:
            self._away()

    def _look_after(self, seconds: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_later(seconds, self._away)

    def _away(self) -> None:
        """Nobody sees the page: the session must not go on behind his back."""
        if self._waiting or self._over:
            return
        if self._seen:
            self.interrupted()
        else:
            self.stop()
            self._not_seen()

    # --- what the page asks -------------------------------------------------------------------

    async def _reply(self, asked: Asked) -> Answer:
        if asked.method == "GET" and asked.path in _PARTS:
            return part(_PARTS[asked.path])
        if asked.path == "/state" and asked.method == "GET":
            return await self._state(asked.query)
        if asked.path == "/do" and asked.method == "POST":
            self._obey(asked.body)
            return Answer(b"{}")
        raise Refused("404 Not Found")

    async def _state(self, query: str) -> Answer:
        """Answer once something is newer than what the page has: `number-lines`."""
        number, _, lines = query.partition("-")
        self._seen = True
        self._waiting += 1
        try:
            if number == str(self._number) and not self._over:
                news: asyncio.Future[None] = self._loop.create_future()
                self._changed.append(news)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(news, WAIT_SECONDS)
        finally:
            self._waiting -= 1
            self._look_after(AWAY_SECONDS)
        if self._over:
            self._told_end.set()
        return Answer(json.dumps(self._body(int(lines) if lines.isdigit() else 0)).encode())

    def _body(self, has: int) -> Dict[str, Any]:
        desk, speech = self._desk, self._desk.speech
        question = self._question
        return {
            "number": self._number,
            "count": self._dropped + len(self._lines),
            "lines": self._lines[max(0, has - self._dropped) :],
            "question": None if question is None else {"id": self._asked, "text": question.text},
            "granted": [speech.say(each.value) for each in sorted(desk.granted)],
            "nothing": speech.say("nothing"),
            "people": desk.people,
            "over": self._over,
            "language": speech.language,
            "labels": {name: speech.say(name) for name in _LABELS},
        }

    def _obey(self, body: Dict[str, object]) -> None:
        what, text = body.get("what"), body.get("text")
        if what == "say" and isinstance(text, str):
            self._do(self._desk.say(text[:_LARGEST_TEXT]))
        elif what == "reply" and body.get("id") == self._asked:
            # A click on a question that has gone meanwhile answers no other one.
            self._do(self._desk.reply(body.get("yes") is True))
        elif what == "allow":
            self._do(self._desk.allow_again())
        elif what == "stop":
            self._do(self._desk.withdraw())
        elif what == "end":
            self._do(self._desk.end())

    def _change(self) -> None:
        self._number += 1
        waiting, self._changed = self._changed, []
        for news in waiting:
            if not news.done():
                news.set_result(None)


def owner() -> int:
    """Return the account of the person at the desktop: root's client was started by somebody."""
    if os.geteuid() == 0:
        for name in ("PKEXEC_UID", "SUDO_UID"):
            if os.environ.get(name, "").isdigit():
                return int(os.environ[name])
    return os.geteuid()


def opener() -> Optional[str]:
    """Return the program that opens a page in the desktop's browser, if there is one."""
    return shutil.which(OPENER)


def _browse(address: str) -> int:
    """Open the page as the person at the desktop, never as root; return the exit status."""
    command = [opener() or OPENER, address]
    more: Dict[str, Any] = {}
    if owner() != os.geteuid():
        person = pwd.getpwuid(owner())
        groups = os.getgrouplist(person.pw_name, person.pw_gid)
        more = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": groups}
        names = {"HOME": person.pw_dir, "USER": person.pw_name, "LOGNAME": person.pw_name}
        more["env"] = {**os.environ, **names}
    # Without a desktop it would start a browser in this terminal.
    done: subprocess.CompletedProcess[bytes] = subprocess.run(  # noqa: S603 - the desktop's own program
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True, check=False, cwd="/",
        timeout=COMING_SECONDS, **more,
    )  # fmt: skip
    return done.returncode
