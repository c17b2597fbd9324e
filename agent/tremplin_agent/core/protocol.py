"""The agent's side of the control channel, without I/O.

Frames come in through `Conversation.received`, actions come out; the shell carries them
out in order. One `Conversation` is one connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable, Dict, List, Optional, Protocol, Union

from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_agent.terms import Terms

_SESSION_ID = re.compile("[0-9a-f]{32}", re.ASCII)
"""It becomes part of file names: nothing else may pass."""


class Signer(Protocol):
    """What the conversation needs of an identity."""

    public_key: bytes

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`."""


Verifier = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, message) → whether it is genuine."""


@dataclass(frozen=True)
class Enrolment:
    """What a new agent enrols with."""

    installer_id: str
    secret: bytes = field(repr=False)
    overrides: Dict[str, Any] = field(default_factory=dict)
    facts: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attendance:
    """What a customer's client comes into a support session with."""

    key: str = field(repr=False)
    facts: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Self:
    """Who the agent is at the start of a connection.

    client_id: 0 before enrolment. server_key: identity key of the server, empty before
    enrolment. ca_pin: what the TLS connection was pinned to, empty without a pin.
    enrolment: set when client_id is 0. farewell: `UninstallReason` value of an agent
    that connects to say that it is gone. attendance: set for a customer's client, which is
    no Jump Client. visit: a passive agent that only checks in.
    """

    version: str
    platform: str
    fingerprint: str
    ca_pin: bytes
    client_id: int = 0
    server_key: bytes = b""
    enrolment: Optional[Enrolment] = None
    farewell: str = ""
    visit: bool = False
    attendance: Optional[Attendance] = None


@dataclass(frozen=True)
class Send:
    """Send this message."""

    message: wire.AgentMessage


@dataclass(frozen=True)
class LetIn:
    """The server welcomed the agent: keep what it says."""

    client_id: int
    server_key: bytes
    settings: Dict[str, Any]
    properties: Dict[str, Any]


@dataclass(frozen=True)
class TurnedAway:
    """The server refused the agent. final: trying again is useless."""

    code: str
    detail: str
    retry_after: int

    @property
    def final(self) -> bool:
        return self.retry_after <= 0


@dataclass(frozen=True)
class SetProperties:
    """Keep these properties, then acknowledge."""

    command_id: str
    properties: Dict[str, Any]


@dataclass(frozen=True)
class RemoveYourself:
    """A genuine order to uninstall: make the decision durable, then acknowledge."""

    command_id: str


@dataclass(frozen=True)
class Drained:
    """The server goes away; come back within `spread` seconds."""

    spread: float


@dataclass(frozen=True)
class HangUp:
    """The server does not keep to the protocol: close the connection."""

    reason: str


@dataclass(frozen=True)
class OpenSession:
    """Serve a session; `wire.SessionOpen` says what its parts are."""

    session_id: str
    token: str = field(repr=False)
    terms: Terms


@dataclass(frozen=True)
class CloseSession:
    """End this session now. code: why."""

    session_id: str
    code: str


@dataclass(frozen=True)
class Heard:
    """Something of a support session; its words are those of `tremplin_agent.wire.support`."""

    message: wire.ToCustomer


@dataclass(frozen=True)
class WakeNeighbours:
    """Wake other hosts of this one's networks; `wire.WakeOnLan` says what the targets are."""

    targets: Dict[str, Any]


Action = Union[
    Send, LetIn, TurnedAway, SetProperties, RemoveYourself, Drained, HangUp,
    OpenSession, CloseSession, WakeNeighbours, Heard,
]  # fmt: skip


class _Stage(Enum):
    SILENT = "silent"
    GREETED = "greeted"
    ANSWERED = "answered"
    IN = "in"
    OVER = "over"


class Conversation:
    """One connection with the server.

    me: who speaks. signer: the agent's key. verify: checks the server's signatures.
    """

    def __init__(self, me: Self, signer: Signer, verify: Verifier) -> None:
        self._me = me
        self._signer = signer
        self._verify = verify
        self._stage = _Stage.SILENT
        self._client_id = me.client_id
        self._server_key = me.server_key

    @property
    def is_in(self) -> bool:
        """Whether the server has welcomed the agent on this connection."""
        return self._stage is _Stage.IN

    def opened(self) -> List[Action]:
        """Return the greeting, once the connection stands."""
        self._stage = _Stage.GREETED
        me = self._me
        return [
            Send(
                wire.Hello(
                    protocol=wire.PROTOCOL_VERSION,
                    version=me.version,
                    platform=me.platform,
                    fingerprint=me.fingerprint,
                    client_id=me.client_id,
                    visit=int(me.visit),
                )
            )
        ]

    def received(self, frame: str) -> List[Action]:
        """Return what to do about a text frame of the server."""
        if self._stage is _Stage.OVER:
            return []
        try:
            message = wire.decode(frame)
            return self._answer(message)
        except wire.WireError as error:
            self._stage = _Stage.OVER
            return [HangUp(str(error))]

    def _answer(self, message: Optional[wire.Message]) -> List[Action]:
        if isinstance(message, wire.Challenge):
            return self._challenged(message)
        if isinstance(message, wire.Welcome):
            return self._welcomed(message)
        if isinstance(message, wire.Refused):
            self._stage = _Stage.OVER
            return [TurnedAway(message.code, message.detail, message.retry_after)]
        if isinstance(message, wire.Command):
            return self._commanded(message)
        if isinstance(message, wire.Drain):
            return [Drained(message.spread)]
        if isinstance(message, (wire.SessionOpen, wire.SessionClose)):
            return self._session(message)
        if (
            isinstance(message, wire.WakeOnLan)
            and self._stage is _Stage.IN
            and not self._me.farewell
        ):
            return [WakeNeighbours(message.targets)]
        if isinstance(message, wire.TO_CUSTOMER):
            attends = self._me.attendance is not None and self._stage is _Stage.IN
            return [Heard(message)] if attends else []
        return []

    def _session(self, message: Union[wire.SessionOpen, wire.SessionClose]) -> List[Action]:
        if self._stage is not _Stage.IN or self._me.farewell:
            return []
        number = message.session_id
        if not _SESSION_ID.fullmatch(number):
            raise wire.WireError("a session without a proper id")
        if isinstance(message, wire.SessionClose):
            return [CloseSession(number, message.code)]
        try:
            return [OpenSession(number, message.token, Terms.from_json(message.terms))]
        except wire.WireError as error:
            # Terms that cannot be read end this session, not the connection.
            code = Code.PROTOCOL_ERROR.value
            return [Send(wire.SessionEnded(number, code=code, detail=str(error)))]

    def _challenged(self, message: wire.Challenge) -> List[Action]:
        nonce = wire.b64decode(message.nonce)
        if self._stage is not _Stage.GREETED or len(nonce) != wire.NONCE_BYTES:
            raise wire.WireError("unexpected challenge")
        self._stage = _Stage.ANSWERED
        enrolment = self._me.enrolment
        if self._me.attendance is not None:
            return [Send(self._attend(self._me.attendance, nonce))]
        if self._me.client_id or enrolment is None:
            return [Send(self._proof(nonce))]
        return [Send(self._enrol(enrolment, nonce))]

    def _proof(self, nonce: bytes) -> wire.Proof:
        me = self._me
        signed = wire.proof_bytes(me.client_id, nonce, me.ca_pin)
        return wire.Proof(
            client_id=me.client_id,
            signature=wire.b64encode(self._signer.sign(signed)),
            ca_pin=wire.b64encode(me.ca_pin),
        )

    def _attend(self, attendance: Attendance, nonce: bytes) -> wire.Attend:
        pin = self._me.ca_pin
        signed = wire.attend_bytes(attendance.key, nonce, pin)
        return wire.Attend(
            key=attendance.key,
            public_key=wire.b64encode(self._signer.public_key),
            signature=wire.b64encode(self._signer.sign(signed)),
            ca_pin=wire.b64encode(pin),
            facts=attendance.facts,
        )

    def _enrol(self, enrolment: Enrolment, nonce: bytes) -> wire.Enrol:
        pin = self._me.ca_pin
        signed = wire.enrol_bytes(enrolment.installer_id, nonce, pin)
        return wire.Enrol(
            installer_id=enrolment.installer_id,
            secret=wire.b64encode(enrolment.secret),
            public_key=wire.b64encode(self._signer.public_key),
            signature=wire.b64encode(self._signer.sign(signed)),
            ca_pin=wire.b64encode(pin),
            overrides=enrolment.overrides,
            facts=enrolment.facts,
        )

    def _welcomed(self, message: wire.Welcome) -> List[Action]:
        if self._stage is not _Stage.ANSWERED:
            raise wire.WireError("unexpected welcome")
        self._stage = _Stage.IN
        self._client_id = message.client_id
        if not self._server_key:
            self._server_key = wire.b64decode(message.server_key)
        actions: List[Action] = [
            LetIn(message.client_id, self._server_key, message.settings, message.properties)
        ]
        if self._me.farewell:
            actions.append(Send(wire.Uninstalled(self._me.farewell)))
        return actions

    def _commanded(self, command: wire.Command) -> List[Action]:
        if self._stage is not _Stage.IN or self._me.farewell:
            return []
        fault = self._fault_of(command)
        if fault:
            code = Code.PROTOCOL_ERROR.value
            return [Send(wire.Ack(id=command.id, code=code, detail=fault))]
        if command.kind == wire.CommandKind.UNINSTALL.value:
            return [RemoveYourself(command.id)]
        return [SetProperties(command.id, command.body)]

    def _fault_of(self, command: wire.Command) -> str:
        """Return why the command must not be obeyed, or nothing."""
        try:
            kind = wire.CommandKind(command.kind)
        except ValueError:
            return "unknown command"
        if command.client_id != self._client_id:
            return "the command names another client"
        if not kind.signed:
            return ""
        signed = wire.command_bytes(command.id, command.kind, command.client_id, command.body)
        try:
            signature = wire.b64decode(command.signature)
        except wire.WireError:
            return "bad signature"
        return "" if self._verify(self._server_key, signature, signed) else "bad signature"
