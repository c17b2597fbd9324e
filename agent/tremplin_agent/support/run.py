"""A customer's client from its start to its end, once it is unpacked."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Optional

from tremplin_agent import wire
from tremplin_agent.installer.report import is_french
from tremplin_agent.slim import import_websockets
from tremplin_agent.store import Store
from tremplin_agent.support.desk import Desk
from tremplin_agent.support.words import Speech

SETTING = "setting.json"


def main(directory: Path, lifeline: int) -> int:
    """Attend as the setting in `directory` says; return the exit status.

    lifeline: a pipe that ends when the program that unpacked this is gone; then nobody else
    cleans up.
    """
    os.umask(0o077)
    import_websockets()
    logging.basicConfig(level=logging.CRITICAL)
    given = json.loads((directory / SETTING).read_text("utf-8"))
    (directory / SETTING).unlink()
    speech = Speech(is_french(os.environ))
    code = asyncio.run(_attend(directory, given, speech, lifeline))
    if _orphaned(lifeline):
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if code in ("", "support.closed", "support.customer_ended") else 1


async def _attend(directory: Path, given: Dict[str, Any], speech: Speech, lifeline: int) -> str:
    from tremplin_agent.support.client import Client, Setting
    from tremplin_agent.support.elevation import Elevation
    from tremplin_agent.support.fronts import front_for

    key = wire.SupportKey.decode(given["key"])
    payload = Path(given["payload"])
    desk = Desk(speech)
    (directory / "var").mkdir(mode=0o700, exist_ok=True)
    before: Optional[Path] = None
    if given.get("resume"):
        before = Path(given["resume"])
        Store(directory / "var").save_private_key(wire.b64decode(given["private_key"]))
        desk.recall(given["known"])
    setting = Setting(directory, payload, key, given["platform"], os.geteuid() == 0)
    client: Optional[Client] = None

    def do(actions: Any) -> None:
        if client is not None:
            client.do(actions)

    front = front_for(desk, do, bool(given.get("terminal")))
    front.show(speech.say("welcome" if before is None else "elevated"))
    if not front.windowed:
        front.show(speech.say("help"))
    elevation = Elevation(directory, payload, key, lambda: front.windowed, before)
    client = Client(setting, desk, front, elevation)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, front.interrupted)
    loop.add_signal_handler(signal.SIGINT, _pressed, elevation, front.interrupted)
    loop.add_reader(lifeline, _cut, loop, lifeline, front.interrupted)
    try:
        code = await client.run()
    finally:
        with suppress(ValueError):
            loop.remove_reader(lifeline)
    if elevation.handed_over:
        return code
    front.show(speech.say("ended"))
    await front.close()
    return code


def _pressed(elevation: Any, interrupted: Any) -> None:
    """End because of Ctrl-C, unless it was pressed at sudo's question for the password."""
    if not elevation.is_asking:
        interrupted()


def _cut(loop: asyncio.AbstractEventLoop, lifeline: int, interrupted: Any) -> None:
    """End because the program that started this one is gone."""
    loop.remove_reader(lifeline)
    interrupted()


def _orphaned(lifeline: int) -> bool:
    """Return whether the other end of the pipe is closed."""
    os.set_blocking(lifeline, False)
    try:
        return os.read(lifeline, 1) == b""
    except BlockingIOError:
        return False


def started() -> int:
    """Run as `launch` starts it: arguments are the directory and the pipe."""
    return main(Path(sys.argv[1]), int(sys.argv[2]))
