"""The ASGI application of a worker: WebSockets to the gateway, everything else to Flask."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import parse_qs

from a2wsgi import WSGIMiddleware
from tremplin_agent.wire import CONTROL_PATH, SESSION_PATH

from tremplin_server.app import create_app
from tremplin_server.config import Config
from tremplin_server.db import Database
from tremplin_server.gateway.door import EXTENSION as DOOR
from tremplin_server.gateway.door import Door
from tremplin_server.gateway.file_http import FileHttp
from tremplin_server.gateway.gateway import Gateway
from tremplin_server.gateway.link import Link
from tremplin_server.gateway.live import LIVE_PATH
from tremplin_server.gateway.payload_http import PayloadHttp
from tremplin_server.gateway.session_sockets import SessionSockets
from tremplin_server.gateway.terminals import TERMINAL_PATH, Terminals
from tremplin_server.gateway.websocket import EXTENSION
from tremplin_server.gateway.wiring import bus_for
from tremplin_server.logging import logger
from tremplin_server.rest import EXTENSION as DATABASE
from tremplin_server.sessions.api import STREAM_PATH

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = logger(__name__)


class Application:
    """Made in the worker, after the fork: it opens the database."""

    def __init__(self, config: Config) -> None:
        self._bus = bus_for(config)
        self.flask = create_app(config, publisher=self._bus)
        self._database: Database = self.flask.extensions[DATABASE]
        # a2wsgi describes ASGI's and WSGI's types more narrowly than Flask and uvicorn do.
        self._http: Any = WSGIMiddleware(cast(Any, self.flask), workers=config.http_threads)
        self._gateway: Gateway | None = None
        self._files: FileHttp | None = None
        self._payloads: PayloadHttp | None = None
        self._terminals: Terminals | None = None
        self.bastion_listener: socket.socket | None = None
        """Where technicians come with ssh; set before the lifespan begins."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            files = self._files if FileHttp.concerns(scope["path"]) else None
            payloads = self._payloads if PayloadHttp.concerns(scope["path"]) else None
            own = files or payloads
            await (own.serve if own else self._http)(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._lifespan(receive, send)

    def drain(self) -> None:
        """Tell the agents that this worker goes away."""
        if self._gateway is not None:
            self._gateway.drain()

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gateway = self._gateway
        if gateway is not None and scope["path"] == CONTROL_PATH:
            link: Link = scope["extensions"][EXTENSION]
            public_ip = client_address(scope, self._database.config.trusted_proxies)
            await send({"type": "websocket.accept"})
            link.slim()
            await gateway.serve(link, public_ip, receive)
        elif gateway is not None and scope["path"] == LIVE_PATH:
            ticket = parse_qs(scope["query_string"].decode("latin-1")).get("ticket", [""])[0]
            await gateway.live.serve(ticket, receive, send)
        elif gateway is not None and scope["path"].startswith((SESSION_PATH, STREAM_PATH)):
            public_ip = client_address(scope, self._database.config.trusted_proxies)
            await SessionSockets(gateway.sessions).serve(scope, public_ip, send)
        elif self._terminals is not None and scope["path"] == TERMINAL_PATH:
            await self._terminals.serve(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._gateway = Gateway(self._database, self._bus)
            await self._gateway.start(self.bastion_listener)
            self._files = FileHttp(self._gateway, self._http)
            self._payloads = PayloadHttp(self._gateway)
            self._terminals = Terminals(self._gateway, self.flask)
            self.flask.extensions[DOOR] = Door(self._gateway)
        except Exception as error:
            _log.exception("gateway.start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._gateway.stop()
        self._database.engine.dispose()
        await send({"type": "lifespan.shutdown.complete"})


def client_address(scope: Scope, trusted_proxies: int) -> str:
    """Return where a connection comes from.

    trusted_proxies: how many proxies of ours stand in front; each adds one address to
    X-Forwarded-For, and what stands left of those is hearsay.
    """
    direct = str(scope["client"][0]) if scope.get("client") else ""
    if not trusted_proxies:
        return direct
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED]
    hops = [hop.strip() for hop in ",".join(lines).split(",") if hop.strip()]
    return hops[-trusted_proxies] if len(hops) >= trusted_proxies else direct


_FORWARDED = b"x-forwarded-for"
