"""What the agent's main process and its session host say to each other: lines of JSON.

Main process → host: `Setup` once, then `Open` and `Close`. Host → main process: `Ended`.
A session's process gets `Close` and gives `Ended` in the same way.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, List, Type, Union


@dataclass(frozen=True)
class Setup:
    """What all sessions of a host share.

    var: directory that the agent keeps its things in. ca_pin: hex. log_name: name under
    which to log, empty to leave the log alone.
    """

    TYPE = "setup"
    var: str
    ca_pin: str = ""
    log_name: str = ""


@dataclass(frozen=True)
class Open:
    """Serve a session. url: base URL of the server. heartbeat: seconds of silence after
    which the connection is tried. terms: JSON form of `Terms`. until: when the session
    has to end, by the host's monotonic clock; 0 to leave that to the server."""

    TYPE = "open"
    session_id: str
    token: str = field(repr=False)
    url: str
    terms: Dict[str, Any]
    heartbeat: float
    until: float = 0.0


@dataclass(frozen=True)
class Close:
    """End a session. code: why."""

    TYPE = "close"
    session_id: str
    code: str


@dataclass(frozen=True)
class Ended:
    """A session is over, and nothing of it is left. code: why, empty for a plain end."""

    TYPE = "ended"
    session_id: str
    code: str = ""
    detail: str = ""


Order = Union[Setup, Open, Close, Ended]
_KINDS: Dict[str, Type[Any]] = {kind.TYPE: kind for kind in (Setup, Open, Close, Ended)}


def encode(order: Order) -> bytes:
    """Return the line of an order."""
    return json.dumps({"type": order.TYPE, **asdict(order)}).encode() + b"\n"


def decode(line: bytes) -> Order:
    """Return the order of a line; ValueError when it is none."""
    body = json.loads(line)
    kind = _KINDS[body.pop("type")]
    known = {part.name for part in fields(kind)}
    order: Order = kind(**{name: body[name] for name in body if name in known})
    return order


class Lines:
    """Cuts what is received into orders."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> List[Order]:
        """Return the orders that are complete now."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [decode(line) for line in lines]
