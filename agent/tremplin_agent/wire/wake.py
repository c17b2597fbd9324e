"""The wake-up of a passive Jump Client: what is said on a TCP connection to its host.

    agent    GREETING, CHALLENGE_BYTES random bytes
    server   a `WakeUp`: who is meant, and the server's signature over that challenge
    agent    COMING when it is genuine; otherwise it hangs up without a word

The challenge is new with every connection, so that no wake-up is good twice, whatever the
clocks say and whatever an agent has forgotten.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tremplin_agent.wire.base import WireError

GREETING = b"TWK1"
CHALLENGE_BYTES = 32
COMING = b"\x01"
DEFAULT_PORT = 8024
_LABEL = b"tremplin wake v1\0"
_SHAPE = struct.Struct(">4sQQ16s64s")
WAKE_UP_BYTES = _SHAPE.size
NONCE_BYTES = 16
_SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class WakeUp:
    """A signed wake-up.

    at: seconds since 1970 by the server's clock; it goes into the agent's log and decides
    nothing. nonce: NONCE_BYTES random bytes of the server, so that nobody else chooses the
    whole of what it signs. signature: of `wake_bytes` by the server's identity key.
    """

    client_id: int
    at: int
    nonce: bytes
    signature: bytes

    def pack(self) -> bytes:
        """Return the WAKE_UP_BYTES that are sent."""
        return _SHAPE.pack(GREETING, self.client_id, self.at, self.nonce, self.signature)

    @classmethod
    def unpack(cls, raw: bytes) -> WakeUp:
        """Return the wake-up of WAKE_UP_BYTES; WireError when they are something else."""
        try:
            greeting, client_id, at, nonce, signature = _SHAPE.unpack(raw)
        except struct.error as error:
            raise WireError("a wake-up of another length") from error
        if greeting != GREETING:
            raise WireError("no wake-up")
        return cls(client_id, at, nonce, signature)


def wake_bytes(client_id: int, at: int, nonce: bytes, challenge: bytes) -> bytes:
    """Return what the server's identity key signs to wake a client."""
    return _LABEL + struct.pack(">QQ", client_id, at) + nonce + challenge
