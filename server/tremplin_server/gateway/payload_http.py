"""Payloads on their way to agents that update: in pieces, resumed, within the bandwidth.

In the event loop, because a slow download would hold one of Flask's threads for long.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tremplin_agent import wire

from tremplin_server.errors import TremplinError
from tremplin_server.gateway.limits import Throttle
from tremplin_server.logging import logger
from tremplin_server.updates import download

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CHUNK_BYTES = 64 * 1024
_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)
_COMMAND = re.compile("[0-9a-zA-Z-]{1,36}", re.ASCII)
_RANGE = re.compile(rb"bytes=(\d{1,15})-", re.ASCII)

_log = logger(__name__)


class PayloadHttp:
    """Answers agents that fetch the payload they were ordered to update to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._throttle = Throttle(asyncio.get_running_loop().time)

    @staticmethod
    def concerns(path: str) -> bool:
        """Return whether this path is one of a payload."""
        return path.startswith(wire.PAYLOAD_PATH)

    async def serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        try:
            if scope["method"] != "GET":
                raise TremplinError("request.method")
            found = await self._find(scope["path"].removeprefix(wire.PAYLOAD_PATH), headers)
        except TremplinError as error:
            await _refuse(send, error)
            return
        named = _RANGE.fullmatch(headers.get(b"range", b""))
        start = min(int(named[1]), found.size) if named else 0
        try:
            await self._send(found, start, receive, send)
        except OSError as error:
            # The file was taken away in the middle: the agent comes again and hears more.
            _log.warning("payload.cut", error=str(error))

    async def _find(self, sha256: str, headers: dict[bytes, bytes]) -> download.Download:
        given = {name: headers.get(b"x-tremplin-" + name, b"") for name in _HEADERS}
        try:
            client_id = int(given[b"client"])
            command_id = given[b"command"].decode("ascii")
            signature = wire.b64decode(given[b"signature"].decode("ascii"))
        except (ValueError, wire.WireError) as error:
            raise TremplinError("enrol.bad_proof") from error
        good = (
            0 < client_id < 2**31
            and _COMMAND.fullmatch(command_id)
            and _SHA256.fullmatch(sha256)
            and len(signature) == 64
        )
        if not good:
            raise TremplinError("enrol.bad_proof")
        return await self._gateway.store.look_up(
            download.find, client_id, command_id, sha256, signature
        )

    async def _send(
        self, found: download.Download, start: int, receive: Receive, send: Send
    ) -> None:
        head = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", str(found.size - start).encode()),
            (b"accept-ranges", b"bytes"),
            (b"cache-control", b"no-store"),
        ]
        if start:
            span = f"bytes {start}-{found.size - 1}/{found.size}"
            head.append((b"content-range", span.encode()))
        await send(
            {"type": "http.response.start", "status": 206 if start else 200, "headers": head}
        )
        gone = asyncio.ensure_future(_gone(receive))
        rate = found.bytes_per_second / self._gateway.config.workers
        try:
            # Open at once: a payload that is replaced meanwhile is sent to its end.
            with found.path.open("rb") as file:
                file.seek(start)
                left = found.size - start
                while left > 0 and not gone.done():
                    piece = await asyncio.to_thread(file.read, min(left, CHUNK_BYTES))
                    if not piece:
                        raise OSError("the payload became shorter")
                    left -= len(piece)
                    await self._throttle.pass_(len(piece), rate)
                    await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        finally:
            gone.cancel()


_HEADERS = (b"client", b"command", b"signature")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, error: TremplinError) -> None:
    body = f"{error.code}\n".encode()
    head = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.entry.status, "headers": head})
    await send({"type": "http.response.body", "body": body})
