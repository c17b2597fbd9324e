"""Bringing the two ends of a session together, and watching over it until it ends.

The technician's end is at this worker. The agent's is ordered over its control channel
(`session_orders`), which any worker may hold; its socket may land at any worker, too, and
comes here over a peer link then (`session_arrivals`). From there on a session is two
streams that somebody joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from tremplin_agent import wire

from tremplin_server.clients.identity import site_key
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.waking import Target
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, TremplinError, Unavailable
from tremplin_server.gateway import metrics
from tremplin_server.gateway.session_arrivals import Arrivals
from tremplin_server.gateway.session_ends import Recent, SessionStream, Waiting, error_of
from tremplin_server.gateway.session_orders import Orders
from tremplin_server.gateway.stream import Stream
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
RECENT_SECONDS = 15.0
"""How long after an end the host may still say why it was."""

_SECRET = "session_key"  # noqa: S105 - the name of a row, not a secret
_log = logger(__name__)


class SessionHub:
    """The sessions of one worker; `gateway.sessions`. Made and used in the event loop."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._waiting: dict[str, Waiting] = {}
        self._live: dict[str, SessionStream] = {}
        self._recent: dict[str, Recent] = {}
        self.arrivals = Arrivals(gateway, self._waiting.get)
        self._orders = Orders(gateway, self.arrivals.token, self._refused)
        self._watching: asyncio.Task[None] | None = None
        self._draining = False

    # --- life -------------------------------------------------------------------------------

    @property
    def peer_address(self) -> str:
        """Where the other workers hand over agents' sockets; empty when there are none."""
        return self.arrivals.address

    @property
    def visitors(self) -> dict[str, Callable[[Stream], None]]:
        """See `Arrivals.visitors`."""
        return self.arrivals.visitors

    async def visit(self, address: str, name: str) -> Stream:
        """See `Arrivals.visit`."""
        return await self.arrivals.visit(address, name)

    async def start(self) -> None:
        """Begin: after this, sessions may be connected."""
        await self.arrivals.start(await self._gateway.store.call(_site_key))
        self._orders.start()
        bus = self._gateway.bus
        bus.subscribe("session.changed", self._session_changed)
        bus.subscribe("client.changed", self._client_changed)
        bus.subscribe("client.deleted", self._client_changed)
        bus.on_gap(lambda: self.spawn(self.look()))
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    def drain(self) -> None:
        """End every session, because this worker goes away, and begin no other."""
        self._draining = True
        for waiting in list(self._waiting.values()):
            waiting.fail(Unavailable("session.draining"))
        for stream in list(self._live.values()):
            self.spawn(stream.close("session.draining"))
        self.arrivals.drain()

    async def stop(self) -> None:
        """End; `drain` came before, or comes with it."""
        self.drain()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self.arrivals.stop()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside its caller; what goes wrong is logged."""
        self._gateway.spawn(work)

    # --- beginning --------------------------------------------------------------------------

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
        waiting = self._waiting[opening.session_id] = Waiting(opening, arrived)
        try:
            if self._draining:
                raise Unavailable("session.draining")
            waiting.ordered = self._orders.open(opening)
            if not waiting.ordered:
                self._wake(waiting)
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
        stream = SessionStream(opening, agent, self._over, self.spawn)
        now = self._gateway.store.clock.now()
        stream.limit((opening.expires_at - now).total_seconds())
        self._live[opening.session_id] = stream
        metrics.SESSIONS.set(len(self._live))
        self.spawn(self._gateway.store.call(service.opened, opening.session_id))
        return stream

    def _abandon(self, waiting: Waiting, code: str) -> None:
        """Write down that a session did not begin, and tell the host when it was asked."""
        opening, arrived = waiting.opening, waiting.arrived
        if arrived.done() and not arrived.cancelled() and arrived.exception() is None:
            self.spawn(arrived.result().close(code))
        if waiting.ordered:
            self._orders.close(opening.client_id, opening.session_id, code)
        metrics.SESSION_ENDS.labels(code).inc()
        self.spawn(self._gateway.store.call(service.ended, opening.session_id, code))

    # --- ending -----------------------------------------------------------------------------

    def _over(self, stream: SessionStream) -> None:
        """Write that a session is over, and tell the host."""
        opening, code = stream.opening, stream.end_code or "session.ended"
        del self._live[opening.session_id]
        metrics.SESSIONS.set(len(self._live))
        metrics.SESSION_ENDS.labels(code).inc()
        # The agent's socket says so as well, but only to who still reads it.
        self._orders.close(opening.client_id, opening.session_id, code)
        loop = asyncio.get_running_loop()
        recent = self._recent[opening.session_id] = Recent(opening.client_id, loop.create_future())
        loop.call_later(RECENT_SECONDS, self._recent.pop, opening.session_id, None)
        self.spawn(self._write_end(stream, code, recent.written))

    async def _write_end(
        self, stream: SessionStream, code: str, written: asyncio.Future[None]
    ) -> None:
        session_id = stream.opening.session_id
        try:
            await self._gateway.store.call(
                service.ended, session_id, code, stream.to_host, stream.from_host
            )
        finally:
            written.set_result(None)

    async def _explain(self, session_id: str, code: str, written: asyncio.Future[None]) -> None:
        await written
        await self._gateway.store.call(service.explained, session_id, code)

    def agent_ended(self, client_id: int, message: wire.SessionEnded) -> None:
        """Take an agent's word that a session of its own is over, or was refused."""
        self._orders.agent_ended(client_id, message)

    def _refused(self, client_id: int, session_id: str, code: str, detail: str) -> bool:
        waiting, live = self._waiting.get(session_id), self._live.get(session_id)
        recent = self._recent.get(session_id)
        if waiting is not None and waiting.opening.passive and code == "jump.not_connected":
            # It left between our look and the order.
            self._wake(waiting)
        elif waiting is not None and waiting.opening.client_id == client_id:
            waiting.fail(error_of(code or "session.ended", detail))
        elif live is not None and live.opening.client_id == client_id:
            # A plain end is said by the socket as well, behind the last bytes.
            if code:
                self.spawn(live.close(error_of(code, detail).code))
        elif recent is not None and recent.client_id == client_id:
            # An ssh client hangs up as soon as SSH says goodbye, before the reason is here.
            if code and code != "session.host_lost":
                self.spawn(self._explain(session_id, error_of(code, detail).code, recent.written))
        else:
            return False
        return True

    # --- notices ----------------------------------------------------------------------------

    def _session_changed(self, body: Mapping[str, Any]) -> None:
        if body["state"] != SessionState.ENDED:
            return
        session_id, code = str(body["session_id"]), str(body["code"])
        waiting, live = self._waiting.get(session_id), self._live.get(session_id)
        if waiting is not None:
            waiting.fail(error_of(code))
        if live is not None:
            self.spawn(live.close(code))

    def _client_changed(self, body: Mapping[str, Any]) -> None:
        """Hear that a client came, left, was disabled, or (without a state) was deleted."""
        client_id, state = int(body["client_id"]), str(body.get("state", ""))
        code = service.FORBIDDING.get(state, "") if "state" in body else "session.removed"
        for waiting in list(self._waiting.values()):
            if waiting.opening.client_id == client_id:
                self._client_of_waiting(waiting, state, code)
        for stream in list(self._live.values()):
            if code and stream.opening.client_id == client_id:
                self.spawn(stream.close(code))

    def _client_of_waiting(self, waiting: Waiting, state: str, code: str) -> None:
        if code:
            waiting.fail(error_of(code))
        elif state == State.OFFLINE and not waiting.opening.passive and not waiting.taken:
            waiting.fail(Conflict("client.offline"))
        elif state == State.RESTING and waiting.ordered and not waiting.taken:
            # It left before the order reached it.
            self._wake(waiting)
        elif state == State.ONLINE and not waiting.ordered:
            self.spawn(self._order_again(waiting.opening.session_id))

    def _wake(self, waiting: Waiting) -> None:
        """Call a passive client that is away; the order follows when it comes."""
        waiting.ordered = False
        target = waiting.opening.wake
        if target is not None and not waiting.waking:
            waiting.waking = True
            self.spawn(self._call(waiting, target))

    async def _call(self, waiting: Waiting, target: Target) -> None:
        calls = await self._gateway.waker.wake(target)
        waiting.waking = False
        if not calls.answered:
            waiting.tried = calls.tried
            waiting.fail(_not_reached(waiting))

    async def _order_again(self, session_id: str) -> None:
        opening = await self._gateway.store.call(service.opening, session_id)
        waiting = self._waiting.get(session_id)
        if opening is not None and waiting is not None and not waiting.ordered:
            waiting.ordered = self._orders.open(opening)

    # --- the watch --------------------------------------------------------------------------

    async def _watch(self) -> None:
        clock, looked_at = asyncio.get_running_loop().time, 0.0
        while True:
            await asyncio.sleep(min(1.0, self._gateway.config.heartbeat_seconds / 10))
            self.arrivals.look()
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
        doomed = await self._gateway.store.call(service.doomed, list(self._live))
        for session_id, code in doomed.items():
            stream = self._live.get(session_id)
            if stream is not None:
                await stream.close(code)

    async def reassert(self) -> None:
        """Say again what lives here: another worker took this one for dead."""
        if self._live:
            await self._gateway.store.call(service.still_open, list(self._live))


def _site_key(work: Work) -> bytes:
    return site_key(work, _SECRET).private_bytes_raw()


def _not_reached(waiting: Waiting) -> TremplinError:
    """Return the error that names where a passive client was looked for."""
    target = waiting.opening.wake
    known = target.places if target is not None else ()
    return Unavailable("jump.timeout_connect", tried=", ".join(waiting.tried or known) or "–")


def _told(waiting: Waiting, error: Exception) -> TremplinError:
    """Return what the front of a session that did not begin is told."""
    if isinstance(error, TremplinError):
        return error
    if isinstance(error, TimeoutError):
        lost = waiting.opening.passive and not waiting.ordered
        return _not_reached(waiting) if lost else Unavailable("jump.timeout_internal")
    _log.error("session.failed", exc_info=error)
    return TremplinError("jump.internal")
