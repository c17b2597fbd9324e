"""Recordings of terminals: taken from agents, looked up, kept for as long as the site wants.

The agent records, so that every way to a host is covered, and uploads afterwards. A file is
`<recordings_dir>/<session id>.<number>.cast.gz`: asciicast v2, gzip, as the agent signed it.
"""

from __future__ import annotations

import gzip
import json
import os
import secrets
import zlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Select, select

from tremplin_server.audit import service as audit
from tremplin_server.clients.models import Tombstone
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied, NotFound, TremplinError
from tremplin_server.permissions import Permission
from tremplin_server.sessions import hosts, listing
from tremplin_server.sessions.models import JumpSession, SessionRecording

MAX_NUMBER = 99
"""Terminals of one session that are kept."""

MIMETYPE = "application/x-asciicast"
_MARGIN = 64 * 1024
_LEAST_LIMIT = 64 * 1024 * 1024
_LONGEST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an agent may upload. limit: bytes, packed or not. stored: it is here already."""

    public_key: bytes
    limit: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """What an asciicast says about itself."""

    columns: int
    rows: int
    duration_seconds: float


# --- taking ---------------------------------------------------------------------------


def awaited(work: Work, client_id: int, session_id: str, number: int) -> Awaited:
    """Return what is known of a recording that an agent offers.

    Raises NotFound (session.missing) when the client has no such session and TremplinError
    (session.recording_gone) when the client itself is gone.
    """
    session = work.session.get(JumpSession, session_id)
    if session is None or not 0 < number <= MAX_NUMBER:
        raise NotFound("session.missing", id=session_id)
    client = hosts.of(work, session)
    if client is None or client.id != client_id:
        gone = select(Tombstone.id).where(Tombstone.client_id == client_id).limit(1)
        if session.client_id is None and work.session.scalar(gone) is not None:
            raise TremplinError("session.recording_gone")
        raise NotFound("session.missing", id=session_id)
    limit = max(work.config.session_recording_mb * 1024 * 1024, _LEAST_LIMIT) + _MARGIN
    stored = work.session.get(SessionRecording, (session_id, number)) is not None
    return Awaited(client.public_key, limit, stored)


def inspect(file: BinaryIO, limit: int) -> Cast:
    """Return what the gzipped asciicast v2 `file` says; Conflict (session.recording_damaged).

    limit: bytes that it may have unpacked.
    """
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            head, last, size = unpacked.readline(_LONGEST_LINE), b"", 0
            while line := unpacked.readline(_LONGEST_LINE):
                size += len(line)
                if size > limit or not line.endswith(b"\n"):
                    raise ValueError("too large")
                last = line
        header = json.loads(head)
        if header["version"] != 2:
            raise ValueError("another version")
        duration = float(json.loads(last)[0]) if last else 0.0
        columns, rows = int(header["width"]), int(header["height"])
        if not (0 < columns < 10_000 and 0 < rows < 10_000 and 0 <= duration < 1e9):
            raise ValueError("out of bounds")
        return Cast(columns, rows, duration)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise Conflict("session.recording_damaged") from error


def store(
    work: Work, session_id: str, number: int, file: Path, sha256: str, cast: Cast
) -> SessionRecording:
    """Keep `file`, which is in `partial_path`'s directory, as this recording."""
    session = work.session.get(JumpSession, session_id)
    if session is None:
        raise NotFound("session.missing", id=session_id)
    kept = work.session.get(SessionRecording, (session_id, number))
    if kept is not None:
        file.unlink(missing_ok=True)
        return kept
    size = file.stat().st_size
    file.replace(path_of(work.config, session_id, number))
    recording = SessionRecording(
        session_id=session_id,
        number=number,
        size=size,
        duration_seconds=cast.duration_seconds,
        columns=cast.columns,
        rows=cast.rows,
        sha256=sha256,
        stored_at=work.now(),
    )
    work.session.add(recording)
    audit.record(
        work,
        "session.recorded",
        *hosts.subject(session),
        session.client_name,
        session_id=session_id,
        number=number,
        size=size,
        sha256=sha256,
    )
    work.notify("session.recorded", session_id=session_id, client_id=session.client_id or 0)
    return recording


def path_of(config: Config, session_id: str, number: int) -> Path:
    """Return where a recording is kept."""
    return config.effective_recordings_dir / f"{session_id}.{number}.cast.gz"


def partial_path(config: Config, session_id: str, number: int) -> Path:
    """Return where a recording is received; the directory is made when it is missing."""
    directory = config.effective_recordings_dir
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory / f".{session_id}.{number}.{secrets.token_hex(4)}.part"


# --- looking up -----------------------------------------------------------------------


def query(work: Work, session_id: str) -> Select[SessionRecording]:
    """Return the recordings of a session that the actor sees, by number."""
    session = listing.get(work, session_id)
    return (
        select(SessionRecording)
        .where(SessionRecording.session_id == session.id)
        .order_by(SessionRecording.number)
    )


def open_file(work: Work, session_id: str, number: int) -> Path:
    """Return the file of a recording, to be shown to the actor.

    His own session, or audit.read: a terminal may show what only its technician should
    see. That somebody else looked is audited. Raises NotFound (session.missing,
    session.no_recording) and Denied.
    """
    session = listing.get(work, session_id)
    own = listing.is_own(work, session)
    if not own and not work.actor.may(Permission.AUDIT_READ):
        raise Denied("auth.denied", permission=Permission.AUDIT_READ.value)
    recording = work.session.get(SessionRecording, (session_id, number))
    path = path_of(work.config, session_id, number)
    if recording is None or not path.exists():
        raise NotFound("session.no_recording", number=number)
    if not own:
        audit.record(
            work,
            "session.recording_read",
            *hosts.subject(session),
            session.client_name,
            session_id=session_id,
            number=number,
            technician=session.actor,
        )
    return path


# --- forgetting -----------------------------------------------------------------------


def expire(work: Work) -> int:
    """Delete the recordings that are older than the site keeps them; return how many."""
    days = work.config.session_recording_days
    if not days:
        return 0
    old = select(SessionRecording).where(
        SessionRecording.stored_at < work.now() - timedelta(days=days)
    )
    count = 0
    for recording in work.session.scalars(old).all():
        path_of(work.config, recording.session_id, recording.number).unlink(missing_ok=True)
        work.session.delete(recording)
        count += 1
    _clear_partial(work)
    return count


def _clear_partial(work: Work) -> None:
    """Remove what uploads left that were cut for good."""
    long_ago = (work.now() - timedelta(days=1)).timestamp()
    directory = work.config.effective_recordings_dir
    if not directory.is_dir():
        return
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".part") and entry.stat().st_mtime < long_ago:
                Path(entry.path).unlink(missing_ok=True)
