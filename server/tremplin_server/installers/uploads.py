"""Putting payloads in place by the API: those that were built, or signed, elsewhere."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO

from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, NotFound, TremplinError
from tremplin_server.installers import payload
from tremplin_server.installers.payload import Payload
from tremplin_server.permissions import Permission

LARGEST = 200 * 1000 * 1000


def put(work: Work, platform: str, stream: IO[bytes], sha256: str) -> Payload:
    """Take the payload of a platform from `stream`; return it once it is in place.

    sha256: what the file must hash to, in hexadecimal, or empty. Needs accounts.write: every
    host that is deployed from now on runs it with all rights. Raises NotFound, Invalid.
    """
    work.actor.require(Permission.INSTALLERS_WRITE)
    work.actor.require(Permission.ACCOUNTS_WRITE)
    if platform not in payload.FILES:
        raise NotFound("request.not_found", what="platform", id=platform)
    directory = payload.directories(work.config)[0]
    target = directory / payload.FILES[platform]
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.new")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        found = _write(temporary, stream)
        _check(platform, temporary, found, sha256)
        temporary.replace(target)
    except OSError as error:
        raise TremplinError("config.invalid", detail=f"payload_dir: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    audit.record(work, "payload.put", "payload", 0, platform, sha256=found)
    return payload.payload(work.config, platform)


def _write(path: Path, stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while chunk := stream.read(payload.CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _check(platform: str, path: Path, found: str, wanted: str) -> None:
    with path.open("rb") as file:
        if not payload.is_of(platform, file.read(64)):
            raise Invalid({"body": [f"There is no installer for {platform} in this file."]})
    if wanted and wanted.lower() != found:
        raise Invalid({"sha256": [f"The file hashes to {found}."]})
