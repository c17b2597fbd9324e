"""Agents' session sockets: who is let in, where to, and whether they still live."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tremplin_agent import wire

from tremplin_server.errors import Conflict, TremplinError
from tremplin_server.gateway.peer_link import PeerLinks
from tremplin_server.gateway.session_ends import Waiting
from tremplin_server.gateway.socket_stream import WebSocketStream
from tremplin_server.gateway.stream import Stream, splice
from tremplin_server.logging import logger
from tremplin_server.sessions import service

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

_PONG_SHARE = 0.8
_log = logger(__name__)


@dataclass(slots=True)
class Seat:
    """An agent's socket that may be accepted; then `take` it, or `leave` when it was lost.

    Either waiting or peer is given: the technician's end is here, or at another worker.
    """

    arrivals: Arrivals
    session_id: str
    waiting: Waiting | None = None
    peer: Stream | None = None

    def take(self, stream: Stream) -> None:
        """Join the agent's end, whose socket was accepted, with the technician's."""
        if self.peer is not None:
            self.arrivals.relay(self.session_id, stream, self.peer)
        elif self.waiting is None or not self.waiting.arrive(stream):
            self.arrivals.spawn(stream.close("session.ended"))

    def leave(self) -> None:
        """Give the seat up."""
        if self.peer is not None:
            self.arrivals.spawn(self.peer.close("session.host_lost"))
        elif self.waiting is not None:
            self.waiting.fail(TremplinError("session.host_lost"))


class Arrivals:
    """The agents' end of the sessions of one worker.

    waiting: returns the technician's end of a session, if it waits here.
    """

    def __init__(self, gateway: Gateway, waiting: Callable[[str], Waiting | None]) -> None:
        self._gateway = gateway
        self._waiting = waiting
        self._key = b""
        self._peers: PeerLinks | None = None
        self._relays: dict[str, tuple[Stream, Stream]] = {}
        self._sockets: set[WebSocketStream] = set()
        self.visitors: dict[str, Callable[[Stream], None]] = {}
        """Who takes a link that another worker dialled under this name (32 characters)."""
        self.spawn = gateway.spawn

    @property
    def address(self) -> str:
        """Where the other workers hand over agents' sockets; empty when there are none."""
        return self._peers.address if self._peers is not None else ""

    async def start(self, site_key: bytes) -> None:
        """Begin; site_key: what all workers of the site know."""
        self._key = site_key
        gateway = self._gateway
        if not gateway.config.sqlite:
            self._peers = PeerLinks(
                gateway.config, gateway.worker_id, site_key, self._expects, self._take_peer
            )
            await self._peers.start()

    def drain(self) -> None:
        """End what is carried to other workers."""
        for pair in list(self._relays.values()):
            for end in pair:
                self.spawn(end.close("session.draining"))

    async def stop(self) -> None:
        """Listen to other workers no more."""
        if self._peers is not None:
            await self._peers.stop()

    # --- letting in -------------------------------------------------------------------------

    def token(self, session_id: str) -> str:
        """Return the token of a session's agent.

        It is made of the session's id with a key that only workers have, so that any of
        them can check it without having heard of it; the waiting end takes one socket only.
        """
        said = b"tremplin session agent\0" + session_id.encode()
        return wire.b64encode(hmac.digest(self._key, said, "sha256"))

    async def admit(self, session_id: str, token: str, source_ip: str) -> Seat:
        """Return the seat of an agent's socket that may be accepted.

        Raises TremplinError: auth.required for a wrong token, session.missing,
        session.ended for a session that is off or has its agent's end already.
        """
        if not hmac.compare_digest(token.encode(), self.token(session_id).encode()):
            await self._note_stranger(session_id, "token", source_ip)
            raise TremplinError("auth.required")
        waiting = self._waiting(session_id)
        if waiting is not None:
            if not waiting.free:
                await self._note_stranger(session_id, "replay", source_ip)
                raise Conflict("session.ended")
            waiting.taken = True
            return Seat(self, session_id, waiting)
        try:
            return Seat(self, session_id, peer=await self._peer_of(session_id))
        except TremplinError:
            await self._note_stranger(session_id, "late", source_ip)
            raise

    async def _peer_of(self, session_id: str) -> Stream:
        place = await self._gateway.store.call(service.place, session_id)
        if place.worker_id == self._gateway.worker_id:
            raise Conflict("session.ended")
        return await self.visit(place.address, session_id)

    async def _note_stranger(self, session_id: str, fault: str, source_ip: str) -> None:
        _log.warning("session.agent_refused", fault=fault, source_ip=source_ip)
        await self._gateway.store.call(service.agent_refused, session_id, fault, source_ip)

    # --- between workers --------------------------------------------------------------------

    async def visit(self, address: str, name: str) -> Stream:
        """Dial another worker, where `name` (32 characters) is waited for.

        Raises TremplinError (session.ended, jump.internal).
        """
        if self._peers is None:
            raise Conflict("session.ended")
        return await self._peers.dial(address, name)

    def _expects(self, name: str) -> bool:
        waiting = self._waiting(name)
        return name in self.visitors or (waiting is not None and waiting.free)

    def _take_peer(self, name: str, stream: Stream) -> bool:
        if name in self.visitors:
            self.visitors[name](stream)
            return True
        waiting = self._waiting(name)
        if waiting is None or not waiting.free:
            return False
        waiting.taken = True
        return waiting.arrive(stream)

    def relay(self, session_id: str, agent: Stream, peer: Stream) -> None:
        """Carry an agent's bytes to the worker where its technician is."""
        self._relays[session_id] = (agent, peer)
        self.spawn(self._relay(session_id, agent, peer))

    async def _relay(self, session_id: str, agent: Stream, peer: Stream) -> None:
        try:
            await splice(agent, peer)
        finally:
            self._relays.pop(session_id, None)

    # --- watching ---------------------------------------------------------------------------

    def watch(self, stream: WebSocketStream) -> None:
        """Drop this socket when its peer falls silent."""
        self._sockets.add(stream)

    def look(self) -> None:
        """Look at every socket: ping the silent ones, drop the dead ones."""
        now, heartbeat = asyncio.get_running_loop().time(), self._gateway.config.heartbeat_seconds
        for stream in list(self._sockets):
            if not stream.open:
                self._sockets.discard(stream)
            elif stream.held or now - stream.heard_at < heartbeat:
                # Of one that is held back nothing is read, not even its pongs.
                continue
            elif stream.pinged_at <= stream.heard_at:
                stream.pinged_at = now
                stream.ping()
            elif now - stream.pinged_at > heartbeat * _PONG_SHARE:
                stream.abort()
