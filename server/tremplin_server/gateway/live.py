"""Telling open pages that something changed: the WebSocket `/console/live`.

A page gets no data here, only the hint to ask again for what it shows; asking checks its
rights. It opens the WebSocket with a ticket: signed by Flask for somebody who is signed
in, good once and for a short time. The socket is closed when that person signs out or is
signed out, and after a while in any case: a notice can be lost.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from tremplin_server.accounts.web_sessions import ENDED
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
SIGNED_OUT = 4401
"""What a page is told whose person is signed out: it goes to the sign-in at once."""
CHANGED = json.dumps({"type": "client.changed"})

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def issue_ticket(secret_key: str, web_session: int) -> str:
    """Return a ticket for a page of a browser that is signed in."""
    return _serializer(secret_key).dumps([web_session, secrets.token_hex(8)])


def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt="tremplin live ticket")


@dataclass(eq=False, slots=True)
class _Page:
    """One open page. web_session: of the browser that it is in."""

    web_session: int
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    signed_out: asyncio.Event = field(default_factory=asyncio.Event)


class LivePages:
    """The open pages of this worker."""

    def __init__(self, bus: Bus, config: Config) -> None:
        self._bus = bus
        self._secret_key = config.secret_key
        self._pages: set[_Page] = set()
        self._used: dict[str, float] = {}
        self._ended: dict[int, float] = {}

    def start(self) -> None:
        """Listen to what changes, and to which tickets other workers have seen."""
        self._bus.subscribe("client.changed", self._changed)
        self._bus.subscribe("client.deleted", self._changed)
        self._bus.subscribe("session.changed", self._changed)
        self._bus.subscribe("push.changed", self._changed)
        self._bus.subscribe("support.changed", self._changed)
        self._bus.subscribe("approval.changed", self._changed)
        self._bus.subscribe(_USED, lambda body: self._use(body["nonce"]))
        self._bus.subscribe(ENDED, self._signed_out)
        self._bus.on_gap(lambda: self._changed({}))

    def admits(self, ticket: str) -> int:
        """Return the web session that `ticket` is good for, and use it up; 0 for none."""
        try:
            web_session, nonce = _serializer(self._secret_key).loads(ticket, max_age=TICKET_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return 0
        if nonce in self._used or web_session in self._ended:
            return 0
        self._use(nonce)
        self._bus.publish(_USED, {"nonce": nonce})
        return int(web_session)

    async def serve(self, ticket: str, receive: Receive, send: Send) -> None:
        """Serve one page until it leaves, its person is signed out, or its time is over."""
        await send({"type": "websocket.accept"})
        web_session = self.admits(ticket)
        if not web_session:
            await send({"type": "websocket.close", "code": _POLICY, "reason": "auth.required"})
            return
        page = _Page(web_session)
        self._pages.add(page)
        loop = asyncio.get_running_loop()
        telling = loop.create_task(_tell(page.changed, send))
        leaving = loop.create_task(_left(receive))
        out = loop.create_task(page.signed_out.wait())
        try:
            await asyncio.wait(
                (leaving, out), timeout=OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if out.done():
                await send({"type": "websocket.close", "code": SIGNED_OUT})
            elif not leaving.done():
                await send({"type": "websocket.close", "code": _TRY_AGAIN})
        finally:
            self._pages.discard(page)
            for task in (telling, leaving, out):
                task.cancel()
            await asyncio.gather(telling, leaving, out, return_exceptions=True)

    def _changed(self, _body: Mapping[str, Any]) -> None:
        for page in self._pages:
            page.changed.set()

    def _signed_out(self, body: Mapping[str, Any]) -> None:
        ended = set(body["ids"])
        for web_session in ended:
            _keep(self._ended, web_session)
        for page in self._pages:
            if page.web_session in ended:
                page.signed_out.set()

    def _use(self, nonce: str) -> None:
        _keep(self._used, nonce)


def _keep(known: dict[Any, float], key: Any) -> None:
    """Keep `key` for as long as a ticket that has to do with it can be shown."""
    now = asyncio.get_running_loop().time()
    for old in [n for n, until in known.items() if until < now]:
        del known[old]
    known[key] = now + TICKET_SECONDS


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _tell(changed: asyncio.Event, send: Send) -> None:
    while True:
        await changed.wait()
        await asyncio.sleep(SETTLE_SECONDS)
        changed.clear()
        await send({"type": "websocket.send", "text": CHANGED})
