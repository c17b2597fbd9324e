"""The payloads that hosts install: where they are, what they hash to, how they are stamped.

One generic payload per platform serves every installer. A stamped one is the same file
with key info written into the fixed-width slot of its shell header.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tremplin_agent import __version__

from tremplin_server.config import Config
from tremplin_server.errors import NotFound, TremplinError, Unavailable

PLATFORMS = ("linux-64", "linux-arm64")
SLOT_BYTES = 1536
CHUNK_BYTES = 256 * 1024
_SLOT = re.compile(rb'TREMPLIN_KEY_INFO="(@{%d})"' % SLOT_BYTES)
_VERSION = re.compile(rb'^TREMPLIN_VERSION="?([0-9A-Za-z.+-]{1,32})"?\s*$', re.MULTILINE)
_HEADER_BYTES = 64 * 1024
"""The shell header, with the slot in it, ends well before this."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A generic payload. size in bytes, sha256 in hexadecimal."""

    path: Path
    platform: str
    version: str
    size: int
    sha256: str


def payloads(config: Config) -> list[Payload]:
    """Return the payloads that the server has, by platform."""
    return [_read(path, platform) for platform in PLATFORMS if (path := _find(config, platform))]


def payload(config: Config, platform: str) -> Payload:
    """Return the payload of a platform.

    Raises NotFound for a platform that does not exist and Unavailable
    (installer.payload_missing) for one whose payload was not built or put in place.
    """
    if platform not in PLATFORMS:
        raise NotFound("request.not_found", what="platform", id=platform)
    path = _find(config, platform)
    if path is None:
        raise Unavailable("installer.payload_missing", platform=platform)
    return _read(path, platform)


def stamped(source: Payload, key_info: str) -> Iterator[bytes]:
    """Return the chunks of `source` with `key_info` in its slot; the size stays the same.

    Raises TremplinError (config.invalid) at once when there is no slot or the key info is
    too long. The file is open only while the chunks are taken.
    """
    text = key_info.encode("ascii")
    if len(text) > SLOT_BYTES:
        raise TremplinError("config.invalid", detail="public_urls is too long for a payload")
    with source.path.open("rb") as file:
        _slot(source.path, file.read(_HEADER_BYTES))

    def chunks() -> Iterator[bytes]:
        with source.path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
            start, end = _slot(source.path, header)
            yield header[:start] + text.ljust(SLOT_BYTES) + header[end:]
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    return chunks()


def _slot(path: Path, header: bytes) -> tuple[int, int]:
    found = _SLOT.search(header)
    if found is None:
        raise TremplinError("config.invalid", detail=f"{path} has no slot for key info")
    return found.span(1)


def _find(config: Config, platform: str) -> Path | None:
    checkout = Path(__file__).parents[3]
    directories = (
        [config.payload_dir]
        if config.payload_dir is not None
        else [config.data_dir / "payload", checkout / ".cache" / "payload"]
    )
    paths = (directory / f"tremplin-scc-{platform}.bin" for directory in directories)
    return next((path for path in paths if path.is_file()), None)


def _read(path: Path, platform: str) -> Payload:
    state = path.stat()
    sha256, version = _digest(path, state.st_mtime_ns, state.st_size)
    return Payload(path, platform, version, state.st_size, sha256)


@lru_cache(maxsize=16)
def _digest(path: Path, _modified: int, _size: int) -> tuple[str, str]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        digest.update(header)
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    found = _VERSION.search(header)
    return digest.hexdigest(), found.group(1).decode() if found else __version__
