"""Where the two halves of an update leave things for each other.

DIR/update.json        `core.updates.Progress`, the owner's word; anybody may read it
DIR/versions/NAME      a version of the code; DIR/lib is a link to the one that runs
DIR/previous           link to the version before, until the new one has proved itself
DIR/trial              for init-script: how many seconds a start may take, and the order
DIR/var/update/        what the agent staged: `order.json`, `payload`, and `welcomed`
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Dict

from tremplin_agent import wire
from tremplin_agent.core.updates import Progress, Step
from tremplin_agent.store import NO_FOLLOW, write_durably

PROGRESS, PREVIOUS, TRIAL = "update.json", "previous", "trial"
STAGING = "update"
"""In the agent's own directory."""
ORDER, PAYLOAD, WELCOMED = "order.json", "payload", "welcomed"
_LARGEST_NOTE = 64 * 1024


def progress(directory: Path) -> Progress:
    """Return how far the last update of the installation in `directory` came."""
    try:
        body = json.loads((directory / PROGRESS).read_text("utf-8"))
        known = {part.name for part in fields(Progress)}
        found = Progress(**{key: body[key] for key in body if key in known})
        return replace(found, step=Step(found.step))
    except (OSError, ValueError, TypeError):
        return Progress()


def save_progress(directory: Path, value: Progress) -> None:
    """Keep it, so that a power cut leaves what was or what is."""
    text = json.dumps({**asdict(value), "step": value.step.value}, indent=1, sort_keys=True)
    write_durably(directory / PROGRESS, text.encode() + b"\n", 0o644)


def order_text(command: wire.Command) -> bytes:
    """Return what the agent stages of an order, its signature included."""
    return json.dumps(asdict(command), sort_keys=True).encode()


def order_of(raw: bytes) -> wire.Command:
    """Return the command of `order_text`; WireError when it is none."""
    try:
        body: Dict[str, Any] = json.loads(raw)
        command = wire.Command(**body)
    except (ValueError, TypeError) as error:
        raise wire.WireError("the staged order is damaged") from error
    texts = (command.id, command.kind, command.signature)
    if not all(isinstance(text, str) for text in texts) or not isinstance(command.body, dict):
        raise wire.WireError("the staged order is damaged")
    if isinstance(command.client_id, bool) or not isinstance(command.client_id, int):
        raise wire.WireError("the staged order is damaged")
    return command


def open_foreign(path: Path) -> int:
    """Open a plain file that somebody else may have put there; OSError for anything else.

    Neither a link nor a pipe that nobody writes to may lead whoever reads it astray.
    """
    handle = os.open(path, os.O_RDONLY | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no plain file")
    return handle


def read_note(path: Path) -> bytes:
    """Return a short file of the agent's, empty when there is none."""
    try:
        with os.fdopen(open_foreign(path), "rb") as file:
            return file.read(_LARGEST_NOTE)
    except OSError:
        return b""
