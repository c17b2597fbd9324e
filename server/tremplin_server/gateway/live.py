"""Telling open pages that something changed: the WebSocket `/console/live`.

A page gets no data here, only the hint to ask again for what it shows; asking checks its
rights. It opens the WebSocket with a ticket: signed by Flask for somebody who is signed
in, good once and for a short time. After a while the socket is closed, so that a page
of somebody who has signed out learns so when it asks for the next ticket.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from tremplin_server.config import Config
from tremplin_server.gateway.bus import Bus

LIVE_PATH = "/console/live"
TICKET_SECONDS = 30
OPEN_SECONDS = 900.0
SETTLE_SECONDS = 0.2
"""Changes that come together are told once."""

_USED = "live.ticket_used"
_TRY_AGAIN = 1000
_POLICY = 1008
CHANGED = json.dumps({"type": "client.changed"})

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def issue_ticket(secret_key: str, user_id: int) -> str:
    """Return a ticket for a page of a signed-in user."""
    return _serializer(secret_key).dumps([user_id, secrets.token_hex(8)])


def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt="tremplin live ticket")


class LivePages:
    """The open pages of this worker."""

    def __init__(self, bus: Bus, config: Config) -> None:
        self._bus = bus
        self._secret_key = config.secret_key
        self._pages: set[asyncio.Event] = set()
        self._used: dict[str, float] = {}

    def start(self) -> None:
        """Listen to what changes, and to which tickets other workers have seen."""
        self._bus.subscribe("client.changed", self._changed)
        self._bus.subscribe("client.deleted", self._changed)
        self._bus.subscribe(_USED, lambda body: self._use(body["nonce"]))
        self._bus.on_gap(lambda: self._changed({}))

    def admits(self, ticket: str) -> bool:
        """Return whether `ticket` is good, and use it up."""
        try:
            _, nonce = _serializer(self._secret_key).loads(ticket, max_age=TICKET_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return False
        if nonce in self._used:
            return False
        self._use(nonce)
        self._bus.publish(_USED, {"nonce": nonce})
        return True

    async def serve(self, ticket: str, receive: Receive, send: Send) -> None:
        """Serve one page until it leaves or its time is over."""
        await send({"type": "websocket.accept"})
        if not self.admits(ticket):
            await send({"type": "websocket.close", "code": _POLICY, "reason": "auth.required"})
            return
        changed = asyncio.Event()
        self._pages.add(changed)
        telling = asyncio.get_running_loop().create_task(_tell(changed, send))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(OPEN_SECONDS):
                    while (await receive())["type"] != "websocket.disconnect":
                        pass
                    return
            await send({"type": "websocket.close", "code": _TRY_AGAIN})
        finally:
            self._pages.discard(changed)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    def _changed(self, _body: Mapping[str, Any]) -> None:
        for page in self._pages:
            page.set()

    def _use(self, nonce: str) -> None:
        now = asyncio.get_running_loop().time()
        for old in [n for n, until in self._used.items() if until < now]:
            del self._used[old]
        self._used[nonce] = now + TICKET_SECONDS


async def _tell(changed: asyncio.Event, send: Send) -> None:
    while True:
        await changed.wait()
        await asyncio.sleep(SETTLE_SECONDS)
        changed.clear()
        await send({"type": "websocket.send", "text": CHANGED})
