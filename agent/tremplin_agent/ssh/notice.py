"""The notice on the host's terminals that a session begins."""

from __future__ import annotations

import getpass
import logging
import os
import shutil
import stat
from contextlib import suppress
from typing import List, Optional

from tremplin_agent.ssh.login import PATH
from tremplin_agent.ssh.processes import Program, Reaper

log = logging.getLogger("tremplin.session")


def show_notice(text: str, reaper: Reaper) -> None:
    """Show a notice to all who are logged in, without waiting for any of their terminals.

    What the agent's account may write to it writes itself: its own terminals, and those
    that take messages (`mesg y`) when it is in the group tty. The others take words from
    `wall` only, where the system still gives that the rights of the group.
    """
    plain = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    missed = [path for path in _terminals() if not _written(path, plain)]
    if not missed:
        return
    wall = _wall()
    if wall:
        _run_wall(wall, plain, reaper)
        return
    # Debian took that right from `wall` in 2024 (CVE-2024-28085).
    log.warning(
        "the notice of a session does not reach %s: its user takes no messages, or %s is not "
        "in the group tty",
        ", ".join(missed),
        getpass.getuser(),
    )


def _wall() -> Optional[str]:
    path = shutil.which("wall", path=PATH)
    return path if path and os.stat(path).st_mode & stat.S_ISGID else None  # noqa: PTH116


def _terminals() -> List[str]:
    import psutil

    names = {str(user.terminal) for user in psutil.users() if user.terminal}
    paths = [os.path.join("/dev", name) for name in sorted(names)]  # noqa: PTH118
    return [path for path in paths if os.path.exists(path)]  # noqa: PTH110


def _written(path: str, text: str) -> bool:
    """Write to one terminal; return False when it is not ours to write to."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    try:
        # One that takes nothing now, because its user stopped it, goes without.
        with suppress(OSError):
            os.write(descriptor, f"\r\n\a{text}\r\n".replace("\n", "\r\n").encode())
    finally:
        os.close(descriptor)
    return True


def _run_wall(wall: str, text: str, reaper: Reaper) -> None:
    reading, writing = os.pipe()
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.set_blocking(writing, False)
        with suppress(OSError):
            os.write(writing, text.encode() + b"\n")
        program = Program(wall, ["wall"], {"PATH": PATH}, "/")
        reaper.start(program, [reading, nothing, nothing])
    except OSError as error:
        log.info("the notice is not shown: %s", error)
    finally:
        for descriptor in (reading, writing, nothing):
            os.close(descriptor)
