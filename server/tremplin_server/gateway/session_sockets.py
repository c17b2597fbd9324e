"""The WebSockets of sessions: an agent's end, and the end of a technician's program.

    SESSION_PATH <session id>   the agent, with the token of its order
    STREAM_PATH <session id>    a program, with the ticket that the API gave it

Both are refused with an HTTP status and a problem body before the WebSocket is accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from tremplin_agent.wire import SESSION_PATH

from tremplin_server.errors import TremplinError
from tremplin_server.gateway.link import Carrier
from tremplin_server.gateway.sessions import SessionHub
from tremplin_server.gateway.stream import splice
from tremplin_server.gateway.websocket import EXTENSION
from tremplin_server.sessions.api import STREAM_PATH
from tremplin_server.sessions.models import Front

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class SessionSockets:
    """Lets them in or refuses them; afterwards they are streams of the hub's sessions."""

    def __init__(self, hub: SessionHub) -> None:
        self._hub = hub

    async def serve(self, scope: Scope, source_ip: str, send: Send) -> None:
        """Serve a WebSocket whose path begins with one of the two above."""
        path = str(scope["path"])
        serve, prefix = (
            (self._agent, SESSION_PATH)
            if path.startswith(SESSION_PATH)
            else (self._program, STREAM_PATH)
        )
        session_id = path.removeprefix(prefix)
        try:
            if not _ID.fullmatch(session_id):
                raise TremplinError("session.missing", id=session_id[:64])
            await serve(scope, session_id, source_ip, send)
        except TremplinError as error:
            await _refuse(error, scope, send)

    async def _agent(self, scope: Scope, session_id: str, source_ip: str, send: Send) -> None:
        seat = await self._hub.arrivals.admit(session_id, _bearer(scope), source_ip)
        carrier: Carrier = scope["extensions"][EXTENSION]
        try:
            await send({"type": "websocket.accept"})
            if not carrier.open:
                raise OSError("the agent is gone")
        except OSError:
            seat.leave()
            return
        stream = carrier.carry(lost="session.host_lost")
        self._hub.arrivals.watch(stream)
        seat.take(stream)

    async def _program(self, scope: Scope, session_id: str, source_ip: str, send: Send) -> None:
        opening = await self._hub.redeem(
            session_id, _bearer(scope), Front.STREAM, source_ip=source_ip
        )
        agent = await self._hub.connect(opening)
        carrier: Carrier = scope["extensions"][EXTENSION]
        try:
            await send({"type": "websocket.accept"})
            if not carrier.open:
                raise OSError("the program is gone")
        except OSError:
            await agent.close()
            return
        stream = carrier.carry(lost="")
        self._hub.arrivals.watch(stream)
        self._hub.spawn(splice(stream, agent))


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name.lower() == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return str(token.strip())
    return ""


def _language(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name.lower() == b"accept-language":
            return str(value.decode("latin-1"))
    return "en"


async def _refuse(error: TremplinError, scope: Scope, send: Send) -> None:
    body = {"message": error.text(_language(scope)), "code": error.code}
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json; charset=utf-8")]
    if error.entry.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="tremplin"'))
    await send(
        {
            "type": "websocket.http.response.start",
            "status": error.entry.status,
            "headers": headers,
        }
    )
    await send({"type": "websocket.http.response.body", "body": content})
