"""Support sessions with a customer: their messages, and the key that a customer gets.

A customer's client speaks on the control channel like an agent, but attends instead of
enrolling: it has no record, and its number on the channel is the negative one of its
support session. It is let in with `Welcome` and from then on gets and sends what is here,
besides `SessionOpen`, `SessionClose` and `SessionEnded`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, Tuple, Type, Union

from tremplin_agent.wire.base import WireError, b64decode, b64encode

KEY_ALPHABET = "ACDEFGHJKMNPQRTUWXY34679"
"""Neither 0 and O, 1 and I and L, 2 and Z, 5 and S, 8 and B, nor U and V: what is read aloud
on the telephone must not be misheard or misread."""
KEY_LENGTH = 9
_ATTEND_LABEL = b"tremplin attend v1\0"


class Grant(str, Enum):
    """What a customer may allow. The values are keys of `Ask.wanted` and `Answer.granted`."""

    SHELL = "shell"
    FILES = "files"
    ELEVATION = "elevation"


@dataclass(frozen=True)
class Attend:
    """Come into a support session with its key; the same key and public key come back.

    facts: hostname, operating_system, console_user, language, elevated (bool).
    """

    TYPE = "attend"
    key: str = field(repr=False)
    public_key: str
    signature: str
    ca_pin: str
    facts: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """A technician has taken the session: ask the customer. wanted: `Grant` value → true.

    number: of this question; the answer repeats it, and one to an older question is void.
    """

    TYPE = "support_ask"
    number: int
    technician: str
    wanted: Dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the customer grants from now on; sent again when he takes something back.

    number: 0 when it answers no question. granted: `Grant` value → whether he allows it.
    """

    TYPE = "support_answer"
    granted: Dict[str, Any]
    number: int = 0


@dataclass(frozen=True)
class Chat:
    """A line of the chat. The server's have a number, by which they are told apart, and an
    author; kind: `customer`, `technician`, or `event` with what happened as the text."""

    TYPE = "support_chat"
    text: str
    number: int = 0
    author: str = ""
    kind: str = "customer"


@dataclass(frozen=True)
class Raise:
    """The technician asks for the rights of the administrator of the computer."""

    TYPE = "support_raise"
    number: int
    technician: str


@dataclass(frozen=True)
class Pin:
    """Install a Jump Client from this payload, once the customer agrees.

    key_info: of an installer that was made for this and works once.
    """

    TYPE = "support_pin"
    number: int
    technician: str
    key_info: str = field(repr=False)
    group: str = ""


@dataclass(frozen=True)
class PinAnswer:
    """What became of a pin. code: empty when the Jump Client is installed."""

    TYPE = "support_pin_answer"
    number: int
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class SupportEnd:
    """The support session is over, for the side that hears it. code: why."""

    TYPE = "support_end"
    code: str = ""


FromCustomer = Union[Answer, Chat, PinAnswer, SupportEnd]
ToCustomer = Union[Ask, Chat, Raise, Pin, SupportEnd]
FROM_CUSTOMER: Tuple[Type[Any], ...] = (Answer, Chat, PinAnswer, SupportEnd)
TO_CUSTOMER: Tuple[Type[Any], ...] = (Ask, Chat, Raise, Pin, SupportEnd)


def attend_bytes(key: str, nonce: bytes, ca_pin: bytes) -> bytes:
    """Return what a customer's client signs to show that it holds its private key."""
    return _ATTEND_LABEL + normal_key(key).encode() + nonce + ca_pin


def normal_key(typed: str) -> str:
    """Return a session key as it is meant, however it was typed; WireError if it is none."""
    key = "".join(letter for letter in typed.upper() if letter not in " -.\t\n\r\u00a0\u2011")
    if len(key) != KEY_LENGTH or any(letter not in KEY_ALPHABET for letter in key):
        raise WireError("not a session key")
    return key


def shown_key(key: str) -> str:
    """Return a session key in groups of three, as people read it to one another."""
    return "-".join(key[start : start + 3] for start in range(0, len(key), 3))


@dataclass(frozen=True)
class SupportKey:
    """What a customer's client needs: where the server is, and the session key.

    urls, ca_pin: as in `KeyInfo`. key: empty when the customer types it. It is stamped into
    a payload like key info, which it is told from by its `k`.
    """

    urls: Tuple[str, ...]
    ca_pin: bytes
    key: str = field(default="", repr=False)

    def encode(self) -> str:
        """Return the opaque, URL-safe, unpadded form."""
        body = {"v": 1, "u": list(self.urls), "p": b64encode(self.ca_pin), "k": self.key}
        return b64encode(json.dumps(body, separators=(",", ":")).encode())

    @classmethod
    def decode(cls, text: str) -> SupportKey:
        """Return the support key of `text`; WireError when it is something else."""
        try:
            body = json.loads(b64decode(text.strip()))
            urls, pin, key, version = body["u"], b64decode(body["p"]), body["k"], body["v"]
            good = version == 1 and bool(urls) and len(pin) in (0, 32)
            good = good and all(url.startswith("https://") for url in urls)
            return cls(tuple(urls), pin, normal_key(key) if key else "") if good else _damaged()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WireError("the session key is damaged or incomplete") from error


def _damaged() -> SupportKey:
    raise WireError("the session key is damaged or incomplete")
