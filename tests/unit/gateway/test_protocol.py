"""The server's side of the control channel, as tables of frames in and actions out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tremplin_agent import wire
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import TombstoneKind
from tremplin_server.clients.presence import Identity
from tremplin_server.errors import TremplinError, Unavailable
from tremplin_server.gateway.protocol import (
    Action,
    Close,
    ControlProtocol,
    EnrolHost,
    Join,
    LookUp,
    NoteUnknown,
    Phase,
    Report,
    Send,
)

NONCE = bytes(range(32))
PIN = b"p" * 32
ID = 7
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
HELLO = wire.Hello(wire.PROTOCOL_VERSION, "1.0", "linux-64", "f" * 64, ID)


def identity(key: Ed25519PrivateKey = KEY, **changes: Any) -> Identity:
    values: dict[str, Any] = {
        "client_id": ID,
        "public_key": key.public_key().public_bytes_raw(),
        "state": State.OFFLINE,
        "fingerprint": "f" * 64,
        "max_offline_minutes": 0,
        "ephemeral": False,
    }
    return Identity(**{**values, **changes})


def proof(key: Ed25519PrivateKey = KEY, pin: bytes = PIN, nonce: bytes = NONCE) -> wire.Proof:
    signature = key.sign(wire.proof_bytes(ID, nonce, pin))
    return wire.Proof(ID, wire.b64encode(signature), wire.b64encode(pin))


def enrol() -> wire.Enrol:
    return wire.Enrol("0" * 32, "s", "k", "g", "p")


@pytest.fixture
def machine() -> ControlProtocol:
    return ControlProtocol(NONCE, frozenset({PIN}))


def say(machine: ControlProtocol, *messages: wire.Message) -> list[Action]:
    """Send messages and return what the last one led to."""
    actions: list[Action] = []
    for message in messages:
        actions = machine.received(wire.encode(message))
    return actions


def refusal(actions: list[Action]) -> tuple[str, int, int]:
    """Return code, retry_after and close code of a refusal."""
    sent, closed = actions[-2:]
    assert isinstance(sent, Send)
    assert isinstance(sent.message, wire.Refused)
    assert isinstance(closed, Close)
    assert sent.message.detail
    return sent.message.code, sent.message.retry_after, closed.code


def test_a_known_agent_gets_in(machine: ControlProtocol) -> None:
    assert machine.phase is Phase.HELLO
    assert say(machine, HELLO) == [Send(wire.Challenge(wire.b64encode(NONCE)))]
    assert machine.waits_for_agent
    assert say(machine, proof()) == [LookUp(ID)]
    assert not machine.waits_for_agent
    assert machine.looked_up([identity()]) == [Join(identity(), HELLO)]
    command = wire.Command("c", "properties", ID)
    welcome, sent = machine.admitted(identity(), b"s" * 32, {"heartbeat_seconds": 15}, [command])
    assert welcome == Send(
        wire.Welcome(ID, wire.b64encode(b"s" * 32), {"heartbeat_seconds": 15}, {})
    )
    assert sent == Send(command)
    assert machine.phase is Phase.OPEN


def test_a_new_agent_enrols(machine: ControlProtocol) -> None:
    assert say(machine, HELLO, enrol()) == [EnrolHost(HELLO, enrol(), NONCE)]
    assert machine.joined(identity()) == [Join(identity(), HELLO)]


@pytest.mark.parametrize(
    ("frames", "code", "close"),
    [
        (["{"], "protocol.error", 1002),
        ([None], "protocol.error", 1002),
        (["[]"], "protocol.error", 1002),
        (['{"type": "hello"}'], "protocol.error", 1002),
        ([wire.encode(proof())], "protocol.error", 1002),
        ([wire.encode(wire.Ack("x"))], "protocol.error", 1002),
        ([wire.encode(HELLO), wire.encode(HELLO)], "protocol.error", 1002),
        ([wire.encode(HELLO), wire.encode(wire.Proof(0, "", ""))], "protocol.error", 1002),
        ([wire.encode(HELLO), wire.encode(wire.Proof(2**31, "", ""))], "protocol.error", 1002),
        ([wire.encode(HELLO), wire.encode(wire.Welcome(1, "", {}))], "protocol.error", 1002),
        ([wire.encode(wire.Hello(2, "1", "linux-64", "f"))], "protocol.version", 1002),
        ([wire.encode(wire.Hello(1, "1", "linux-64", "f" * 300))], "protocol.error", 1002),
    ],
)
def test_frames_out_of_order_or_form_are_refused(
    machine: ControlProtocol, frames: list[str | None], code: str, close: int
) -> None:
    actions: list[Action] = []
    for frame in frames:
        actions = machine.received(frame)
    assert refusal(actions)[0] == code
    assert refusal(actions)[2] == close
    assert machine.phase is Phase.CLOSED
    assert machine.received(wire.encode(HELLO)) == []


@pytest.mark.parametrize(
    ("sent", "known", "code", "retry"),
    [
        (proof(OTHER), [identity()], "enrol.bad_proof", 3600),
        (proof(pin=b"q" * 32), [identity()], "enrol.bad_proof", 3600),
        (proof(nonce=bytes(32)), [identity()], "enrol.bad_proof", 3600),
        (proof(), [identity(public_key=b"short")], "enrol.bad_proof", 3600),
        (wire.Proof(ID, "*", ""), [identity()], "protocol.error", 60),
        (
            proof(),
            [identity(OTHER), identity(tombstone=TombstoneKind.REPLACED)],
            "enrol.key_replaced",
            3600,
        ),
        (
            proof(),
            [identity(tombstone=TombstoneKind.DELETED, closed=True)],
            "client.uninstalled",
            0,
        ),
    ],
)
def test_proofs_that_do_not_let_in(
    machine: ControlProtocol, sent: wire.Proof, known: list[Identity], code: str, retry: int
) -> None:
    say(machine, HELLO, sent)
    assert refusal(machine.looked_up(known))[:2] == (code, retry)


def test_a_key_that_nobody_knows_is_listed(machine: ControlProtocol) -> None:
    say(machine, HELLO, proof())
    actions = machine.looked_up([])
    assert actions[0] == NoteUnknown(HELLO)
    assert refusal(actions) == ("client.missing", 3600, 1008)


def test_a_deleted_key_is_let_in_to_be_told(machine: ControlProtocol) -> None:
    say(machine, HELLO, proof())
    buried = identity(tombstone=TombstoneKind.DELETED, command_id="c", state=State.REMOVING)
    assert machine.looked_up([identity(OTHER), buried]) == [Join(buried, HELLO)]


REPORTS = [
    wire.Ack("c"),
    wire.Statistics({"hostname": "h"}),
    wire.UserChanged("zoe"),
    wire.Disabled(),
    wire.Enabled(),
    wire.Uninstalled("by_hand"),
    wire.Log("info", "x"),
]


@pytest.mark.parametrize("message", REPORTS, ids=lambda m: m.TYPE)
def test_an_admitted_agent_reports(machine: ControlProtocol, message: wire.AgentMessage) -> None:
    machine.admitted(identity(), b"", {}, [])
    assert say(machine, message) == [Report(identity(), message)]


def test_unknown_types_are_ignored_at_any_time(machine: ControlProtocol) -> None:
    future = json.dumps({"type": "of tomorrow"})
    assert machine.received(future) == []
    say(machine, HELLO)
    assert machine.received(future) == []
    assert machine.phase is Phase.CHALLENGED


def test_a_farewell_ends_with_a_normal_close(machine: ControlProtocol) -> None:
    machine.admitted(identity(), b"", {}, [])
    assert machine.farewell_written() == [Close(1000)]


def test_who_is_busy_says_when_to_come_back(machine: ControlProtocol) -> None:
    error = Unavailable("enrol.busy")
    error.retry_after = 9
    assert refusal(machine.refused(error)) == ("enrol.busy", 9, 1013)
    assert refusal(machine.refused(TremplinError("limit.total"))) == ("limit.total", 300, 1008)
