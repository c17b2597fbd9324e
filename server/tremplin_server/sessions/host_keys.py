"""The SSH host keys of Jump Clients: an agent's identity key is its host key.

The key was made at the installation and the server has pinned it since the enrolment, so
that it never has to be trusted on first use.
"""

from __future__ import annotations

import base64
import struct

ALGORITHM = "ssh-ed25519"


def ssh_public_key(raw: bytes) -> str:
    """Return the OpenSSH form (RFC 8709) of a raw Ed25519 public key of 32 bytes.

    ValueError when it has another length.
    """
    if len(raw) != 32:
        raise ValueError("an Ed25519 public key has 32 bytes")
    name = ALGORITHM.encode()
    blob = struct.pack("!I", len(name)) + name + struct.pack("!I", len(raw)) + raw
    return f"{ALGORITHM} {base64.b64encode(blob).decode()}"
