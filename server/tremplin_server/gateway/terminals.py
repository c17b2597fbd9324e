"""The terminals of pages: the WebSocket `/console/terminal`.

The first message of a page says what it wants:

    {"type": "open", "session_id", "ticket", "columns", "rows", "language"}
    {"type": "attach", "session_id", "ticket", "received", "columns", "rows", "language"}

No ticket stands in an address, where logs would keep it. The page then sends bytes that
were typed and {"type": "resize" | "received" | "ping"}; it gets the shell's bytes and
{"type": "opened" | "attached" | "taken" | "pong" | "moved" | "refused" | "ended"}.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature

from tremplin_server.accounts import web_sessions
from tremplin_server.accounts.web_sessions import ENDED
from tremplin_server.errors import Conflict, TremplinError
from tremplin_server.gateway.host_ssh import sign_in
from tremplin_server.gateway.link import Link
from tremplin_server.gateway.stream import Stream
from tremplin_server.gateway.terminal_line import Line, PeerLine, SocketLine
from tremplin_server.gateway.terminal_room import TerminalRoom, bounded, parsed
from tremplin_server.gateway.websocket import EXTENSION
from tremplin_server.sessions import returning
from tremplin_server.sessions.models import Front

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

TERMINAL_PATH = "/console/terminal"
HELLO_SECONDS = 10.0
PING_SECONDS = 15.0

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Terminals:
    """The shells of this worker whose pages may come back."""

    def __init__(self, gateway: Gateway, flask: Flask) -> None:
        self._gateway, self._flask = gateway, flask
        self._rooms: dict[str, TerminalRoom] = {}
        gateway.bus.subscribe(ENDED, self._signed_out)
        gateway.bus.on_gap(lambda: gateway.spawn(self._catch_up()))

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a page's WebSocket until its end."""
        await send({"type": "websocket.accept"})
        line = SocketLine(receive, send)
        link: Link = scope["extensions"][EXTENSION]
        watching = asyncio.ensure_future(_watch(link))
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                first = await line.receive()
            if isinstance(first, str):
                who, web_session = await self._signed_in(scope)
                said = {"who": who, "web_session": web_session, "relayed": False}
                await self._greet({**parsed(first), **said}, line)
        except TimeoutError:
            await line.close()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _greet(self, hello: dict[str, Any], line: Line) -> None:
        language = str(hello.get("language", "en"))
        try:
            if hello["who"] is None:
                raise TremplinError("auth.required")
            if hello.get("type") == "open":
                await self._open(hello, line, language)
            elif hello.get("type") == "attach":
                await self._attach(hello, line, language)
        except TremplinError as error:
            told = {"type": "refused", "code": error.code, "message": error.text(language)}
            await line.send(json.dumps(told))
        await line.close()

    async def _open(self, hello: dict[str, Any], line: Line, language: str) -> None:
        hub, session_id = self._gateway.sessions, str(hello.get("session_id"))
        opening = await hub.redeem(
            session_id, str(hello.get("ticket")), Front.TERMINAL, who=hello["who"]
        )
        stream = await hub.connect(opening)
        room = TerminalRoom(session_id, hello["who"], stream)
        room.web_session = hello["web_session"]
        columns, rows = bounded(hello.get("columns")), bounded(hello.get("rows"))
        await room.begin(await sign_in(stream, opening.host_key), columns, rows)
        self._rooms[session_id] = room
        hub.visitors[_name(session_id)] = self._visited
        self._gateway.spawn(self._forget(room))
        await room.show(line, language)

    async def _forget(self, room: TerminalRoom) -> None:
        await room.over.wait()
        del self._rooms[room.session_id]
        del self._gateway.sessions.visitors[_name(room.session_id)]

    # --- coming back ------------------------------------------------------------------------

    async def _attach(self, hello: dict[str, Any], line: Line, language: str) -> None:
        session_id = str(hello.get("session_id"))
        room = self._rooms.get(session_id)
        if room is None:
            await self._attach_elsewhere(session_id, hello, line)
            return
        ticket = str(hello.get("ticket"))
        returning.check(self._gateway.config, ticket, session_id, hello["who"])
        if ticket in room.used or room.technician != hello["who"]:
            raise TremplinError("session.ticket")
        room.used.add(ticket)
        room.web_session = hello["web_session"]
        received = hello.get("received")
        await room.show(line, language, received if isinstance(received, int) else 0)

    async def _attach_elsewhere(self, session_id: str, hello: dict[str, Any], line: Line) -> None:
        """Carry the page's messages to the worker that has the shell."""
        if hello.get("relayed"):
            raise Conflict("session.ended")
        returning.check(self._gateway.config, str(hello.get("ticket")), session_id, hello["who"])
        place = await self._gateway.store.look_up(returning.place, session_id)
        stream = await self._gateway.sessions.visit(place.address, _name(session_id))
        peer = PeerLine(stream)
        await peer.send(json.dumps({**hello, "relayed": True}))
        there = asyncio.ensure_future(_pass_on(line, peer))
        back = asyncio.ensure_future(_pass_on(peer, line))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            await peer.hang_up(left=line.left)

    def _visited(self, stream: Stream) -> None:
        self._gateway.spawn(self._greet_visitor(stream))

    async def _greet_visitor(self, stream: Stream) -> None:
        line = PeerLine(stream)
        first = await line.receive()
        if isinstance(first, str):
            # The other worker has read the cookie: its word on who this is counts.
            await self._greet(parsed(first), line)

    # --- who it is --------------------------------------------------------------------------

    async def _signed_in(self, scope: Scope) -> tuple[int | None, int]:
        """Return the user whose browser this is, by the cookie of the pages, and its session."""
        serializer = SecureCookieSessionInterface().get_signing_serializer(self._flask)
        written = _cookie(scope, str(self._flask.config["SESSION_COOKIE_NAME"]))
        if serializer is None or not written:
            return None, 0
        try:
            max_age = int(self._flask.permanent_session_lifetime.total_seconds())
            known = serializer.loads(written, max_age=max_age)
        except BadSignature:
            return None, 0
        token = str(known.get("_user_id", ""))
        found = await self._gateway.store.look_up(web_sessions.holder, token)
        return (found.user.id, found.session.id) if found else (None, 0)

    def _signed_out(self, body: Mapping[str, Any]) -> None:
        """End the shells of browsers that are signed in no more."""
        for room in self._rooms.values():
            if room.web_session in body["ids"]:
                room.end()

    async def _catch_up(self) -> None:
        """Do what notices that were lost would have asked for."""
        shown = {room.web_session for room in self._rooms.values()}
        if shown:
            living = await self._gateway.store.look_up(web_sessions.living, shown)
            self._signed_out({"ids": shown - living})


async def _pass_on(source: Line, target: Line) -> None:
    while (message := await source.receive()) is not None:
        await target.send(message)


async def _watch(link: Link) -> None:
    """Drop a link whose page answers nothing: the shell then waits for it to come back."""
    loop = asyncio.get_running_loop()
    while link.open:
        await asyncio.sleep(PING_SECONDS)
        if loop.time() - link.heard_at < PING_SECONDS:
            continue
        try:
            await asyncio.wait_for(asyncio.shield(link.ping()), PING_SECONDS)
        except TimeoutError:
            link.abort()


def _cookie(scope: Scope, name: str) -> str:
    lines = [v.decode("latin-1") for n, v in scope["headers"] if n == b"cookie"]
    try:
        found = SimpleCookie("; ".join(lines)).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _name(session_id: str) -> str:
    """Return under which name a session's shell is reached by other workers.

    Another one than the session's own, under which an agent's end is handed over.
    """
    return hashlib.sha256(b"terminal\0" + session_id.encode()).hexdigest()[:32]
