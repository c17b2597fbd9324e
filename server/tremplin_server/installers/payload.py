"""The payloads that hosts install: where they are, what they hash to, how they are stamped.

One generic payload per platform serves every installer. A stamped one is the same file
with key info written into its fixed-width slot. An MSI has none, and a signed EXE would
lose its signature: those are handed out as they are, and take the key info as a parameter.
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

FILES = {
    "linux-64": "tremplin-scc-linux-64.bin",
    "linux-arm64": "tremplin-scc-linux-arm64.bin",
    "macos-64": "tremplin-scc-macos-64.bin",
    "macos-arm64": "tremplin-scc-macos-arm64.bin",
    "windows-64": "tremplin-scc-win64.exe",
    "windows-64-msi": "tremplin-scc-win64.msi",
}
"""The payload of each platform; `windows-64` and `windows-64-msi` install the same."""
PLATFORMS = tuple(FILES)
SLOT_BYTES = 1536
CHUNK_BYTES = 256 * 1024
_SLOT = re.compile(rb'TREMPLIN_KEY_INFO="(@{%d})"' % SLOT_BYTES)
_VERSION = re.compile(rb'^TREMPLIN_VERSION="?([0-9A-Za-z.+-]{1,32})"?\s*$', re.MULTILINE)
_LONGEST_VERSION = 64
_HEADER_BYTES = 64 * 1024
"""The shell header, or the code of the EXE, with the slot in it, ends well before this."""
_BEGINNINGS = {".bin": b"#!/bin/sh\n", ".exe": b"MZ", ".msi": bytes.fromhex("d0cf11e0a1b11ae1")}


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


def of_version(config: Config, platform: str, version: str = "") -> Payload | None:
    """Return the payload of a platform that has this version, the current one if empty.

    Other versions than the current lie in directories named after them, beside it.
    """
    if platform not in PLATFORMS:
        return None
    for path in _kept(config, platform, version):
        found = _read(path, platform)
        if not version or found.version == version:
            return found
    return None


def versions(config: Config, platform: str) -> list[str]:
    """Return the versions that a platform has a payload of, the current one first."""
    found = [_read(path, platform).version for path in _kept(config, platform, "*")]
    return list(dict.fromkeys(found))


def _kept(config: Config, platform: str, version: str) -> list[Path]:
    current = _find(config, platform)
    found = [current] if current is not None else []
    if version:
        for directory in directories(config):
            found += sorted(directory.glob(f"{version}/{FILES[platform]}"))
    return found


def is_of(platform: str, beginning: bytes) -> bool:
    """Return whether a file that begins so can be the payload of a platform."""
    return beginning.startswith(_BEGINNINGS[Path(FILES[platform]).suffix])


def takes_key(source: Payload) -> bool:
    """Return whether key info can be written into a payload."""
    if source.path.suffix == ".msi":
        return False
    with source.path.open("rb") as file:
        return not _is_signed(file.read(_HEADER_BYTES))


def _is_signed(header: bytes) -> bool:
    """Return whether a PE file has a signature: its fifth data directory is in use."""
    if not header.startswith(b"MZ"):
        return False
    optional = int.from_bytes(header[60:64], "little") + 24
    security = optional + 112 + 4 * 8
    return any(header[security : security + 8])


def stamped(source: Payload, key_info: str) -> Iterator[bytes]:
    """Return the chunks of `source` with `key_info` in its slot; the size stays the same.

    One that takes none is returned as it is. Raises TremplinError (config.invalid) at once
    when there is no slot or the key info is too long. The file is open only while the
    chunks are taken.
    """
    text = key_info.encode("ascii")
    if len(text) > SLOT_BYTES:
        raise TremplinError("config.invalid", detail="public_urls is too long for a payload")
    if not takes_key(source):
        return _chunks(source.path)
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


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _slot(path: Path, header: bytes) -> tuple[int, int]:
    found = _SLOT.search(header)
    if found is None:
        raise TremplinError("config.invalid", detail=f"{path} has no slot for key info")
    return found.span(1)


def directories(config: Config) -> list[Path]:
    """Return where payloads are looked for; the first is where they are put."""
    if config.payload_dir is not None:
        return [config.payload_dir]
    checkout = Path(__file__).parents[3]
    return [config.data_dir / "payload", checkout / ".cache" / "payload"]


def _find(config: Config, platform: str) -> Path | None:
    paths = (directory / FILES[platform] for directory in directories(config))
    return next((path for path in paths if path.is_file()), None)


def _read(path: Path, platform: str) -> Payload:
    state = path.stat()
    sha256, version = _digest(path, state.st_mtime_ns, state.st_size)
    return Payload(path, platform, version, state.st_size, sha256)


@lru_cache(maxsize=16)
def _digest(path: Path, _modified: int, _size: int) -> tuple[str, str]:
    digest = hashlib.sha256()
    found, before = None, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            found = found or _VERSION.search(before + chunk)
            before = chunk[-_LONGEST_VERSION:]
    return digest.hexdigest(), found.group(1).decode() if found else __version__
