"""One simulated agent: the real agent's core without a host behind it.

Conversation, keys and back-off are those of `tremplin_agent.core`; frames come from the
`websockets` protocol core over a bare asyncio transport. What is left out costs the
server nothing: files, a service manager, the statistics of a real machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from tremplin_agent import wire
from tremplin_agent.core.backoff import Backoff
from tremplin_agent.core.identity import Identity, verify
from tremplin_agent.core.protocol import (
    Action,
    Conversation,
    Drained,
    Enrolment,
    HangUp,
    LetIn,
    Self,
    Send,
    SetProperties,
    TurnedAway,
)
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import WebSocketURI, parse_uri

PLATFORM = "linux-64"
HANDSHAKE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server is reached. ca_pem: its CA, as text; ca_pin: its SHA-256."""

    address: str
    port: int
    ca_pem: str
    ca_pin: bytes
    tls: bool = True

    @property
    def uri(self) -> WebSocketURI:
        """The control channel's address, with the name that the certificate holds."""
        scheme = "wss" if self.tls else "ws"
        return parse_uri(f"{scheme}://localhost:{self.port}{wire.CONTROL_PATH}")

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS settings of a client that trusts this server's CA only."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cadata=self.ca_pem)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


def identity(label: str, number: int) -> Identity:
    """Return the key of agent `number` of a run: derived, so that nobody has to send it."""
    return Identity.from_raw(hashlib.sha256(f"{label}:{number}".encode()).digest())


def fingerprint(label: str, number: int) -> str:
    """Return the machine fingerprint that agent `number` states."""
    return hashlib.sha256(f"{label}:{number}:machine".encode()).hexdigest()


class Owner(Protocol):
    """What a link tells: messages, and once its end."""

    def connected(self, link: Link) -> None: ...

    def opened(self) -> None: ...

    def received(self, frame: str) -> None: ...

    def closed(self) -> None: ...


class Link(asyncio.Protocol):
    """A WebSocket client over a transport; decodes frames and answers pings."""

    __slots__ = ("_core", "_owner", "_transport")

    def __init__(self, door: Door, owner: Owner) -> None:
        self._core = ClientProtocol(door.uri, max_size=wire.MAX_FRAME)
        self._owner = owner
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's TLS transport is one in deed, not by its class.
        self._transport = cast(asyncio.Transport, transport)
        self._owner.connected(self)
        self._core.send_request(self._core.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._core.receive_data(data)
        for event in self._core.events_received():
            if isinstance(event, Response):
                if self._core.handshake_exc is None:
                    self._owner.opened()
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._owner.received(bytes(event.data).decode())
        self._flush()

    def eof_received(self) -> bool:
        self._core.receive_eof()
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._owner.closed()

    def send(self, message: wire.Message) -> None:
        """Send one message, if the link still stands."""
        if self._transport is not None and not self._transport.is_closing():
            self._core.send_text(wire.encode(message).encode())
            self._flush()

    def close(self) -> None:
        """End the connection without a word, as a killed process does."""
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        assert self._transport is not None
        for chunk in self._core.data_to_send():
            if chunk:
                self._transport.write(chunk)
            else:
                self._transport.close()


class SimulatedAgent:
    """One agent of a fleet: the real agent's core over a `Link`.

    client_id: 0 until it has enrolled with `enrolment`. report: called with `online`,
    `closed`, or `refused:<code>`; wait: seconds before the next try, once it is closed.
    """

    __slots__ = (
        "_backoff",
        "_conversation",
        "_door",
        "_drain",
        "_enrolment",
        "_identity",
        "_lost_at",
        "_report",
        "_server_key",
        "_turned_away",
        "client_id",
        "label",
        "link",
        "number",
        "settled",
    )  # fmt: skip

    def __init__(
        self,
        label: str,
        number: int,
        client_id: int,
        door: Door,
        report: Callable[[SimulatedAgent, str], None],
        enrolment: Enrolment | None = None,
    ) -> None:
        self.label, self.number, self.client_id = label, number, client_id
        self.link: Link | None = None
        self.settled = asyncio.Event()
        self._door, self._report, self._enrolment = door, report, enrolment
        self._identity = identity(label, number)
        self._backoff = Backoff(random.random)
        self._conversation: Conversation | None = None
        self._server_key = b""
        self._lost_at = time.monotonic()
        self._turned_away: TurnedAway | None = None
        self._drain: float | None = None

    async def connect(self, context: ssl.SSLContext | None) -> None:
        """Connect and stay until the server has decided; OSError when it does not answer."""
        loop = asyncio.get_running_loop()
        self.settled.clear()
        self._turned_away = self._drain = None
        await asyncio.wait_for(
            loop.create_connection(
                lambda: Link(self._door, self),
                self._door.address,
                self._door.port,
                ssl=context,
                server_hostname="localhost" if context else None,
            ),
            HANDSHAKE_SECONDS,
        )
        await asyncio.wait_for(self.settled.wait(), HANDSHAKE_SECONDS)

    def wait(self) -> float:
        """Return how long a real agent would wait now, in seconds."""
        if self._drain is not None:
            return self._backoff.drained(self._drain)
        if self._turned_away is not None:
            return self._backoff.busy(self._turned_away.retry_after)
        return self._backoff.silent(time.monotonic() - self._lost_at)

    def close(self) -> None:
        """Cut the connection."""
        if self.link is not None:
            self.link.close()

    def connected(self, link: Link) -> None:
        self.link = link

    def opened(self) -> None:
        me = Self(
            version="0.0.0-bench",
            platform=PLATFORM,
            fingerprint=fingerprint(self.label, self.number),
            ca_pin=self._door.ca_pin,
            client_id=self.client_id,
            server_key=self._server_key,
            enrolment=self._enrolment,
        )
        self._conversation = Conversation(me, self._identity, verify)
        self._carry_out(self._conversation.opened())

    def received(self, frame: str) -> None:
        assert self._conversation is not None
        self._carry_out(self._conversation.received(frame))

    def closed(self) -> None:
        if self._conversation is not None and self._conversation.is_in:
            self._lost_at = time.monotonic()
        self.link = self._conversation = None
        self.settled.set()
        self._report(self, "closed")

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self._send(action.message)
            elif isinstance(action, LetIn):
                self._let_in(action)
            elif isinstance(action, TurnedAway):
                self._turned_away = action
                self._report(self, f"refused:{action.code}")
                self.close()
            elif isinstance(action, SetProperties):
                self._send(wire.Ack(action.command_id))
            elif isinstance(action, Drained):
                self._drain = action.spread
                self.close()
            elif isinstance(action, HangUp):
                self.close()

    def _let_in(self, action: LetIn) -> None:
        self.client_id, self._server_key = action.client_id, action.server_key
        self._enrolment = None
        self._backoff.welcomed()
        self.settled.set()
        self._report(self, "online")

    def _send(self, message: wire.AgentMessage) -> None:
        assert self.link is not None
        self.link.send(message)
