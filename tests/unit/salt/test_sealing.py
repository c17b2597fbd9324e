"""What a minion asks is its own, fresh, and answered for its eyes only."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tremplin_core import sealing

Pair = tuple[bytes, bytes]


def pair() -> Pair:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


@pytest.fixture(scope="module")
def mine() -> Pair:
    return pair()


@pytest.fixture(scope="module")
def other() -> Pair:
    return pair()


def test_a_request_is_proven(mine: Pair) -> None:
    text = sealing.request(mine[0], "web1", "look", {"external_id": "web1"}, 1000.0)
    assert text.isalnum(), "Salt parses nothing of it"
    said, body, signature = sealing.claimed(text)
    assert (said["minion"], said["deed"]) == ("web1", "look")
    sealing.prove(mine[1], said, body, signature, 1100.0)


def test_another_ones_request_is_not(mine: Pair, other: Pair) -> None:
    said, body, signature = sealing.claimed(sealing.request(other[0], "web1", "look", {}, 1000.0))
    with pytest.raises(sealing.Forged, match="the signature is not that of web1"):
        sealing.prove(mine[1], said, body, signature, 1000.0)


def test_a_changed_request_is_not(mine: Pair) -> None:
    said, body, signature = sealing.claimed(sealing.request(mine[0], "web1", "look", {}, 1000.0))
    with pytest.raises(sealing.Forged):
        sealing.prove(mine[1], said, body.replace(b"look", b"lock"), signature, 1000.0)


@pytest.mark.parametrize("now", [1000.0 + sealing.FRESH_SECONDS + 1, 600.0])
def test_an_old_request_is_not(mine: Pair, now: float) -> None:
    said, body, signature = sealing.claimed(sealing.request(mine[0], "web1", "look", {}, 1000.0))
    with pytest.raises(sealing.Forged, match="clocks"):
        sealing.prove(mine[1], said, body, signature, now)


@pytest.mark.parametrize("text", ["", "x", "xzz", "x" + b"[1]".hex(), "x" + b'["{}", "00"]'.hex()])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(sealing.Forged):
        sealing.claimed(text)


def test_a_key_info_is_for_one_minion(mine: Pair, other: Pair) -> None:
    secret = "eyJ" + "k" * 1000
    pieces = sealing.seal(mine[1], secret)
    assert secret not in "".join(pieces)
    assert sealing.unseal(mine[0], pieces) == secret
    with pytest.raises(ValueError, match="failed"):
        sealing.unseal(other[0], pieces)
