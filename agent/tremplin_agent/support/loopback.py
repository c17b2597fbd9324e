"""A page for one person of this computer: HTTP on the loopback address, and who may ask.

Other users of the computer reach the address too. So a connection has to come from the right
account, which the kernel tells; the link works once; and a page of another site can neither
read nor send anything here (host name, cookie, origin).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from pathlib import Path
from typing import Awaitable, Callable, Dict, NamedTuple, Optional

HOST = "127.0.0.1"
REQUEST_SECONDS = 10.0
_LARGEST_BODY = 64 * 1024
_MOST_HEADERS = 64
_COOKIE = "tremplin-window"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


class Asked(NamedTuple):
    """A request from the right person. body: of a POST, decoded."""

    method: str
    path: str
    query: str
    body: Dict[str, object]


class Answer(NamedTuple):
    """What is sent back. kind: the media type."""

    content: bytes
    kind: str = "application/json"
    status: str = "200 OK"
    more: str = ""


Reply = Callable[[Asked], Awaitable[Answer]]


class Refused(Exception):
    """The request is not answered; the text is an HTTP status."""


class Loopback:
    """The server of the page. owner: number of the account that may ask."""

    def __init__(self, reply: Reply, owner: int) -> None:
        self._reply, self._owner = reply, owner
        self._once = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)
        self._server: Optional[asyncio.AbstractServer] = None
        self.port = 0

    async def start(self) -> str:
        """Listen; return the address to open, which works once."""
        self._server = await asyncio.start_server(self._serve, HOST, 0, limit=_LARGEST_BODY)
        self.port = self._server.sockets[0].getsockname()[1]
        return f"http://{HOST}:{self.port}/?once={self._once}"

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._answer(reader, writer)
        except Refused as refused:
            answer = Answer(b"", "text/plain", str(refused))
        except (asyncio.TimeoutError, asyncio.IncompleteReadError, ValueError, OSError):
            answer = Answer(b"", "text/plain", "400 Bad Request")
        head = (
            f"HTTP/1.1 {answer.status}\r\n"
            f"Content-Type: {answer.kind}; charset=utf-8\r\n"
            f"Content-Length: {len(answer.content)}\r\n"
            f"Content-Security-Policy: {POLICY}\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            "Referrer-Policy: no-referrer\r\n"
            "Cache-Control: no-store\r\n"
            f"{answer.more}Connection: close\r\n\r\n"
        )
        try:
            writer.write(head.encode("latin-1") + answer.content)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        if owner_of(writer.get_extra_info("peername")) != self._owner:
            raise Refused("403 Forbidden")
        asked, headers = await asyncio.wait_for(_read(reader), REQUEST_SECONDS)
        if headers.get("host") != f"{HOST}:{self.port}":
            raise Refused("403 Forbidden")
        if asked.path == "/" and asked.query.startswith("once="):
            return self._let_in(asked.query[len("once=") :])
        given = f"; {headers.get('cookie', '')};"
        found = re.search(f"; {_COOKIE}=([^;]*);", given)
        if not _same(found.group(1) if found else "", self._cookie):
            raise Refused("403 Forbidden")
        if asked.method == "POST" and headers.get("origin") != f"http://{HOST}:{self.port}":
            raise Refused("403 Forbidden")
        return await self._reply(asked)

    def _let_in(self, once: str) -> Answer:
        if not self._once or not _same(once, self._once):
            raise Refused("403 Forbidden")
        self._once = ""
        cookie = f"Set-Cookie: {_COOKIE}={self._cookie}; Path=/; HttpOnly; SameSite=Strict\r\n"
        return Answer(b"", "text/plain", "303 See Other", f"Location: /\r\n{cookie}")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def part(name: str) -> Answer:
    """Return a file of the page."""
    path = Path(__file__).with_name(name)
    return Answer(path.read_bytes(), _TYPES[path.suffix])


async def _read(reader: asyncio.StreamReader) -> tuple[Asked, Dict[str, str]]:
    words = (await reader.readline()).decode("latin-1").split()
    if len(words) != 3 or words[0] not in ("GET", "POST"):
        raise Refused("405 Method Not Allowed")
    headers: Dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            break
        name, _colon, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body: Dict[str, object] = {}
    if words[0] == "POST":
        size = int(headers.get("content-length", "0"))
        if not 0 < size <= _LARGEST_BODY:
            raise Refused("413 Content Too Large")
        given = json.loads(await reader.readexactly(size))
        body = given if isinstance(given, dict) else {}
    path, _mark, query = words[1].partition("?")
    return Asked(words[0], path, query, body), headers


def owner_of(peer: tuple[str, int], table: Path = Path("/proc/net/tcp")) -> int:
    """Return the number of the account whose socket is the other end; -1 when nobody knows.

    peer: its IPv4 address and port. The table is Linux's: local address, then the owner.
    """
    address = "".join(f"{int(byte):02X}" for byte in reversed(peer[0].split(".")))
    wanted = f"{address}:{peer[1]:04X}"
    try:
        lines = table.read_text("ascii").splitlines()[1:]
    except OSError:
        return -1
    for line in lines:
        fields = line.split()
        if fields[1] == wanted and fields[3] == "01":
            return int(fields[7])
    return -1
