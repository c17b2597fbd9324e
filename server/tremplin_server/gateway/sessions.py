"""Bringing the two ends of a session together, and watching over it until it ends.

The technician's end is at this worker. The agent's is ordered over its control channel,
which any worker may hold; its socket may land at any worker, too, and comes here over a
peer link then. From there on a session is two streams that somebody joins.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tremplin_agent import wire

from tremplin_server.clients.identity import site_key
from tremplin_server.clients.lifecycle import State
from tremplin_server.db import Work
from tremplin_server.errors import CATALOGUE, Conflict, TremplinError, Unavailable
from tremplin_server.gateway import metrics
from tremplin_server.gateway.peer_link import PeerLinks
from tremplin_server.gateway.socket_stream import WebSocketStream
from tremplin_server.gateway.stream import Stream, splice
from tremplin_server.logging import logger
from tremplin_server.permissions import Actor, ActorKind
from tremplin_server.sessions import service
from tremplin_server.sessions.models import Front, SessionState
from tremplin_server.sessions.service import Opening, Request

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

PATIENCE = 10.0
"""Seconds that an agent has to bring its end."""

WATCH_SECONDS = 5.0
_PONG_SHARE = 0.8
_SECRET = "session_key"  # noqa: S105 - the name of a row, not a secret
_log = logger(__name__)


@dataclass(slots=True)
class _Waiting:
    """The technician's end waits. taken: an agent's socket is being let in already."""

    opening: Opening
    arrived: asyncio.Future[Stream]
    ordered: bool = False
    taken: bool = False


@dataclass(slots=True)
class Seat:
    """An agent's socket that may be accepted; then `take` it."""

    hub: SessionHub
    waiting: _Waiting | None
    session_id: str
    peer: Stream | None = None

    def take(self, stream: Stream) -> None:
        """Join the agent's end, whose socket was accepted, with the technician's."""
        if self.peer is not None:
            self.hub.relay(self.session_id, stream, self.peer)
        elif self.waiting is not None and not self.waiting.arrived.done():
            self.waiting.arrived.set_result(stream)
        else:
            self.hub.spawn(stream.close("session.ended"))

    def leave(self) -> None:
        """Give the seat up: the socket was lost before it was accepted."""
        if self.peer is not None:
            self.hub.spawn(self.peer.close("session.host_lost"))
        elif self.waiting is not None:
            self.hub.fail(self.session_id, TremplinError("session.host_lost"))


@dataclass(eq=False, slots=True)
class SessionStream:
    """A live session as its front sees it: the agent's end, counted and written down."""

    opening: Opening
    _hub: SessionHub
    _agent: Stream
    to_host: int = 0
    from_host: int = 0
    _code: str | None = None
    _timer: asyncio.TimerHandle | None = None

    async def read(self) -> bytes:
        data = await self._agent.read()
        self.from_host += len(data)
        if not data:
            await self.close(self._agent.end_code)
        return data

    async def write(self, data: bytes) -> None:
        self.to_host += len(data)
        await self._agent.write(data)

    async def close(self, code: str = "") -> None:
        if self._code is not None:
            return
        self._code = code
        if self._timer is not None:
            self._timer.cancel()
        self._hub.over(self)
        await self._agent.close(code)

    @property
    def end_code(self) -> str:
        return self._code or ""

    def limit(self, seconds: float) -> None:
        """End when that time is over."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            max(0.0, seconds), lambda: self._hub.spawn(self.close("session.time_up"))
        )


class SessionHub:
    """The sessions of one worker; `gateway.sessions`. Made and used in the event loop."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._key = b""
        self._waiting: dict[str, _Waiting] = {}
        self._live: dict[str, SessionStream] = {}
        self._relays: dict[str, tuple[Stream, Stream]] = {}
        self._sockets: set[WebSocketStream] = set()
        self._peers: PeerLinks | None = None
        self._watching: asyncio.Task[None] | None = None
        self._draining = False

    # --- life -------------------------------------------------------------------------------

    @property
    def peer_address(self) -> str:
        """Where the other workers hand over agents' sockets; empty when there are none."""
        return self._peers.address if self._peers is not None else ""

    async def start(self) -> None:
        """Begin: after this, sessions may be connected."""
        gateway = self._gateway
        self._key = await gateway.store.call(_site_key)
        bus = gateway.bus
        bus.subscribe("session.open", self._asked_to_open)
        bus.subscribe("session.refused", self._heard_refusal)
        bus.subscribe("session.close", self._asked_to_close)
        bus.subscribe("session.changed", self._session_changed)
        bus.subscribe("client.changed", self._client_changed)
        bus.subscribe("client.deleted", self._client_changed)
        bus.on_gap(lambda: self.spawn(self.look()))
        if not gateway.config.sqlite:
            self._peers = PeerLinks(
                gateway.config, gateway.worker_id, self._key, self._expects, self._take_peer
            )
            await self._peers.start()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    def drain(self) -> None:
        """End every session, because this worker goes away, and begin no other."""
        self._draining = True
        for session_id in list(self._waiting):
            self.fail(session_id, Unavailable("session.draining"))
        for stream in list(self._live.values()):
            self.spawn(stream.close("session.draining"))
        for pair in list(self._relays.values()):
            for end in pair:
                self.spawn(end.close("session.draining"))

    async def stop(self) -> None:
        """End; `drain` came before, or comes with it."""
        self.drain()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._peers is not None:
            await self._peers.stop()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside its caller; what goes wrong is logged."""
        self._gateway.spawn(work)

    # --- the technician's end ---------------------------------------------------------------

    async def redeem(
        self,
        session_id: str,
        ticket: str,
        front: Front,
        *,
        source_ip: str = "",
        who: int | None = None,
    ) -> Opening:
        """Use up a ticket and return what `connect` takes.

        who: id of the technician, where the front knows. Raises TremplinError
        (session.ticket, client.missing).
        """
        visitor = Actor(ActorKind.SYSTEM, "visitor", source_ip=source_ip)
        return await self._gateway.store.call_as(
            visitor, service.redeem, session_id, ticket, self._gateway.worker_id, front, who
        )

    async def start_and_connect(self, actor: Actor, client_id: int, request: Request) -> Stream:
        """Start a session of `actor`, whose end is here, and return the agent's end of it.

        Raises what `service.start` and `connect` raise.
        """
        opening = await self._gateway.store.call_as(
            actor, service.start_here, client_id, request, self._gateway.worker_id
        )
        return await self.connect(opening)

    async def connect(self, opening: Opening) -> Stream:
        """Return the agent's end of a session: SSH, with the host's pinned key, begins on it.

        The caller must `close` the stream in the end; with that, the end of the session is
        written. Raises TremplinError: jump.timeout_internal, jump.timeout_connect (a passive
        client), jump.not_connected, jump.internal, what the agent said, or why the session
        was ended meanwhile.
        """
        arrived: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[opening.session_id] = _Waiting(opening, arrived)
        try:
            if self._draining:
                raise Unavailable("session.draining")
            self._order(waiting)
            async with asyncio.timeout(PATIENCE):
                agent = await arrived
        except asyncio.CancelledError:
            self._abandon(waiting, "session.ended")
            raise
        except Exception as error:
            told = _told(waiting, error)
            self._abandon(waiting, told.code)
            raise told from (None if told is error else error)
        finally:
            del self._waiting[opening.session_id]
        return self._begun(opening, agent)

    def _begun(self, opening: Opening, agent: Stream) -> SessionStream:
        stream = SessionStream(opening, self, agent)
        now = self._gateway.store.clock.now()
        stream.limit((opening.expires_at - now).total_seconds())
        self._live[opening.session_id] = stream
        metrics.SESSIONS.set(len(self._live))
        self.spawn(self._gateway.store.call(service.opened, opening.session_id))
        return stream

    def _abandon(self, waiting: _Waiting, code: str) -> None:
        """Write down that a session did not begin, and tell the host when it was asked."""
        opening, arrived = waiting.opening, waiting.arrived
        if arrived.done() and not arrived.cancelled() and arrived.exception() is None:
            self.spawn(arrived.result().close(code))
        if waiting.ordered:
            self._order_close(opening.client_id, opening.session_id, code)
        metrics.SESSION_ENDS.labels(code).inc()
        self.spawn(self._gateway.store.call(service.ended, opening.session_id, code))

    def over(self, stream: SessionStream) -> None:
        """Take note that a session is over: write it, and tell the host when it was not told."""
        opening, code = stream.opening, stream.end_code
        if self._live.pop(opening.session_id, None) is None:
            return
        metrics.SESSIONS.set(len(self._live))
        metrics.SESSION_ENDS.labels(code or "session.ended").inc()
        # The agent's socket says so as well, but only to who still reads it.
        self._order_close(opening.client_id, opening.session_id, code or "session.ended")
        self.spawn(
            self._gateway.store.call(
                service.ended, opening.session_id, code, stream.to_host, stream.from_host
            )
        )

    # --- ordering the agent's end -------------------------------------------------------------

    def _order(self, waiting: _Waiting) -> None:
        """Let the agent dial, through whoever holds its control channel."""
        opening = waiting.opening
        if self._order_here(opening):
            waiting.ordered = True
        elif opening.holder not in (None, self._gateway.worker_id):
            waiting.ordered = True
            self._gateway.bus.publish(
                "session.open",
                {
                    "session_id": opening.session_id,
                    "client_id": opening.client_id,
                    "worker": opening.holder,
                },
            )
        elif not opening.passive:
            raise Conflict("jump.not_connected")

    def _order_here(self, opening: Opening) -> bool:
        connection = self._gateway.held(opening.client_id)
        if connection is None:
            return False
        token = self._token(opening.session_id)
        connection.say(wire.SessionOpen(opening.session_id, token, opening.terms.as_json()))
        return True

    def _asked_to_open(self, body: Mapping[str, Any]) -> None:
        if body["worker"] == self._gateway.worker_id:
            self.spawn(self._open_for_another(str(body["session_id"])))

    async def _open_for_another(self, session_id: str) -> None:
        opening = await self._gateway.store.call(service.opening, session_id)
        if opening is None or session_id in self._waiting:
            return
        if not self._order_here(opening):
            self._tell_refusal(opening.client_id, session_id, "jump.not_connected", "")

    def _order_close(self, client_id: int, session_id: str, code: str) -> None:
        connection = self._gateway.held(client_id)
        if connection is not None:
            connection.say(wire.SessionClose(session_id, code))
        elif self._peers is not None:
            self._gateway.bus.publish(
                "session.close", {"client_id": client_id, "session_id": session_id, "code": code}
            )

    def _asked_to_close(self, body: Mapping[str, Any]) -> None:
        connection = self._gateway.held(int(body["client_id"]))
        if connection is not None:
            connection.say(wire.SessionClose(str(body["session_id"]), str(body["code"])))

    def _token(self, session_id: str) -> str:
        """Return the token of the agent's socket.

        It is made of the session's id with a key that only workers have, so that any of
        them can check it without having heard of it; the waiting end takes one socket only.
        """
        said = b"tremplin session agent\0" + session_id.encode()
        return wire.b64encode(hmac.digest(self._key, said, "sha256"))

    # --- what the agent says on its control channel -------------------------------------------

    def agent_ended(self, client_id: int, message: wire.SessionEnded) -> None:
        """Take an agent's word that a session of its own is over, or was refused."""
        self._refuse(client_id, message.session_id, message.code, message.detail)
        known = message.session_id in self._waiting or message.session_id in self._live
        if not known and self._peers is not None:
            self._tell_refusal(client_id, message.session_id, message.code, message.detail)

    def _tell_refusal(self, client_id: int, session_id: str, code: str, detail: str) -> None:
        body = {"client_id": client_id, "session_id": session_id[:32]}
        self._gateway.bus.publish(
            "session.refused", {**body, "code": code[:64], "detail": detail[:256]}
        )

    def _heard_refusal(self, body: Mapping[str, Any]) -> None:
        self._refuse(
            int(body["client_id"]), str(body["session_id"]), str(body["code"]), str(body["detail"])
        )

    def _refuse(self, client_id: int, session_id: str, code: str, detail: str) -> None:
        waiting, live = self._waiting.get(session_id), self._live.get(session_id)
        if waiting is not None and waiting.opening.client_id == client_id:
            self.fail(session_id, _error(code or "session.ended", detail))
        elif live is not None and live.opening.client_id == client_id and code:
            self.spawn(live.close(_error(code, detail).code))

    def fail(self, session_id: str, error: TremplinError) -> None:
        """Let `connect` of a session that still waits raise `error`."""
        waiting = self._waiting.get(session_id)
        if waiting is not None and not waiting.arrived.done():
            waiting.arrived.set_exception(error)

    # --- the agent's socket -------------------------------------------------------------------

    async def admit(self, session_id: str, token: str, source_ip: str) -> Seat:
        """Return the seat of an agent's socket that may be accepted.

        Raises TremplinError: auth.required for a wrong token, session.missing,
        session.ended for a session that is off or has its agent's end already.
        """
        if not hmac.compare_digest(token.encode(), self._token(session_id).encode()):
            await self._note_stranger(session_id, "token", source_ip)
            raise TremplinError("auth.required")
        waiting = self._waiting.get(session_id)
        if waiting is not None:
            if waiting.taken or waiting.arrived.done():
                await self._note_stranger(session_id, "replay", source_ip)
                raise Conflict("session.ended")
            waiting.taken = True
            return Seat(self, waiting, session_id)
        try:
            return await self._admit_elsewhere(session_id)
        except TremplinError:
            await self._note_stranger(session_id, "late", source_ip)
            raise

    async def _admit_elsewhere(self, session_id: str) -> Seat:
        place = await self._gateway.store.call(service.place, session_id)
        if place.worker_id == self._gateway.worker_id or self._peers is None:
            raise Conflict("session.ended")
        peer = await self._peers.dial(place.address, session_id)
        return Seat(self, None, session_id, peer)

    async def _note_stranger(self, session_id: str, fault: str, source_ip: str) -> None:
        _log.warning("session.agent_refused", fault=fault, source_ip=source_ip)
        await self._gateway.store.call(service.agent_refused, session_id[:64], fault, source_ip)

    def watch_socket(self, stream: WebSocketStream) -> None:
        """Drop this socket when its peer falls silent."""
        self._sockets.add(stream)

    def _expects(self, session_id: str) -> bool:
        waiting = self._waiting.get(session_id)
        return waiting is not None and not waiting.taken and not waiting.arrived.done()

    def _take_peer(self, session_id: str, stream: Stream) -> bool:
        if not self._expects(session_id):
            return False
        waiting = self._waiting[session_id]
        waiting.taken = True
        waiting.arrived.set_result(stream)
        return True

    def relay(self, session_id: str, agent: Stream, peer: Stream) -> None:
        """Carry an agent's bytes to the worker where its technician is."""
        self._relays[session_id] = (agent, peer)
        self.spawn(self._relay(session_id, agent, peer))

    async def _relay(self, session_id: str, agent: Stream, peer: Stream) -> None:
        try:
            await splice(agent, peer)
        finally:
            self._relays.pop(session_id, None)

    # --- notices and the watch ----------------------------------------------------------------

    def _session_changed(self, body: Mapping[str, Any]) -> None:
        if body["state"] != SessionState.ENDED:
            return
        session_id, code = str(body["session_id"]), str(body["code"])
        self.fail(session_id, _error(code, ""))
        live = self._live.get(session_id)
        if live is not None:
            self.spawn(live.close(code))

    def _client_changed(self, body: Mapping[str, Any]) -> None:
        client_id, state = int(body["client_id"]), str(body.get("state", ""))
        deleted = "state" not in body
        code = "session.removed" if deleted else service.FORBIDDING.get(state, "")
        for waiting in list(self._waiting.values()):
            if waiting.opening.client_id == client_id:
                self._client_of_waiting(waiting, state, code)
        for stream in list(self._live.values()):
            if code and stream.opening.client_id == client_id:
                self.spawn(stream.close(code))

    def _client_of_waiting(self, waiting: _Waiting, state: str, code: str) -> None:
        session_id = waiting.opening.session_id
        if code:
            self.fail(session_id, _error(code, ""))
        elif state == State.OFFLINE and not waiting.opening.passive and not waiting.taken:
            self.fail(session_id, Conflict("client.offline"))
        elif state == State.ONLINE and not waiting.ordered:
            self.spawn(self._order_again(session_id))

    async def _order_again(self, session_id: str) -> None:
        opening = await self._gateway.store.call(service.opening, session_id)
        waiting = self._waiting.get(session_id)
        if opening is not None and waiting is not None and not waiting.ordered:
            waiting.opening = opening
            self._order(waiting)

    async def _watch(self) -> None:
        clock, looked_at = asyncio.get_running_loop().time, 0.0
        while True:
            await asyncio.sleep(min(1.0, self._gateway.config.heartbeat_seconds / 10))
            self._look_at_sockets()
            if clock() - looked_at < WATCH_SECONDS:
                continue
            looked_at = clock()
            try:
                await self.look()
            except Exception:
                # The database is away; the next look finds what this one missed.
                _log.exception("session.watch")

    async def look(self) -> None:
        """End the sessions that must not go on, whoever missed to say so."""
        if not self._live:
            return
        for session_id, code in (
            await self._gateway.store.call(service.doomed, list(self._live))
        ).items():
            stream = self._live.get(session_id)
            if stream is not None:
                await stream.close(code)

    async def reassert(self) -> None:
        """Say again what lives here: another worker took this one for dead."""
        if self._live:
            await self._gateway.store.call(service.still_open, list(self._live))

    def _look_at_sockets(self) -> None:
        now, heartbeat = asyncio.get_running_loop().time(), self._gateway.config.heartbeat_seconds
        for stream in list(self._sockets):
            if not stream.open:
                self._sockets.discard(stream)
            elif stream.held or now - stream.heard_at < heartbeat:
                continue
            elif stream.pinged_at <= stream.heard_at:
                stream.pinged_at = now
                stream.ping()
            elif now - stream.pinged_at > heartbeat * _PONG_SHARE:
                stream.abort()


def _site_key(work: Work) -> bytes:
    return site_key(work, _SECRET).private_bytes_raw()


def _told(waiting: _Waiting, error: Exception) -> TremplinError:
    """Return what the front of a session that did not begin is told."""
    if isinstance(error, TremplinError):
        return error
    if isinstance(error, TimeoutError):
        lost = waiting.opening.passive and not waiting.ordered
        return Unavailable("jump.timeout_connect" if lost else "jump.timeout_internal")
    _log.error("session.failed", exc_info=error)
    return TremplinError("jump.internal")


_FAMILIES = ("jump.", "session.", "client.")


def _error(code: str, detail: str) -> TremplinError:
    """Return the error of a code that came from an agent or out of the database."""
    if code not in CATALOGUE or not code.startswith(_FAMILIES):
        return TremplinError("jump.internal")
    try:
        return TremplinError(code)
    except KeyError:
        return TremplinError(code, version=detail[:32] or "?", id="?", port="?", number="?")
