"""What is signed: proofs, enrolments, commands and recordings, each under a label of its own."""

from __future__ import annotations

import json
from typing import Any, Mapping

_PROOF_LABEL = b"tremplin proof v1\0"
_ENROL_LABEL = b"tremplin enrol v1\0"
_COMMAND_LABEL = b"tremplin command v1\0"
_RECORDING_LABEL = b"tremplin recording v1\0"
_PAYLOAD_LABEL = b"tremplin payload v1\0"


def proof_bytes(client_id: int, nonce: bytes, ca_pin: bytes) -> bytes:
    """Return what a known agent signs: its id, the server's nonce and the TLS pin."""
    return _PROOF_LABEL + client_id.to_bytes(8, "big") + nonce + ca_pin


def enrol_bytes(installer_id: str, nonce: bytes, ca_pin: bytes) -> bytes:
    """Return what a new agent signs to show that it holds its private key."""
    return _ENROL_LABEL + installer_id.encode() + nonce + ca_pin


def command_bytes(command_id: str, kind: str, client_id: int, body: Mapping[str, Any]) -> bytes:
    """Return what the server's identity key signs under `uninstall` and `upgrade`."""
    text = json.dumps(
        {"id": command_id, "kind": kind, "client_id": client_id, "body": dict(body)},
        sort_keys=True,
        separators=(",", ":"),
    )
    return _COMMAND_LABEL + text.encode()


def recording_bytes(session_id: str, number: int, sha256: bytes) -> bytes:
    """Return what an agent signs to upload the recording with that digest."""
    return _RECORDING_LABEL + f"{session_id}/{number}/".encode() + sha256


def payload_bytes(command_id: str, client_id: int, sha256: str) -> bytes:
    """Return what an agent signs to fetch the payload of an order to update."""
    return _PAYLOAD_LABEL + f"{command_id}/{client_id}/{sha256}".encode()
