"""The server's side of the control channel: frames and answers in, actions out, no I/O.

    HELLO ──hello──▶ CHALLENGED ──proof/enrol──▶ DECIDING ──admitted──▶ OPEN ──▶ CLOSED

The shell does what the actions say and brings the results back (`looked_up`, `joined`,
`refused`, `admitted`); every decision about them is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tremplin_agent import wire
from tremplin_agent.wire import Code

from tremplin_server.clients.models import TombstoneKind
from tremplin_server.clients.presence import Identity
from tremplin_server.errors import TremplinError, Unavailable

NORMAL, PROTOCOL_ERROR, POLICY, TRY_LATER = 1000, 1002, 1008, 1013
"""Close codes (RFC 6455 section 7.4.1, and 1013 of its IANA registry)."""

MAX_CLIENT_ID = 2**31 - 1
_MAX_TEXT = 256

_HOUR = 3600
RETRY_AFTER = {
    Code.CLIENT_MISSING.value: _HOUR,
    Code.ENROL_KEY_REPLACED.value: _HOUR,
    Code.ENROL_BAD_PROOF.value: _HOUR,
    Code.PROTOCOL_VERSION.value: _HOUR,
    Code.ENROL_CLONE.value: 300,
    Code.LIMIT_TOTAL.value: 300,
    Code.LIMIT_ACTIVE.value: 300,
    Code.PROTOCOL_ERROR.value: 60,
}
"""Seconds after which trying again may help; a code that is not here is final."""

_CLOSE_CODES = {
    Code.PROTOCOL_ERROR.value: PROTOCOL_ERROR,
    Code.PROTOCOL_VERSION.value: PROTOCOL_ERROR,
    Code.ENROL_BUSY.value: TRY_LATER,
}


class Phase(Enum):
    """Where a connection stands."""

    HELLO = auto()
    CHALLENGED = auto()
    DECIDING = auto()
    OPEN = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message."""

    message: wire.ServerMessage


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find the identities of a client id, then call `looked_up`.

    visit: a passive agent checks in, which is in no hurry.
    """

    client_id: int
    visit: bool = False


@dataclass(frozen=True, slots=True)
class EnrolHost:
    """Enrol the host, then call `joined` or `refused`."""

    hello: wire.Hello
    enrol: wire.Enrol
    nonce: bytes


@dataclass(frozen=True, slots=True)
class AttendHost:
    """Let a customer's client into its support session, then call `joined` or `refused`."""

    hello: wire.Hello
    attend: wire.Attend
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Join:
    """Make sure that no other live connection has this identity, write that it is here,
    then call `admitted`, or `refused` with `enrol.clone`."""

    identity: Identity
    hello: wire.Hello


@dataclass(frozen=True, slots=True)
class NoteUnknown:
    """List the key that nobody knows."""

    hello: wire.Hello


@dataclass(frozen=True, slots=True)
class Report:
    """Write down what an admitted agent says."""

    identity: Identity
    message: wire.AgentMessage


Action = Send | Close | LookUp | EnrolHost | AttendHost | Join | NoteUnknown | Report
Actions = list[Action]


class ControlProtocol:
    """One connection.

    nonce: NONCE_BYTES random bytes. accepted_pins: the pins that agents of this site may
    have; a proof made for another pin was made for another server.
    """

    __slots__ = ("_hello", "_nonce", "_pins", "_proof", "identity", "phase")

    def __init__(self, nonce: bytes, accepted_pins: frozenset[bytes]) -> None:
        self.phase = Phase.HELLO
        self.identity: Identity | None = None
        self._nonce = nonce
        self._pins = accepted_pins
        self._hello: wire.Hello | None = None
        self._proof: wire.Proof | None = None

    @property
    def waits_for_agent(self) -> bool:
        """Whether the agent still owes a frame of the handshake."""
        return self.phase in (Phase.HELLO, Phase.CHALLENGED)

    # --- what the agent says ------------------------------------------------------------

    def received(self, frame: str | None) -> Actions:
        """Take a text frame; None stands for a binary one, which no agent sends."""
        if self.phase is Phase.CLOSED:
            return []
        if frame is None:
            return self.refused(TremplinError("protocol.error"))
        try:
            message = wire.decode(frame)
            return [] if message is None else self._take(message)
        except wire.WireError:
            return self.refused(TremplinError("protocol.error"))

    def _take(self, message: wire.Message) -> Actions:
        if self.phase is Phase.HELLO and isinstance(message, wire.Hello):
            return self._greeted(message)
        if self.phase is Phase.CHALLENGED and isinstance(message, wire.Proof):
            return self._proving(message)
        if self.phase is Phase.CHALLENGED and isinstance(message, wire.Enrol):
            assert self._hello is not None, "CHALLENGED comes after hello"
            self.phase = Phase.DECIDING
            return [EnrolHost(self._hello, message, self._nonce)]
        if self.phase is Phase.CHALLENGED and isinstance(message, wire.Attend):
            assert self._hello is not None, "CHALLENGED comes after hello"
            self.phase = Phase.DECIDING
            return [AttendHost(self._hello, message, self._nonce)]
        if self.phase is Phase.OPEN:
            assert self.identity is not None, "OPEN comes after an identity"
            known = _REPORTS if self.identity.client_id > 0 else _OF_CUSTOMERS
            if isinstance(message, known):
                return [Report(self.identity, cast(wire.AgentMessage, message))]
        return self.refused(TremplinError("protocol.error"))

    def _greeted(self, hello: wire.Hello) -> Actions:
        if hello.protocol != wire.PROTOCOL_VERSION:
            return self.refused(TremplinError("protocol.version"))
        if max(len(hello.version), len(hello.platform), len(hello.fingerprint)) > _MAX_TEXT:
            return self.refused(TremplinError("protocol.error"))
        self._hello = hello
        self.phase = Phase.CHALLENGED
        return [Send(wire.Challenge(wire.b64encode(self._nonce)))]

    def _proving(self, proof: wire.Proof) -> Actions:
        if not 0 < proof.client_id <= MAX_CLIENT_ID:
            return self.refused(TremplinError("protocol.error"))
        self._proof = proof
        self.phase = Phase.DECIDING
        assert self._hello is not None, "a proof comes after hello"
        return [LookUp(proof.client_id, bool(self._hello.visit))]

    # --- what the shell found -----------------------------------------------------------

    def looked_up(self, identities: Sequence[Identity]) -> Actions:
        """Take every key of the client id that was proved; the one that verifies speaks."""
        assert self._proof is not None, "only a proof asks for identities"
        assert self._hello is not None, "a proof comes after hello"
        try:
            pin, signature = (
                wire.b64decode(text) for text in (self._proof.ca_pin, self._proof.signature)
            )
        except wire.WireError:
            return self.refused(TremplinError("protocol.error"))
        signed = wire.proof_bytes(self._proof.client_id, self._nonce, pin)
        proved = [i for i in identities if _verifies(i.public_key, signature, signed)]
        if proved and pin in self._pins:
            return self._recognised(proved[0], self._hello)
        if identities:
            return self.refused(TremplinError("enrol.bad_proof"))
        missing = TremplinError("client.missing", id=self._proof.client_id)
        return [NoteUnknown(self._hello), *self.refused(missing)]

    def _recognised(self, identity: Identity, hello: wire.Hello) -> Actions:
        if identity.closed:
            return self.refused(TremplinError("client.uninstalled"))
        if identity.tombstone is TombstoneKind.REPLACED:
            return self.refused(TremplinError("enrol.key_replaced"))
        return [Join(identity, hello)]

    def joined(self, identity: Identity) -> Actions:
        """Take the identity that an enrolment gave."""
        assert self._hello is not None, "an enrolment comes after hello"
        return [Join(identity, self._hello)]

    def admitted(
        self,
        identity: Identity,
        server_key: bytes,
        settings: dict[str, Any],
        commands: Iterable[wire.Command],
    ) -> Actions:
        """Let the agent in and give it the commands that waited."""
        self.identity = identity
        self.phase = Phase.OPEN
        # What was needed to get in is needed no more, and 10,000 connections add up.
        self._hello = self._proof = None
        welcome = wire.Welcome(identity.client_id, wire.b64encode(server_key), settings)
        return [Send(welcome), *(Send(command) for command in commands)]

    def refused(self, error: TremplinError) -> Actions:
        """Tell the agent why it is not let in, or why it must leave, and close."""
        retry_after = RETRY_AFTER.get(error.code, 0)
        if isinstance(error, Unavailable):
            retry_after = error.retry_after
        self.phase = Phase.CLOSED
        return [
            Send(wire.Refused(error.code, error.text("en"), retry_after)),
            Close(_CLOSE_CODES.get(error.code, POLICY), error.code),
        ]

    def farewell_written(self) -> Actions:
        """Confirm `uninstalled`: closing normally after the commit is the confirmation."""
        self.phase = Phase.CLOSED
        return [Close(NORMAL)]


_REPORTS: tuple[type[Any], ...] = (
    wire.Ack,
    wire.Statistics,
    wire.UserChanged,
    wire.Disabled,
    wire.Enabled,
    wire.Uninstalled,
    wire.Log,
    wire.SessionEnded,
)


_OF_CUSTOMERS: tuple[type[Any], ...] = (*wire.FROM_CUSTOMER, wire.SessionEnded)


def _verifies(public_key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
