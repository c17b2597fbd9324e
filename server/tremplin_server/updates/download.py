"""Which payload an agent may fetch: that of the order that waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tremplin_agent import wire
from tremplin_agent.wire import CommandKind

from tremplin_server.clients.models import Command, JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.installers import payload as payloads


@dataclass(frozen=True, slots=True)
class Download:
    """What to send. bytes_per_second: the site's bound for all of them, 0 for none."""

    path: Path
    size: int
    bytes_per_second: int


def find(work: Work, client_id: int, command_id: str, sha256: str, signature: bytes) -> Download:
    """Return what an agent may fetch.

    Raises TremplinError: enrol.bad_proof unless the client's key signed for this order,
    update.gone (410) when the payload is not there any more.
    """
    command = work.session.get(Command, command_id)
    client = work.session.get(JumpClient, client_id)
    if client is None or command is None or command.client_id != client_id:
        raise TremplinError("enrol.bad_proof")
    if command.kind != CommandKind.UPGRADE or command.body.get("sha256") != sha256:
        raise TremplinError("enrol.bad_proof")
    signed = wire.payload_bytes(command_id, client_id, sha256)
    try:
        Ed25519PublicKey.from_public_bytes(client.public_key).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise TremplinError("enrol.bad_proof") from error
    source = payloads.of_version(work.config, client.platform, str(command.body["version"]))
    if source is None or source.sha256 != sha256:
        raise TremplinError("update.gone")
    return Download(source.path, source.size, work.config.update_bandwidth)
