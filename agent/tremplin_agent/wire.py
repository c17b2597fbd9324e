"""The wire protocol of the control channel: messages, codes, key info, signatures.

Agent and server both import this module; it holds no I/O and needs nothing beyond the
standard library. Messages are JSON objects in WebSocket text frames, `{"type": …}`.
Unknown types decode to None and unknown fields are ignored, so that either side may be
newer than the other. Binary values travel as URL-safe base64 without padding.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, TypeVar, Union

from tremplin_agent.codes import Code

PROTOCOL_VERSION = 1
CONTROL_PATH = "/agent/v1/control"
CA_PATH = "/agent/v1/ca.pem"
SESSION_PATH = "/agent/v1/session/"
"""Followed by the session's id; a WebSocket whose binary frames are the bytes of SSH."""
RECORDING_PATH = "/agent/v1/recording/"
"""Followed by the session's id, a slash and the number of the terminal in it, from 1."""
MAX_FRAME = 256 * 1024
"""Bytes of the largest control frame that either side accepts."""

NONCE_BYTES = 32
SECRET_BYTES = 16
_PROOF_LABEL = b"tremplin proof v1\0"
_ENROL_LABEL = b"tremplin enrol v1\0"
_COMMAND_LABEL = b"tremplin command v1\0"
_RECORDING_LABEL = b"tremplin recording v1\0"


class WireError(ValueError):
    """A frame, a key info or a field that does not keep to the protocol."""


def b64encode(raw: bytes) -> str:
    """Return `raw` as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def b64decode(text: str) -> bytes:
    """Return the bytes of URL-safe base64 without padding; WireError if it is not."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError("not URL-safe base64") from error


# --- key info -------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyInfo:
    """What an installer needs to find its server and to be let in.

    urls: base URLs of the server (`https://host[:port]`), tried in order.
    ca_pin: SHA-256 (32 bytes) of the DER form of the server's own CA certificate, or
        empty when the server has a certificate of a public authority.
    installer_id: 32 hexadecimal characters.
    secret: SECRET_BYTES random bytes; the server knows only their hash.
    """

    urls: Tuple[str, ...]
    ca_pin: bytes
    installer_id: str
    secret: bytes = field(repr=False)

    def encode(self) -> str:
        """Return the opaque, URL-safe, unpadded form."""
        body = {
            "v": 1,
            "u": list(self.urls),
            "p": b64encode(self.ca_pin),
            "i": self.installer_id,
            "s": b64encode(self.secret),
        }
        return b64encode(json.dumps(body, separators=(",", ":")).encode())

    @classmethod
    def decode(cls, text: str) -> KeyInfo:
        """Return the key info of `text`; WireError when it is cut, mistyped or foreign."""
        try:
            body = json.loads(b64decode(text.strip()))
            urls, installer_id = body["u"], body["i"]
            ca_pin, secret = b64decode(body["p"]), b64decode(body["s"])
            version = body["v"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WireError("the key info is damaged or incomplete") from error
        good = (
            version == 1
            and isinstance(urls, list)
            and bool(urls)
            and all(isinstance(url, str) and url.startswith("https://") for url in urls)
            and isinstance(installer_id, str)
            and len(installer_id) == 32
            and len(ca_pin) in (0, 32)
            and len(secret) == SECRET_BYTES
        )
        if not good:
            raise WireError("the key info is damaged or incomplete")
        return cls(tuple(urls), ca_pin, installer_id, secret)


# --- what is signed -------------------------------------------------------------------


def proof_bytes(client_id: int, nonce: bytes, ca_pin: bytes) -> bytes:
    """Return what a known agent signs: its id, the server's nonce and the TLS pin."""
    return _PROOF_LABEL + client_id.to_bytes(8, "big") + nonce + ca_pin


def enrol_bytes(installer_id: str, nonce: bytes, ca_pin: bytes) -> bytes:
    """Return what a new agent signs to show that it holds its private key."""
    return _ENROL_LABEL + installer_id.encode() + nonce + ca_pin


def command_bytes(command_id: str, kind: str, client_id: int, body: Mapping[str, Any]) -> bytes:
    """Return what the server's identity key signs under `uninstall` and `upgrade`."""
    text = json.dumps(
        {"id": command_id, "kind": kind, "client_id": client_id, "body": dict(body)},
        sort_keys=True,
        separators=(",", ":"),
    )
    return _COMMAND_LABEL + text.encode()


def recording_bytes(session_id: str, number: int, sha256: bytes) -> bytes:
    """Return what an agent signs to upload the recording with that digest."""
    return _RECORDING_LABEL + f"{session_id}/{number}/".encode() + sha256


# --- messages -------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """First frame of an agent. client_id is 0 for an agent that has not enrolled."""

    TYPE = "hello"
    protocol: int
    version: str
    platform: str
    fingerprint: str
    client_id: int = 0


@dataclass(frozen=True)
class Challenge:
    """The server's NONCE_BYTES random bytes, base64; signed by `Proof` or `Enrol`."""

    TYPE = "challenge"
    nonce: str


@dataclass(frozen=True)
class Enrol:
    """Ask for a record with an installer's key info.

    overrides: parameter name (see `tremplin_agent.parameters`) → value given at install.
    facts: install_dir, run_as, scope, startup and the first statistics.
    Repeating it with the same public key gives the same client id.
    """

    TYPE = "enrol"
    installer_id: str
    secret: str = field(repr=False)
    public_key: str
    signature: str
    ca_pin: str
    overrides: Dict[str, Any] = field(default_factory=dict)
    facts: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """The signature of `proof_bytes` by a known agent."""

    TYPE = "proof"
    client_id: int
    signature: str
    ca_pin: str


@dataclass(frozen=True)
class Welcome:
    """The agent is in. server_key is the identity key whose commands it obeys."""

    TYPE = "welcome"
    client_id: int
    server_key: str
    settings: Dict[str, Any]
    properties: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """The agent is not let in. retry_after (seconds) is 0 when trying again is useless."""

    TYPE = "refused"
    code: str
    detail: str = ""
    retry_after: int = 0


@dataclass(frozen=True)
class Command:
    """A stored order, repeated until acknowledged.

    kind: a `CommandKind` value. signature: of `command_bytes`, for the signed kinds.
    """

    TYPE = "command"
    id: str
    kind: str
    client_id: int
    body: Dict[str, Any] = field(default_factory=dict)
    signature: str = ""


@dataclass(frozen=True)
class Ack:
    """A command was carried out (`code` empty) or failed for good (`code`)."""

    TYPE = "ack"
    id: str
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Statistics:
    """What the host looks like now; keys are those of `STATISTICS_FIELDS`."""

    TYPE = "statistics"
    values: Dict[str, Any]


@dataclass(frozen=True)
class UserChanged:
    """Another console user (empty: nobody)."""

    TYPE = "user_changed"
    console_user: str


@dataclass(frozen=True)
class Disabled:
    """The local user switched the Jump Client off; no session until `Enabled`."""

    TYPE = "disabled"


@dataclass(frozen=True)
class Enabled:
    """The local user switched the Jump Client on again."""

    TYPE = "enabled"


@dataclass(frozen=True)
class Uninstalled:
    """The last word of an agent that was removed on its host. reason: `UninstallReason`."""

    TYPE = "uninstalled"
    reason: str


@dataclass(frozen=True)
class Log:
    """One line worth keeping at the server; level is a logging level name in lower case."""

    TYPE = "log"
    level: str
    code: str
    detail: str = ""


@dataclass(frozen=True)
class Drain:
    """The server is going away: reconnect after a random time up to `spread` seconds."""

    TYPE = "drain"
    spread: float


@dataclass(frozen=True)
class SessionOpen:
    """Dial `SESSION_PATH` with this one-time token as Bearer and serve SSH there.

    Never stored and never repeated: a session waits for nobody. terms: see `tremplin_agent.terms`.
    """

    TYPE = "session_open"
    session_id: str
    token: str = field(repr=False)
    terms: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionClose:
    """End this session now, with everything that it started. code: why."""

    TYPE = "session_close"
    session_id: str
    code: str


@dataclass(frozen=True)
class SessionEnded:
    """A session is over on the host, or was refused. code: why; empty for a plain end."""

    TYPE = "session_ended"
    session_id: str
    code: str = ""
    detail: str = ""


AgentMessage = Union[
    Hello, Enrol, Proof, Ack, Statistics, UserChanged, Disabled, Enabled, Uninstalled, Log,
    SessionEnded,
]  # fmt: skip
ServerMessage = Union[Challenge, Welcome, Refused, Command, Drain, SessionOpen, SessionClose]
Message = Union[AgentMessage, ServerMessage]

AGENT_MESSAGES: Tuple[Type[Any], ...] = (
    Hello, Enrol, Proof, Ack, Statistics, UserChanged, Disabled, Enabled, Uninstalled, Log,
    SessionEnded,
)  # fmt: skip
SERVER_MESSAGES: Tuple[Type[Any], ...] = (
    Challenge, Welcome, Refused, Command, Drain, SessionOpen, SessionClose,
)  # fmt: skip
_BY_TYPE: Dict[str, Type[Any]] = {m.TYPE: m for m in AGENT_MESSAGES + SERVER_MESSAGES}


class CommandKind(str, Enum):
    """What a `Command` may order. The signed kinds name the client in the signature."""

    PROPERTIES = "properties"
    UNINSTALL = "uninstall"

    @property
    def signed(self) -> bool:
        return self is CommandKind.UNINSTALL


class UninstallReason(str, Enum):
    """Why an agent is gone from its host."""

    BY_HAND = "by_hand"
    COMMAND = "command"
    OFFLINE_LIMIT = "offline_limit"
    WINDOW_CLOSED = "window_closed"


STATISTICS_FIELDS = (
    "hostname",
    "fqdn",
    "operating_system",
    "private_ip",
    "console_user",
    "uptime_seconds",
    "cpu_percent",
    "cpu_count",
    "memory_total_bytes",
    "memory_used_bytes",
    "disk_total_bytes",
    "disk_used_bytes",
)
"""Keys of `Statistics.values`; the public IP is what the server sees of the connection."""


def encode(message: Message) -> str:
    """Return the text frame of `message`."""
    body: Dict[str, Any] = {"type": message.TYPE}
    for part in fields(message):
        body[part.name] = getattr(message, part.name)
    return json.dumps(body, separators=(",", ":"))


_PLAIN: Dict[str, Type[Any]] = {"str": str, "int": int}
_M = TypeVar("_M")


def decode(frame: str) -> Optional[Message]:
    """Return the message of a text frame, or None when its type is unknown.

    Raises WireError when the frame is no JSON object, lacks a field or has one of
    another type.
    """
    if len(frame) > MAX_FRAME:
        raise WireError("the frame is too large")
    try:
        body = json.loads(frame)
    except ValueError as error:
        raise WireError("the frame is not JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise WireError("the frame has no type")
    kind = _BY_TYPE.get(body["type"])
    return None if kind is None else _build(kind, body)


def _build(kind: Type[_M], body: Mapping[str, Any]) -> _M:
    values: Dict[str, Any] = {}
    for part in fields(kind):  # type: ignore[arg-type]
        if part.name in body:
            values[part.name] = _checked(part.name, str(part.type), body[part.name])
    try:
        return kind(**values)
    except TypeError as error:
        raise WireError(f"{body['type']}: a field is missing") from error


def _checked(name: str, annotation: str, value: Any) -> Any:
    plain = _PLAIN.get(annotation)
    if plain is not None:
        good = isinstance(value, plain) and not isinstance(value, bool)
    elif annotation == "float":
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
    else:
        good = isinstance(value, dict)
    if not good:
        raise WireError(f"{name}: wrong type")
    return value


__all__: List[str] = [
    *(m.__name__ for m in AGENT_MESSAGES + SERVER_MESSAGES),
    "AgentMessage",
    "Code",
    "CommandKind",
    "KeyInfo",
    "Message",
    "ServerMessage",
    "UninstallReason",
    "WireError",
    "b64decode",
    "b64encode",
    "command_bytes",
    "decode",
    "encode",
    "enrol_bytes",
    "proof_bytes",
    "recording_bytes",
]
