"""What all parts of the protocol share: its error, base64, paths and sizes."""

from __future__ import annotations

import base64
import binascii

PROTOCOL_VERSION = 1
CONTROL_PATH = "/agent/v1/control"
CA_PATH = "/agent/v1/ca.pem"
SESSION_PATH = "/agent/v1/session/"
"""Followed by the session's id; a WebSocket whose binary frames are the bytes of SSH."""
RECORDING_PATH = "/agent/v1/recording/"
"""Followed by the session's id, a slash and the number of the terminal in it, from 1."""
PAYLOAD_PATH = "/agent/v1/payload/"
"""Followed by the SHA-256 of the payload that an agent was ordered to update to."""
MAX_FRAME = 256 * 1024
"""Bytes of the largest control frame that either side accepts."""

NONCE_BYTES = 32
SECRET_BYTES = 16


class WireError(ValueError):
    """A frame, a key info or a field that does not keep to the protocol."""


def b64encode(raw: bytes) -> str:
    """Return `raw` as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def b64decode(text: str) -> bytes:
    """Return the bytes of URL-safe base64 without padding; WireError if it is not."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError("not URL-safe base64") from error
