"""Fetching a payload from the server: bounded, resumed where it was cut."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path
from typing import Dict, NamedTuple, Tuple
from urllib.parse import urlsplit

from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_agent.recordings import Server

ANSWER_SECONDS = 60.0
SILENCE_SECONDS = 120.0
"""A server that shares little bandwidth among many may let one of them wait that long."""
_CHUNK = 64 * 1024
_MOST_HEADERS = 100


class GivenUp(Exception):
    """The payload can't be had, and trying again is useless. code: why."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(detail)
        self.code = code


class NotYet(Exception):
    """The server asks to come again. retry_after: seconds, 0 when it did not say."""

    def __init__(self, detail: str, retry_after: float = 0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Ticket(NamedTuple):
    """What an agent shows to fetch the payload of an order."""

    command_id: str
    signature: str


async def fetch(
    server: Server, ticket: Ticket, order: wire.UpgradeOrder, part: Path, target: Path
) -> None:
    """Have the payload in `target`, whole and with the ordered hash.

    part: what earlier tries left of it; they go on there. Raises GivenUp, NotYet, OSError,
    EOFError and asyncio.TimeoutError.
    """
    held = _held(part, order.size)
    if held < order.size:
        await _download(server, ticket, order, part, held)
    digest = await asyncio.get_running_loop().run_in_executor(None, _digest, part)
    if digest != order.sha256:
        part.unlink()
        raise GivenUp(Code.UPDATE_DAMAGED, "the payload does not have the ordered hash")
    part.replace(target)


def _held(part: Path, size: int) -> int:
    try:
        held = part.stat().st_size
    except FileNotFoundError:
        return 0
    if held > size:
        part.unlink()
        return 0
    return held


async def _download(
    server: Server, ticket: Ticket, order: wire.UpgradeOrder, part: Path, held: int
) -> None:
    parts = urlsplit(server.url)
    port = parts.port or (443 if server.tls else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=server.tls)
    try:
        head = (
            f"GET {parts.path.rstrip('/')}{wire.PAYLOAD_PATH}{order.sha256} HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\n"
            "Connection: close\r\n"
            f"Range: bytes={held}-\r\n"
            f"X-Tremplin-Client: {server.client_id}\r\n"
            f"X-Tremplin-Command: {ticket.command_id}\r\n"
            f"X-Tremplin-Signature: {ticket.signature}\r\n\r\n"
        )
        writer.write(head.encode("ascii"))
        await writer.drain()
        status, headers = await asyncio.wait_for(_answer(reader), ANSWER_SECONDS)
        _require_good(status, headers)
        await _receive(reader, part, held if status == 206 else 0, order.size)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> Tuple[int, Dict[str, str]]:
    words = (await reader.readline()).split()
    if len(words) < 2 or not words[1].isdigit():
        raise EOFError("the server hung up")
    headers: Dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            return int(words[1]), headers
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    raise EOFError("too many headers")


def _require_good(status: int, headers: Dict[str, str]) -> None:
    if status in (200, 206):
        if "content-length" in headers:
            return
        raise NotYet("an answer without a length")
    if status == 410:
        raise GivenUp(Code.UPDATE_GONE, "the server has another payload by now")
    if status in (401, 403, 404):
        raise GivenUp(Code.UPDATE_REFUSED, f"the server answers with HTTP status {status}")
    after = headers.get("retry-after", "")
    raise NotYet(f"HTTP status {status}", float(after) if after.isdigit() else 0)


async def _receive(reader: asyncio.StreamReader, part: Path, held: int, size: int) -> None:
    _require_room(part.parent, size - held)
    with part.open("r+b" if held else "wb") as file:
        file.seek(held)
        while held < size:
            piece = await asyncio.wait_for(reader.read(_CHUNK), SILENCE_SECONDS)
            if not piece:
                raise EOFError("the connection was cut")
            piece = piece[: size - held]
            file.write(piece)
            held += len(piece)
        file.flush()
        os.fsync(file.fileno())


def _require_room(directory: Path, size: int) -> None:
    """Raise OSError (ENOSPC) at once where the payload has no room: it would fill the disk."""
    if not hasattr(os, "statvfs"):
        return
    facts = os.statvfs(directory)
    if facts.f_bavail * facts.f_frsize < 2 * size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()
