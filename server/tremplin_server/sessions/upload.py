"""Where agents bring their recordings: `PUT RECORDING_PATH <session id>/<number>`.

An agent signs the digest of what it sends with its identity key. Statuses after which it
need not come again: 204, 404, 409, 410, 413.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from tremplin_agent import wire

from tremplin_server import rest
from tremplin_server.errors import TremplinError
from tremplin_server.permissions import Actor, ActorKind
from tremplin_server.sessions import recordings

CLIENT_HEADER, SIGNATURE_HEADER = "X-Tremplin-Client", "X-Tremplin-Signature"
_CHUNK = 256 * 1024

uploads = Blueprint("recording-upload", __name__)


@uploads.put(wire.RECORDING_PATH + "<string(length=32):session_id>/<int:number>")
def take(session_id: str, number: int) -> ResponseReturnValue:
    """Take a recording; one that is here already is confirmed again."""
    client_id, signature = _signer()
    database = rest.current_database()
    actor = Actor(ActorKind.AGENT, f"client {client_id}", client_id, request.remote_addr or "")
    with database.work(actor, read_only=True) as work:
        awaited = recordings.awaited(work, client_id, session_id, number)
    if awaited.stored:
        return "", 204
    request.max_content_length = awaited.limit
    path = recordings.partial_path(database.config, session_id, number)
    try:
        digest = _receive(path, awaited.limit)
        _verify(awaited.public_key, signature, wire.recording_bytes(session_id, number, digest))
        with path.open("rb") as file:
            cast = recordings.inspect(file, awaited.limit)
        with database.work(actor) as work:
            recordings.store(work, session_id, number, path, digest.hex(), cast)
    finally:
        path.unlink(missing_ok=True)
    return "", 204


def _signer() -> tuple[int, bytes]:
    try:
        client_id = int(request.headers.get(CLIENT_HEADER, ""))
        signature = wire.b64decode(request.headers.get(SIGNATURE_HEADER, ""))
    except (ValueError, wire.WireError) as error:
        raise TremplinError("enrol.bad_proof") from error
    if not 0 < abs(client_id) <= rest.MAX_ID or len(signature) != 64:
        raise TremplinError("enrol.bad_proof")
    return client_id, signature


def _receive(path: Path, limit: int) -> bytes:
    """Write the body to `path` and return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        path.chmod(0o600)
        while chunk := request.stream.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise TremplinError("request.too_large")
            digest.update(chunk)
            file.write(chunk)
    return digest.digest()


def _verify(public_key: bytes, signature: bytes, signed: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
    except InvalidSignature as error:
        raise TremplinError("enrol.bad_proof") from error
