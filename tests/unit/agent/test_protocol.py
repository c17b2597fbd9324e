"""The agent's side of the control channel, frame by frame."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_agent.core.identity import Identity, verify
from tremplin_agent.core.protocol import (
    CloseSession,
    Conversation,
    Drained,
    Enrolment,
    HangUp,
    LetIn,
    OpenSession,
    RemoveYourself,
    Self,
    Send,
    SetProperties,
    TurnedAway,
)
from tremplin_agent.terms import Terms

AGENT = Identity.from_raw(b"a" * 32)
SERVER = Identity.from_raw(b"s" * 32)
IMPOSTOR = Identity.from_raw(b"i" * 32)
NONCE = b"n" * wire.NONCE_BYTES
PIN = b"p" * 32
KNOWN = Self(
    version="1", platform="linux-64", fingerprint="f" * 64, ca_pin=PIN,
    client_id=7, server_key=SERVER.public_key,
)  # fmt: skip
NEW = replace(
    KNOWN,
    client_id=0,
    server_key=b"",
    enrolment=Enrolment("1" * 32, b"x" * 16, {"tag": "web"}, {"hostname": "h"}),
)
CHALLENGE = wire.Challenge(wire.b64encode(NONCE))
WELCOME = wire.Welcome(
    7, wire.b64encode(SERVER.public_key), {"heartbeat_seconds": 15}, {"tag": "t"}
)


def talk(me: Self, *messages: wire.ServerMessage) -> list[Any]:
    """Return the actions after the last of `messages`."""
    conversation = Conversation(me, AGENT, verify)
    actions: list[Any] = conversation.opened()
    for message in messages:
        actions = conversation.received(wire.encode(message))
    return actions


def order(
    kind: str = "uninstall", signer: Identity = SERVER, client_id: int = 7, **body: Any
) -> wire.Command:
    signature = signer.sign(wire.command_bytes("c1", kind, client_id, body))
    return wire.Command("c1", kind, client_id, body, wire.b64encode(signature))


def test_it_greets_first() -> None:
    (send,) = talk(KNOWN)
    assert send == Send(wire.Hello(wire.PROTOCOL_VERSION, "1", "linux-64", "f" * 64, 7))


def test_a_known_agent_proves_its_key_bound_to_nonce_and_pin() -> None:
    (send,) = talk(KNOWN, CHALLENGE)
    proof = send.message
    assert isinstance(proof, wire.Proof)
    signature = wire.b64decode(proof.signature)
    assert verify(AGENT.public_key, signature, wire.proof_bytes(7, NONCE, PIN))
    assert not verify(AGENT.public_key, signature, wire.proof_bytes(7, NONCE, b"q" * 32))


def test_a_new_agent_enrols_and_shows_that_it_holds_its_key() -> None:
    (send,) = talk(NEW, CHALLENGE)
    enrol = send.message
    assert isinstance(enrol, wire.Enrol)
    assert enrol.overrides == {"tag": "web"}
    assert wire.b64decode(enrol.public_key) == AGENT.public_key
    signed = wire.enrol_bytes("1" * 32, NONCE, PIN)
    assert verify(AGENT.public_key, wire.b64decode(enrol.signature), signed)


@pytest.mark.parametrize("me", [KNOWN, NEW])
def test_a_welcome_lets_it_in(me: Self) -> None:
    expected = LetIn(7, SERVER.public_key, {"heartbeat_seconds": 15}, {"tag": "t"})
    assert talk(me, CHALLENGE, WELCOME) == [expected]


def test_a_known_agent_keeps_the_server_key_of_its_enrolment() -> None:
    other = replace(WELCOME, server_key=wire.b64encode(IMPOSTOR.public_key))
    (let_in,) = talk(KNOWN, CHALLENGE, other)
    assert let_in.server_key == SERVER.public_key
    (refusal,) = talk(KNOWN, CHALLENGE, other, order(signer=IMPOSTOR))
    assert isinstance(refusal.message, wire.Ack)
    assert refusal.message.code == Code.PROTOCOL_ERROR


@pytest.mark.parametrize("before", [[], [CHALLENGE], [CHALLENGE, WELCOME]])
@pytest.mark.parametrize(("retry_after", "final"), [(0, True), (3600, False)])
def test_a_refusal_is_heard_at_any_time(
    before: list[wire.ServerMessage], retry_after: int, final: bool
) -> None:
    refused = wire.Refused(Code.CLIENT_MISSING.value, "gone", retry_after)
    (action,) = talk(KNOWN, *before, refused)
    assert action == TurnedAway("client.missing", "gone", retry_after)
    assert action.final is final


def test_a_genuine_order_to_uninstall_is_obeyed() -> None:
    assert talk(KNOWN, CHALLENGE, WELCOME, order(reason="x")) == [RemoveYourself("c1")]


def test_a_new_agent_obeys_the_server_that_welcomed_it() -> None:
    assert talk(NEW, CHALLENGE, WELCOME, order()) == [RemoveYourself("c1")]


@pytest.mark.parametrize(
    "command",
    [
        order(signer=IMPOSTOR),
        order(client_id=8),
        replace(order(), signature=""),
        replace(order(), signature="!!"),
        replace(order(), body={"reason": "changed"}),
        replace(order(), id="c2"),
        order(kind="explode"),
    ],
    ids=["impostor", "another client", "unsigned", "not base64", "changed", "replayed", "unknown"],
)
def test_an_order_that_is_not_genuine_is_refused(command: wire.Command) -> None:
    (send,) = talk(KNOWN, CHALLENGE, WELCOME, command)
    assert isinstance(send.message, wire.Ack)
    assert send.message.code == Code.PROTOCOL_ERROR
    assert send.message.detail


def test_properties_need_no_signature() -> None:
    command = wire.Command("c1", "properties", 7, {"tag": "new"})
    assert talk(KNOWN, CHALLENGE, WELCOME, command) == [SetProperties("c1", {"tag": "new"})]


def test_no_order_is_obeyed_before_the_welcome() -> None:
    assert talk(KNOWN, CHALLENGE, order()) == []


TERMS = Terms(keys=("ssh-ed25519 A",), capabilities=("shell",), expires_at=5.0)
OPEN = wire.SessionOpen("ab" * 16, "token", TERMS.as_json())


def test_a_session_is_opened_and_closed_as_told() -> None:
    assert talk(KNOWN, CHALLENGE, WELCOME, OPEN) == [OpenSession("ab" * 16, "token", TERMS)]
    close = wire.SessionClose("ab" * 16, "session.stopped")
    assert talk(KNOWN, CHALLENGE, WELCOME, close) == [CloseSession("ab" * 16, "session.stopped")]
    assert "token" not in repr(OpenSession("ab" * 16, "token", TERMS))


def test_no_session_before_the_welcome_or_for_a_leaving_agent() -> None:
    assert talk(KNOWN, CHALLENGE, OPEN) == []
    assert talk(replace(KNOWN, farewell="by_hand"), CHALLENGE, WELCOME, OPEN) == []


@pytest.mark.parametrize(
    ("name", "value"), [("ports", "22"), ("ends", []), ("ends", {"session.idle": 1}), ("open", 1)]
)
def test_damaged_terms_end_the_session_and_not_the_connection(name: str, value: object) -> None:
    damaged = replace(OPEN, terms={name: value})
    (send,) = talk(KNOWN, CHALLENGE, WELCOME, damaged)
    assert send.message == wire.SessionEnded("ab" * 16, "protocol.error", f"{name}: wrong type")


@pytest.mark.parametrize("session_id", ["", "../../etc", "AB" * 16, "ab" * 16 + "\n"])
def test_a_session_id_that_could_be_a_path_is_no_session_id(session_id: str) -> None:
    (action,) = talk(KNOWN, CHALLENGE, WELCOME, replace(OPEN, session_id=session_id))
    assert isinstance(action, HangUp)


def test_drain_tells_when_to_come_back() -> None:
    assert talk(KNOWN, CHALLENGE, WELCOME, wire.Drain(12.5)) == [Drained(12.5)]


def test_a_leaving_agent_says_so_once_it_is_let_in_and_takes_no_orders() -> None:
    leaving = replace(KNOWN, farewell="by_hand")
    actions = talk(leaving, CHALLENGE, WELCOME)
    assert actions[1:] == [Send(wire.Uninstalled("by_hand"))]
    assert talk(leaving, CHALLENGE, WELCOME, order()) == []


@pytest.mark.parametrize(
    "messages",
    [
        [WELCOME],
        [CHALLENGE, CHALLENGE],
        [CHALLENGE, WELCOME, WELCOME],
        [wire.Challenge("short")],
        [wire.Challenge("%%")],
    ],
)
def test_it_hangs_up_on_a_server_that_does_not_keep_to_the_protocol(
    messages: list[wire.ServerMessage],
) -> None:
    (action,) = talk(KNOWN, *messages)
    assert isinstance(action, HangUp)


def test_what_a_newer_server_says_is_ignored() -> None:
    conversation = Conversation(KNOWN, AGENT, verify)
    conversation.opened()
    assert conversation.received('{"type": "news"}') == []
    body = {**json.loads(wire.encode(CHALLENGE)), "novelty": 1}
    assert len(conversation.received(json.dumps(body))) == 1


@given(st.lists(st.text(max_size=200), max_size=5))
def test_no_frame_breaks_it(frames: list[str]) -> None:
    conversation = Conversation(KNOWN, AGENT, verify)
    conversation.opened()
    for frame in frames:
        for action in conversation.received(frame):
            assert isinstance(action, HangUp)
    assert not conversation.is_in
