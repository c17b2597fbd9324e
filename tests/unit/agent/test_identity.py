"""Keys and fingerprints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent.core.identity import Identity, fingerprint, verify


def test_a_stored_key_is_the_same_identity() -> None:
    made = Identity.generate()
    again = Identity.from_raw(made.raw())
    assert again.public_key == made.public_key
    assert verify(made.public_key, again.sign(b"nonce"), b"nonce")


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_signature_holds_for_its_own_message_only(message: bytes, other: bytes) -> None:
    identity = Identity.from_raw(b"k" * 32)
    assert verify(identity.public_key, identity.sign(message), other) is (message == other)


@pytest.mark.parametrize("public_key", [b"", b"short", b"x" * 33])
def test_nonsense_verifies_nothing(public_key: bytes) -> None:
    assert not verify(public_key, b"s" * 64, b"message")


def test_a_fingerprint_stays_with_the_machine() -> None:
    one = fingerprint("ABCDEF\n", " Board ")
    assert one == fingerprint("abcdef", "board")
    assert len(one) == 64
    int(one, 16)


def test_another_machine_id_or_board_is_another_machine() -> None:
    parts = [("a", "b"), ("a", ""), ("", "b"), ("", ""), ("ab", ""), ("", "ab")]
    assert len({fingerprint(*part) for part in parts}) == len(parts)
