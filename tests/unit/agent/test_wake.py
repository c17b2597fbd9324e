"""Wake-ups: which are genuine, and who is listened to at all."""

from __future__ import annotations

import secrets

import pytest
from tremplin_agent import wire
from tremplin_agent.core.identity import Identity, verify
from tremplin_agent.core.wake import (
    KNOWN_BURST,
    KNOWN_KEPT,
    SOURCE_BURST,
    SOURCES_KEPT,
    TOTAL_BURST,
    Gate,
    genuine,
    source_of,
)
from tremplin_agent.platform.addresses import MAX_ADDRESSES, reachable
from tremplin_agent.wire.wake import WAKE_UP_BYTES

SERVER, OTHER = Identity.generate(), Identity.generate()
CHALLENGE = b"c" * 32


def wake_up(
    signer: Identity = SERVER, client_id: int = 7, challenge: bytes = CHALLENGE, at: int = 0
) -> bytes:
    nonce = secrets.token_bytes(16)
    signed = wire.wake_bytes(client_id, at, nonce, challenge)
    return wire.WakeUp(client_id, at, nonce, signer.sign(signed)).pack()


def accepted(raw: bytes, client_id: int = 7, challenge: bytes = CHALLENGE) -> bool:
    return genuine(raw, challenge, client_id, SERVER.public_key, verify)


@pytest.mark.parametrize("at", [0, 1, 2**40])
def test_the_servers_answer_to_this_challenge_is_genuine_whatever_the_clocks_say(at: int) -> None:
    assert accepted(wake_up(at=at))


FORGED = {
    "another server's": wake_up(OTHER),
    "for another client": wake_up(client_id=8),
    "an answer to another challenge": wake_up(challenge=b"d" * 32),
    "cut": wake_up()[:-1],
    "too long": wake_up() + b"x",
    "empty": b"",
    "noise": b"\xff" * WAKE_UP_BYTES,
    "the client renamed": wire.WakeUp(7, 0, b"n" * 16, wake_up(client_id=8)[-64:]).pack(),
}


@pytest.mark.parametrize("raw", FORGED.values(), ids=FORGED)
def test_anything_else_is_not(raw: bytes) -> None:
    assert not accepted(raw)


def test_an_agent_that_has_not_enrolled_is_nobodys() -> None:
    assert not accepted(wake_up(client_id=0), client_id=0)


def test_every_byte_of_a_wake_up_counts() -> None:
    good = wake_up()
    for place in range(len(good)):
        changed = bytearray(good)
        changed[place] ^= 1
        assert not accepted(bytes(changed)), place


def test_a_source_has_a_few_tries_and_gets_new_ones_with_time() -> None:
    gate = Gate(0)
    assert [gate.admits("10.0.0.1", 0) for _ in range(10)].count(True) == SOURCE_BURST
    assert not gate.admits("10.0.0.1", 1)
    assert gate.admits("10.0.0.1", 3)


def test_all_strangers_together_have_their_limit_and_the_server_keeps_its_own() -> None:
    gate = Gate(0)
    gate.knows("192.0.2.1", 0)
    flood = [gate.admits(f"10.0.{i // 250}.{i % 250}", 0) for i in range(5000)]
    assert flood.count(True) == TOTAL_BURST
    assert [gate.admits("192.0.2.1", 0) for _ in range(50)].count(True) == KNOWN_BURST


def test_a_loud_source_does_not_use_up_what_is_for_all() -> None:
    gate = Gate(0)
    for _ in range(1000):
        gate.admits("10.0.0.1", 0)
    assert gate.admits("10.0.0.2", 0)


def test_what_is_remembered_is_bounded() -> None:
    gate = Gate(0)
    for i in range(3000):
        gate.admits(f"2001:db8:{i:x}::1", float(i))
        gate.knows(f"2001:db9:{i:x}::1", float(i))
    assert len(gate._sources) == SOURCES_KEPT
    assert len(gate._known) == KNOWN_KEPT


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_whole_network_of_ipv6_is_one_source(address: str, source: str) -> None:
    assert source_of(address) == source


def test_addresses_of_use_to_others() -> None:
    found = reachable(
        ["127.0.0.1", "::1", "fe80::1%eth0", "fd00::5", "10.1.2.3", "10.1.2.3", "02:42:ac:11:00:02"]
    )
    assert found == ["10.1.2.3", "fd00::5"]
    assert len(reachable(f"10.0.0.{i}" for i in range(1, 100))) == MAX_ADDRESSES
