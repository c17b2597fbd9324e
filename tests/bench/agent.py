"""One simulated agent: the real agent's core without a host behind it.

Conversation, keys and back-off are those of `tremplin_agent.core`; frames come from the
`websockets` protocol core over a bare asyncio transport. What is left out costs the
server nothing: files, a service manager, the statistics of a real machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from tremplin_agent import wire
from tremplin_agent.agent import REFUSED_SECONDS, STEADY_SECONDS, WELCOME_SECONDS
from tremplin_agent.control import OPEN_SECONDS
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
from tremplin_agent.dialling import TCP_SECONDS
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

PLATFORM = "linux-64"
STATISTICS: dict[str, object] = {
    "hostname": "",
    "fqdn": "bench.example.org",
    "operating_system": "Debian GNU/Linux 12 (bookworm)",
    "private_ip": "192.0.2.1",
    "console_user": "",
    "uptime_seconds": 86_400,
    "cpu_percent": 1.5,
    "cpu_count": 4,
    "memory_total_bytes": 8 << 30,
    "memory_used_bytes": 2 << 30,
    "disk_total_bytes": 64 << 30,
    "disk_used_bytes": 16 << 30,
}


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
        """Return the TLS settings of a client that believes any server.

        A real agent checks the certificate; here that would only take processor time from
        the server on the same machine, whose own work it does not change.
        """
        if not self.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


def identity(label: str, number: int) -> Identity:
    """Return the key of agent `number` of a run: derived, so that nobody has to send it."""
    return Identity.from_raw(hashlib.sha256(f"{label}:{number}".encode()).digest())


def fingerprint(label: str, number: int) -> str:
    """Return the machine fingerprint that agent `number` states."""
    return hashlib.sha256(f"{label}:{number}:machine".encode()).hexdigest()


async def _dial(door: Door) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        address = (door.address, door.port)
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, address), TCP_SECONDS)
    except TimeoutError as error:
        sock.close()
        raise ConnectionError("no answer in time") from error
    except OSError:
        sock.close()
        raise
    return sock


class Owner(Protocol):
    """What a link tells: messages, and once its end."""

    def connected(self, link: Link) -> None: ...

    def opened(self) -> None: ...

    def received(self, frame: str) -> None: ...

    def closed(self) -> None: ...


class Link(asyncio.Protocol):
    """A WebSocket client over a transport; decodes frames and answers pings."""

    __slots__ = ("_core", "_owner", "_transport", "heard_at")

    def __init__(self, door: Door, owner: Owner) -> None:
        self._core = ClientProtocol(door.uri, max_size=wire.MAX_FRAME)
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self.heard_at = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's TLS transport is one in deed, not by its class.
        self._transport = cast(asyncio.Transport, transport)
        self._owner.connected(self)
        self._core.send_request(self._core.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
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
        if self._is_open:
            self._core.send_text(wire.encode(message).encode())
            self._flush()

    def ping(self) -> None:
        """Ask for a sign of life."""
        if self._is_open:
            self._core.send_ping(b"")
            self._flush()

    def close(self) -> None:
        """End the connection without a word, as a killed process does."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def _is_open(self) -> bool:
        closing = self._transport is None or self._transport.is_closing()
        return not closing and self._core.state is State.OPEN

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
    `closed`, or `refused:<code>`.
    """

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
        self.visit = False
        """Whether it is a passive one that checks in."""
        self._door, self._report, self._enrolment = door, report, enrolment
        self._identity = identity(label, number)
        self._backoff = Backoff(random.random)
        self._conversation: Conversation | None = None
        self._server_key = b""
        self._lost_at = time.monotonic()
        self._turned_away: TurnedAway | None = None
        self._drain: float | None = None
        self._in_since: float | None = None
        self._heartbeat, self._statistics_every, self._statistics_due = 15.0, 300.0, 0.0

    async def connect(self, context: ssl.SSLContext | None) -> None:
        """Connect and stay until the server has decided.

        Raises OSError when nothing answers, TimeoutError when it answers too late; the
        bounds are the real agent's.
        """
        loop = asyncio.get_running_loop()
        self.settled.clear()
        self._turned_away = self._drain = None
        sock = await _dial(self._door)
        await asyncio.wait_for(
            loop.create_connection(
                lambda: Link(self._door, self),
                sock=sock,
                ssl=context,
                server_hostname="localhost" if context else None,
                ssl_handshake_timeout=OPEN_SECONDS if context else None,
            ),
            OPEN_SECONDS,
        )
        await asyncio.wait_for(self.settled.wait(), WELCOME_SECONDS)

    def wait(self, fault: Exception | None) -> float:
        """Return how long the real agent would wait now, in seconds.

        fault: what `connect` raised; None when a connection ended.
        """
        if isinstance(fault, TimeoutError):
            return self._backoff.busy()
        if fault is not None:
            return self._backoff.silent(time.monotonic() - self._lost_at)
        if self._turned_away is not None:
            refused = self._turned_away
            return self._backoff.busy(REFUSED_SECONDS if refused.final else refused.retry_after)
        in_since, self._in_since = self._in_since, None
        if self._drain is None and (
            in_since is None or time.monotonic() - in_since < STEADY_SECONDS
        ):
            return self._backoff.busy()
        self._backoff.welcomed()
        if self._drain is not None:
            return self._backoff.drained(self._drain)
        return self._backoff.silent(0)

    def tend(self, now: float) -> None:
        """Do what is due while connected: statistics, a ping, dropping a dead connection."""
        link, in_since = self.link, self._in_since
        if link is None or in_since is None:
            return
        silence = now - link.heard_at
        if silence >= 2 * self._heartbeat:
            link.close()
        elif silence >= self._heartbeat:
            link.ping()
        elif now >= self._statistics_due:
            self._report_statistics(now)

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
            visit=self.visit,
        )
        self._conversation = Conversation(me, self._identity, verify)
        self._carry_out(self._conversation.opened())

    def received(self, frame: str) -> None:
        assert self._conversation is not None
        self._carry_out(self._conversation.received(frame))

    def closed(self) -> None:
        if self._in_since is not None:
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
        self._in_since = time.monotonic()
        self._heartbeat = float(action.settings.get("heartbeat_seconds", 15))
        self._statistics_every = float(action.settings.get("statistics_seconds", 300))
        self.settled.set()
        self._report(self, "online")
        self._report_statistics(self._in_since)

    def _report_statistics(self, now: float) -> None:
        self._statistics_due = now + self._statistics_every * (0.9 + 0.2 * random.random())
        self._send(wire.Statistics(STATISTICS | {"hostname": f"{self.label}-{self.number}"}))

    def _send(self, message: wire.AgentMessage) -> None:
        assert self.link is not None
        self.link.send(message)
