"""Recordings of terminals on their way to the server: kept until it has them.

A session writes `recordings/<session>.<number>.cast.open`, and takes the last part of the
name off when it is complete. Here they are compressed, signed and sent, however often
that takes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import ssl
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Awaitable, Callable, List, NamedTuple, Optional
from urllib.parse import urlsplit

from tremplin_agent import wire
from tremplin_agent.core.backoff import Backoff
from tremplin_agent.core.identity import Identity
from tremplin_agent.tls import NoAnswer, Untrusted

DIRECTORY = "recordings"
OPEN_SUFFIX = ".open"
"""Added to the name of a recording while its terminal is open."""
KEPT_BYTES = 200 * 1000 * 1000
KEPT_SECONDS = 30 * 24 * 3600.0
UPLOAD_SECONDS = 600.0
ANSWER_SECONDS = 60.0
_CHUNK = 64 * 1024
_UNWANTED = (404, 409, 410, 413)
"""Answers that no other try would change."""
_NAME = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]{0,8})\.cast", re.ASCII)

log = logging.getLogger("tremplin.recordings")


def recording_name(session_id: str, number: int) -> str:
    """Return the name of the file of a terminal, counted from 1 in its session."""
    return f"{session_id}.{number}.cast"


class Server(NamedTuple):
    """Where to send recordings, and as whom."""

    url: str
    tls: Optional[ssl.SSLContext]
    client_id: int


class Recordings:
    """The recordings that wait in an agent's `var` directory."""

    def __init__(self, var: Path, identity: Identity, backoff: Backoff) -> None:
        self._directory = var / DIRECTORY
        self._identity = identity
        self._backoff = backoff
        self._more = asyncio.Event()

    def complete(self, session_id: str = "") -> None:
        """Take the recordings of a session that is over, or of all, for complete.

        Those of a session whose process was killed end where they were cut.
        """
        for path in self._paths(f"{session_id or '*'}.*.cast{OPEN_SUFFIX}"):
            with suppress(OSError):
                path.rename(path.with_name(path.name[: -len(OPEN_SUFFIX)]))
        self._more.set()

    def retry(self) -> None:
        """Try again now: the server is there."""
        self._more.set()

    async def send_all(self, server: Callable[[], Awaitable[Optional[Server]]]) -> None:
        """Send what waits and what is added, until cancelled. server: asked each time."""
        while True:
            self._more.clear()
            await self._in_thread(self._prune)
            trouble = False
            for path in self._paths("*.cast"):
                where = await server()
                trouble = where is None or not await self._sent(path, where)
                if trouble:
                    break
            if not trouble:
                self._backoff.welcomed()
            pause = self._backoff.busy() if trouble else None
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._more.wait(), pause)

    def _paths(self, pattern: str) -> List[Path]:
        with suppress(OSError):
            return sorted(self._directory.glob(pattern))
        return []

    def _prune(self) -> None:
        """Give up the oldest of what waits too long or is too much."""
        kept = 0
        found = [(path.stat(), path) for path in self._paths("*.cast")]
        for facts, path in sorted(found, key=lambda each: -each[0].st_mtime):
            kept += facts.st_size
            if kept > KEPT_BYTES or time.time() - facts.st_mtime > KEPT_SECONDS:
                log.warning("the recording %s was never sent and goes", path.name)
                path.unlink()

    async def _sent(self, path: Path, server: Server) -> bool:
        """Send one; return whether it need not be sent again."""
        named = _NAME.fullmatch(path.name)
        if named is None:
            path.unlink()
            return True
        packed = path.with_name(path.name + ".gz")
        try:
            digest = await self._in_thread(_pack, path, packed)
            signed = wire.recording_bytes(named[1], int(named[2]), digest)
            signature = wire.b64encode(self._identity.sign(signed))
            target = f"{wire.RECORDING_PATH}{named[1]}/{named[2]}"
            sending = _put(server, target, signature, packed)
            status = await asyncio.wait_for(sending, UPLOAD_SECONDS)
        except (OSError, EOFError, ValueError, NoAnswer, Untrusted, asyncio.TimeoutError) as error:
            log.info("the recording %s is not sent yet: %s", path.name, error)
            return False
        finally:
            with suppress(OSError):
                packed.unlink()
        if not (200 <= status < 300 or status in _UNWANTED):
            log.info("the recording %s is not sent yet: HTTP status %d", path.name, status)
            return False
        path.unlink()
        return True

    @staticmethod
    async def _in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)


def _pack(path: Path, packed: Path) -> bytes:
    """Write the gzip form of a file; return its SHA-256."""
    digest = hashlib.sha256()
    gzip = zlib.compressobj(wbits=31)
    with path.open("rb") as source, packed.open("wb") as target:
        while True:
            piece = source.read(_CHUNK)
            out = gzip.compress(piece) if piece else gzip.flush()
            digest.update(out)
            target.write(out)
            if not piece:
                return digest.digest()


async def _put(server: Server, target: str, signature: str, body: Path) -> int:
    """Send a file by HTTP; return the status of the answer."""
    parts = urlsplit(server.url)
    port = parts.port or (443 if server.tls else 80)
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=server.tls)
    try:
        head = (
            f"PUT {parts.path.rstrip('/')}{target} HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\n"
            "Connection: close\r\n"
            "Content-Type: application/gzip\r\n"
            f"Content-Length: {body.stat().st_size}\r\n"
            f"X-Tremplin-Client: {server.client_id}\r\n"
            f"X-Tremplin-Signature: {signature}\r\n\r\n"
        )
        writer.write(head.encode("ascii"))
        with suppress(ConnectionError), body.open("rb") as file:
            # A server that refuses may answer before it has all.
            for piece in iter(lambda: file.read(_CHUNK), b""):
                writer.write(piece)
                await writer.drain()
        line = await asyncio.wait_for(reader.readline(), ANSWER_SECONDS)
        return int(line.split()[1])
    except IndexError as error:
        raise EOFError("the server hung up") from error
    finally:
        writer.close()
