# SPDX-License-Identifier: Apache-2.0
"""A minion shows its master who it is, and gets a key that nobody else can read.

What a minion asks of a runner does not say, on every release of Salt, who asks. So it is
signed with the minion's own key; the master has its other half. What is secret in the answer
is encrypted for that key, for a master keeps the returns of its runners.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

LABEL = b"tremplin request 1\n"
FRESH_SECONDS = 300
PIECE = 128
"""Bytes that one encryption holds, with room for RSA keys from 2048 bits."""


class Forged(Exception):
    """A request is not of the minion that it names, or is too old."""


def request(
    private_pem: bytes, minion: str, deed: str, arguments: dict[str, Any], now: float
) -> str:
    """Return a signed request in letters and digits only, which Salt parses no further."""
    body = json.dumps(
        {"minion": minion, "deed": deed, "arguments": arguments, "time": now}, sort_keys=True
    ).encode("utf-8")
    key = serialization.load_pem_private_key(private_pem, None)
    signature = key.sign(LABEL + body, _pss(), hashes.SHA256())
    return "x" + json.dumps([body.decode("utf-8"), signature.hex()]).encode("utf-8").hex()


def claimed(text: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Return what a request says, unproven, with its signed bytes and its signature."""
    try:
        body, signature = json.loads(bytes.fromhex(text[1:]).decode("utf-8"))
        said = json.loads(body)
        if not isinstance(said["minion"], str) or not isinstance(said["arguments"], dict):
            raise Forged("this is no request of a minion")
        return said, body.encode("utf-8"), bytes.fromhex(signature)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Forged("this is no request of a minion") from error


def prove(
    public_pem: bytes, said: dict[str, Any], body: bytes, signature: bytes, now: float
) -> None:
    """Raise Forged unless the owner of the key signed the request just now."""
    key = serialization.load_pem_public_key(public_pem)
    try:
        key.verify(signature, LABEL + body, _pss(), hashes.SHA256())
    except InvalidSignature as error:
        raise Forged("the signature is not that of {}".format(said["minion"])) from error
    if abs(now - float(said["time"])) > FRESH_SECONDS:
        raise Forged("the clocks of {} and its master differ too much".format(said["minion"]))


def seal(public_pem: bytes, secret: str) -> list[str]:
    """Return `secret` for the eyes of the owner of the key only."""
    key = serialization.load_pem_public_key(public_pem)
    content = secret.encode("utf-8")
    pieces = [content[start : start + PIECE] for start in range(0, len(content), PIECE)]
    return [base64.b64encode(key.encrypt(piece, _oaep())).decode("ascii") for piece in pieces]


def unseal(private_pem: bytes, pieces: list[str]) -> str:
    """Return what was sealed for this key."""
    key = serialization.load_pem_private_key(private_pem, None)
    return b"".join(key.decrypt(base64.b64decode(piece), _oaep()) for piece in pieces).decode(
        "utf-8"
    )


def _pss() -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.MAX_LENGTH)


def _oaep() -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
