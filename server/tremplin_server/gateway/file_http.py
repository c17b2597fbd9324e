"""Files of hosts over HTTP: Flask decides, the event loop does.

A request goes through Flask without its body. When the view leaves a `FileOrder`, what
Flask answered is dropped and the order is carried out here; otherwise the answer (a
refusal, the way to the sign-in) goes out as it is.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import asyncssh

from tremplin_server.audit import service as audit
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, TremplinError, Unavailable
from tremplin_server.gateway import file_work
from tremplin_server.gateway.file_rooms import FileRooms, Room
from tremplin_server.logging import logger
from tremplin_server.pages import HEADERS
from tremplin_server.sessions.file_orders import ORDER, FileOrder, Operation

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Http = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_PATH = re.compile(r"/console/(clients|support)/[0-9]+/files/[a-z]+")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_OF_BODY = {b"content-length", b"transfer-encoding", b"content-type", b"expect"}
_COMMON = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_AUDITED = {
    Operation.UPLOAD: "file.uploaded",
    Operation.DOWNLOAD: "file.downloaded",
    Operation.MKDIR: "file.directory_made",
    Operation.RENAME: "file.renamed",
    Operation.DELETE: "file.deleted",
}
_log = logger(__name__)


class Gone(Exception):
    """The browser went away in the middle."""


class FileHttp:
    """Carries file orders out. http: the application that authorises (Flask)."""

    def __init__(self, gateway: Gateway, http: Http) -> None:
        self._gateway, self._http = gateway, http
        self._rooms = FileRooms(gateway)

    @staticmethod
    def concerns(path: str) -> bool:
        """Return whether this path is one of files."""
        return _PATH.fullmatch(path) is not None

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        uploads = scope["method"] == "PUT"
        asked = {**scope, "headers": _without_body(scope)} if uploads else dict(scope)
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._http(asked, _no_body if uploads else receive, keep)
        order = asked.get(ORDER)
        if order is None:
            for message in answer:
                await send(message)
            return
        cookies = [(n, v) for n, v in answer[0]["headers"] if n == b"set-cookie"]
        await self._carry_out(order, _Exchange(scope, receive, send, cookies))

    async def _carry_out(self, order: FileOrder, exchange: _Exchange) -> None:
        try:
            if order.operation is Operation.CLOSE:
                await self._rooms.leave(order)
                await exchange.tell(200, {})
                return
            async with self._rooms.use(order) as room:
                await self._in_room(order, room, exchange)
        except Gone:
            return
        except TremplinError as error:
            await exchange.refuse(error, order.language)
        except (OSError, asyncssh.Error, ValueError) as error:
            _log.error("files.failed", exc_info=error)
            await exchange.refuse(TremplinError("jump.internal"), order.language)

    async def _in_room(self, order: FileOrder, room: Room, exchange: _Exchange) -> None:
        if order.operation is Operation.DOWNLOAD:
            await self._download(order, room, exchange)
            return
        told = await _act(order, room, exchange)
        await self._audit(order, room, **({"size": told["size"]} if "size" in told else {}))
        await exchange.tell(200, {"session_id": room.session_id, **told})

    async def _download(self, order: FileOrder, room: Room, exchange: _Exchange) -> None:
        attrs = await file_work.file_status(room.sftp, order.path)
        size = attrs.size or 0
        etag = f'"{attrs.mtime or 0:x}-{size:x}"'
        start, end = _range(exchange.header(b"range"), size)
        if exchange.header(b"if-range") not in ("", etag):
            start, end = 0, size
        if start > end or (start == end and start != 0):
            await exchange.unsatisfiable(size)
            return
        partial = (start, end) != (0, size)
        headers = _download_headers(order.path, etag)
        if size:
            headers.append((b"content-length", str(end - start).encode()))
        if partial:
            headers.append((b"content-range", f"bytes {start}-{end - 1}/{size}".encode()))
        if exchange.scope["method"] == "HEAD":
            await exchange.begin(200, headers)
            await exchange.finish()
            return
        await self._audit(order, room, size=size, **({"from": start} if start else {}))
        content = file_work.content(room.sftp, order.path, start, end if size else None)
        await exchange.while_there(_send(content, exchange, 206 if partial else 200, headers))

    async def _audit(self, order: FileOrder, room: Room, **detail: Any) -> None:
        action = _AUDITED.get(order.operation)
        if action is None:
            return
        if order.target:
            detail["target"] = file_work.readable(order.target)
        detail.update(session_id=room.session_id, path=file_work.readable(order.path))
        await self._gateway.store.call_as(order.actor, _record, action, order.client_id, detail)


async def _act(order: FileOrder, room: Room, exchange: _Exchange) -> dict[str, Any]:
    """Do everything but downloads, and return what is told about it."""
    sftp = room.sftp
    match order.operation:
        case Operation.OPEN | Operation.LIST:
            return await file_work.listing(sftp, order.path)
        case Operation.MKDIR:
            await file_work.mkdir(sftp, order.path)
        case Operation.RENAME:
            await file_work.rename(sftp, order.path, order.target)
        case Operation.DELETE:
            await file_work.delete(sftp, order.path)
        case Operation.UPLOAD:
            size = await file_work.take(sftp, order.path, order.overwrite, exchange.pieces)
            return {"size": size}
    return {}


async def _send(
    content: AsyncGenerator[bytes, None], exchange: _Exchange, status: int, headers: Headers
) -> None:
    async with aclosing(content) as pieces:
        # What fails at the first byte can still be told.
        first = await anext(pieces, b"")
        await exchange.begin(status, headers)
        await exchange.send_piece(first)
        async for piece in pieces:
            await exchange.send_piece(piece)
    await exchange.finish()


def _record(work: Work, action: str, client_id: int, detail: dict[str, Any]) -> None:
    if client_id < 0:
        audit.record(work, action, "support", -client_id, **detail)
        return
    client = work.session.get(JumpClient, client_id)
    audit.record(work, action, "client", client_id, client.name if client else "", **detail)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, cookies: Headers) -> None:
        self.scope = scope
        self._receive, self._send, self._cookies = receive, send, cookies
        self._begun = False

    def header(self, name: bytes) -> str:
        """Return a header of the request, empty when it is not there."""
        return next((v.decode("latin-1") for n, v in self.scope["headers"] if n == name), "")

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body of the request as it comes; Gone when it ends too early."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body", False):
                return

    async def while_there(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, but no longer than the browser stays: sending to nobody never fails."""
        working = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self._disconnected())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Gone
            await working
        finally:
            for task in (working, watching):
                task.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: Headers) -> None:
        """Send status and headers."""
        self._begun = True
        headers = [*_COMMON, (b"cache-control", b"no-store"), *self._cookies, *headers]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send_piece(self, data: bytes) -> None:
        """Send a part of the body; returns once the browser has room."""
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """End the body."""
        await self._send({"type": "http.response.body", "body": b""})

    async def tell(self, status: int, body: dict[str, Any], headers: Headers | None = None) -> None:
        """Answer with a JSON body."""
        content = json.dumps(body).encode()
        kind = (b"content-type", b"application/json")
        length = (b"content-length", str(len(content)).encode())
        await self.begin(status, [kind, length, *(headers or ())])
        await self._send({"type": "http.response.body", "body": content})

    async def refuse(self, error: TremplinError, language: str) -> None:
        """Answer with an error; one that comes after the beginning cuts the answer off."""
        if self._begun:
            # An answer without its end: the browser sees that the file is not whole.
            _log.warning("files.cut", code=error.code)
            return
        body: dict[str, Any] = {
            "message": error.text(language),
            "code": error.code,
            **error.details(),
        }
        headers: Headers = []
        if isinstance(error, Invalid):
            body["errors"] = error.fields_in(language)
        if isinstance(error, Unavailable):
            headers.append((b"retry-after", str(error.retry_after).encode()))
        await self.tell(error.entry.status, body, headers)

    async def unsatisfiable(self, size: int) -> None:
        """Answer that the range is not in the file."""
        await self.begin(416, [(b"content-range", f"bytes */{size}".encode())])
        await self.finish()


def _without_body(scope: Scope) -> Headers:
    return [(n, v) for n, v in scope["headers"] if n.lower() not in _OF_BODY]


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _download_headers(path: bytes, etag: str) -> Headers:
    name = path.rpartition(b"/")[2]
    plain = re.sub(rb'[^ -~]|["\\%]', b"_", name)
    disposition = (
        b'attachment; filename="' + plain + b"\"; filename*=UTF-8''" + quote(name).encode()
    )
    return [
        (b"content-type", b"application/octet-stream"),
        (b"content-disposition", disposition),
        (b"accept-ranges", b"bytes"),
        (b"etag", etag.encode()),
    ]


def _range(asked: str, size: int) -> tuple[int, int]:
    """Return start and end of what is asked for; the whole file unless it is one range.

    An empty span past the start says that the range is not in the file.
    """
    found = _RANGE.fullmatch(asked.strip())
    if not found or not size or found.group(0) == "bytes=-":
        return 0, size
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    if start >= size:
        return size, size
    return start, min(size, int(last) + 1) if last else size
