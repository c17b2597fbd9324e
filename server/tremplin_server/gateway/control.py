"""The WebSocket shell of the control channel: does what the state machine says."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tremplin_agent import wire

from tremplin_server.audit import service as audit
from tremplin_server.clients import commands, enrolment, reporting
from tremplin_server.clients.enrolment import EnrolRequest
from tremplin_server.clients.housekeeping import settings_for
from tremplin_server.clients.lifecycle import Event
from tremplin_server.clients.presence import Change, Identity
from tremplin_server.errors import TremplinError
from tremplin_server.gateway import attending, metrics
from tremplin_server.gateway.attending import Customer
from tremplin_server.gateway.link import Link
from tremplin_server.gateway.protocol import (
    Action,
    AttendHost,
    Close,
    ControlProtocol,
    EnrolHost,
    Join,
    LookUp,
    NoteUnknown,
    Phase,
    Report,
    Send,
)
from tremplin_server.logging import logger
from tremplin_server.permissions import Actor, ActorKind

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

HANDSHAKE_SECONDS = 10.0

_INBOX = 8
"""Frames of one agent that wait at most before it is read no more."""

INTERNAL_ERROR = 1011

Receive = Callable[[], Awaitable[dict[str, Any]]]

_log = logger(__name__)


class Connection:
    """One agent's WebSocket, from its first frame to its last."""

    __slots__ = (
        "_customer",
        "_ended",
        "_gateway",
        "_inbox",
        "_look_again",
        "_machine",
        "_public_ip",
        "client_id",
        "deadline",
        "link",
        "pinged_at",
        "public_key",
        "visiting",
    )

    def __init__(self, gateway: Gateway, link: Link, public_ip: str) -> None:
        self._gateway = gateway
        self._machine = ControlProtocol(
            secrets.token_bytes(wire.NONCE_BYTES), gateway.accepted_pins
        )
        self._public_ip = public_ip
        self._look_again = False
        self._customer: Customer | None = None
        self._ended = False
        self._inbox: list[str | None] = []
        self.link = link
        self.client_id = 0
        self.public_key = b""
        self.visiting = False
        """A passive agent that checks in: it takes orders and no session."""
        self.pinged_at = 0.0
        self.deadline = link.heard_at + HANDSHAKE_SECONDS

    async def run(self, receive: Receive) -> None:
        """Serve the agent until it is in, or either side closes."""
        try:
            while self._machine.phase is not Phase.OPEN:
                event = await receive()
                if event["type"] == "websocket.disconnect":
                    break
                if event["type"] == "websocket.receive":
                    await self._do(self._machine.received(event.get("text")))
        except Exception:
            self._fail()
        if self._machine.phase is Phase.OPEN and self.link.open:
            # It waited for the welcome that was sent just now, so nothing is on its way.
            self.link = self.link.settle(self)
        else:
            self._left()

    # --- what the link says, once the agent is in -----------------------------------------

    def received(self, text: str | None) -> None:
        """Take a frame; frames are worked off one after the other."""
        self._inbox.append(text)
        if len(self._inbox) == 1:
            self._gateway.spawn(self._work_off())
        elif len(self._inbox) == _INBOX:
            self.link.pause()

    def ended(self) -> None:
        """Leave, once all is done that the agent said before."""
        if not self._inbox:
            self._left()
        self._ended = True

    async def _work_off(self) -> None:
        try:
            while self._inbox:
                await self._do(self._machine.received(self._inbox[0]))
                del self._inbox[0]
        except Exception:
            self._inbox.clear()
            self._fail()
        self.link.resume()
        if self._ended:
            self._left()

    def _fail(self) -> None:
        _log.exception("control.failed", client_id=self.client_id)
        self.link.end(INTERNAL_ERROR)

    # --- what the hub and the sweeper want ------------------------------------------------

    def overdue(self, now: float) -> bool:
        """Whether the agent did not say in time who it is."""
        return self._machine.waits_for_agent and now > self.deadline

    async def answers(self, seconds: float) -> bool:
        """Return whether the agent answers a ping within `seconds`."""
        pong = self.link.ping()
        await asyncio.wait([pong], timeout=seconds)
        return pong.done() and pong.result()

    def refuse(self, error: TremplinError) -> None:
        """Tell the agent why it must leave, and close."""
        self._perform(self._machine.refused(error))

    def abort(self) -> None:
        """Drop the connection without a word."""
        self.link.abort()

    def drain(self, spread: float) -> None:
        """Tell the agent that the server is going away."""
        self.link.post(wire.encode(wire.Drain(spread)))

    def say(self, message: wire.SessionOpen | wire.SessionClose | wire.WakeOnLan) -> None:
        """Tell the agent something that is of no use later."""
        if self._machine.phase is Phase.OPEN:
            self.link.post(wire.encode(message))

    def look_for_commands(self) -> None:
        """Fetch and send what waits for this client."""
        if self._machine.phase is Phase.OPEN:
            self._gateway.spawn(self._send_pending())
        else:
            self._look_again = True

    @property
    def attends(self) -> bool:
        """Whether this is a customer's client and no agent."""
        return self._customer is not None

    async def reassert(self) -> None:
        """Say again that this customer's client is connected here."""
        if self._customer is not None:
            await self._customer.arrive()

    def present(self) -> Change:
        """Return the change that says that this client is connected here."""
        return replace(self._change(Event.CONNECTED), public_key=self.public_key)

    # --- actions ----------------------------------------------------------------------------

    async def _do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Send | Close):
                self._perform([action])
            else:
                await self._do(await self._carry_out(action))

    def _perform(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                if isinstance(action.message, wire.Refused):
                    metrics.REFUSED.labels(action.message.code).inc()
                self.link.post(wire.encode(action.message))
            elif isinstance(action, Close):
                self.link.end(action.code, action.reason)

    async def _carry_out(self, action: Action) -> list[Action]:
        if isinstance(action, LookUp):
            store = self._gateway.store
            asked = store.visits.identities if action.visit else store.identities
            identities = await asked.submit(action.client_id)
            return self._machine.looked_up(identities)
        if isinstance(action, EnrolHost):
            return await self._enrol(action)
        if isinstance(action, AttendHost):
            return await self._attend(action)
        if isinstance(action, Join):
            return await self._join(action)
        if isinstance(action, NoteUnknown):
            await self._gateway.store.call(reporting.unknown_key, action.hello, self._public_ip)
            return []
        assert isinstance(action, Report), "Send and Close are performed at once"
        return await self._write_down(action)

    async def _enrol(self, action: EnrolHost) -> list[Action]:
        gateway = self._gateway
        request = EnrolRequest(action.hello, action.enrol, action.nonce, self._public_ip)
        try:
            gateway.take_enrolment_token()
            candidates = await gateway.store.call(enrolment.candidates, request)
            live = await gateway.hub.live(candidates)
            identity = await gateway.store.call_as(
                self._actor(), enrolment.enrol, request, live, gateway.accepted_pins
            )
        except TremplinError as error:
            _log.info("enrol.refused", code=error.code, public_ip=self._public_ip)
            return self._machine.refused(error)
        metrics.ADMITTED.labels("enrolment").inc()
        return self._machine.joined(identity)

    async def _attend(self, action: AttendHost) -> list[Action]:
        try:
            found = await attending.admitted(self._gateway, action, self._public_ip)
        except TremplinError as error:
            _log.info("attend.refused", code=error.code, public_ip=self._public_ip)
            return self._machine.refused(error)
        self._customer = Customer(
            self._gateway,
            found,
            self._public_ip,
            post=lambda message: self.link.post(wire.encode(message)),
            end=lambda code: self.link.end(code),
        )
        return self._machine.joined(attending.identity_of(found))

    async def _join_customer(self, customer: Customer, identity: Identity) -> list[Action]:
        if not await customer.arrive():
            return self._machine.refused(TremplinError("support.ended"))
        if self._machine.phase is Phase.CLOSED:
            return []
        metrics.CONNECTIONS.set(len(self._gateway.hub))
        settings = settings_for(self._gateway.config, identity)
        actions = self._machine.admitted(identity, self._gateway.server_key, settings, ())
        self._gateway.spawn(self._send_pending())
        return actions

    async def _join(self, action: Join) -> list[Action]:
        identity = action.identity
        self.client_id, self.public_key = identity.client_id, identity.public_key
        try:
            await self._gateway.hub.claim(self)
        except TremplinError as error:
            await self._gateway.store.call_as(self._actor(), _clone_refused, identity, action.hello)
            return self._machine.refused(error)
        if self._customer is not None:
            return await self._join_customer(self._customer, identity)
        self.visiting = bool(action.hello.visit) and identity.connection_type == "passive"
        event = Event.CHECKED_IN if self.visiting else Event.CONNECTED
        change = self._change(event, action.hello)
        store = self._gateway.store
        told = store.visits.arrivals if self.visiting else store.arrivals
        waiting = await told.submit(change)
        if waiting is None:
            # Its key was revoked meanwhile; at its next try it hears so.
            self.abort()
        if waiting is None or self._machine.phase is Phase.CLOSED:
            return []
        metrics.ADMITTED.labels("proof").inc()
        metrics.CONNECTIONS.set(len(self._gateway.hub))
        actions = self._machine.admitted(
            identity,
            self._gateway.server_key,
            settings_for(self._gateway.config, identity),
            waiting,
        )
        if self._look_again:
            self._gateway.spawn(self._send_pending())
        return actions

    async def _write_down(self, report: Report) -> list[Action]:
        message, store, client_id = report.message, self._gateway.store, self.client_id
        metrics.MESSAGES.labels(message.TYPE).inc()
        if self._customer is not None:
            await self._customer.hear(message)
        elif isinstance(message, wire.Statistics):
            told = store.visits.statistics if self.visiting else store.statistics
            await told.submit((client_id, message.values))
        elif isinstance(message, wire.Ack):
            await store.call_as(
                self._actor(), commands.acknowledge, client_id, self.public_key, message
            )
        elif isinstance(message, wire.Uninstalled):
            await store.call_as(
                self._actor(),
                reporting.host_uninstalled,
                client_id,
                self.public_key,
                message.reason,
            )
            return self._machine.farewell_written()
        elif isinstance(message, wire.UserChanged):
            await store.call_as(
                self._actor(), reporting.user_changed, client_id, message.console_user
            )
        elif isinstance(message, wire.Disabled):
            await store.call_as(self._actor(), reporting.disabled, client_id)
        elif isinstance(message, wire.Enabled):
            await store.call_as(self._actor(), reporting.enabled, client_id)
        elif isinstance(message, wire.SessionEnded):
            self._gateway.sessions.agent_ended(client_id, message)
        elif isinstance(message, wire.Log):
            await store.call_as(self._actor(), reporting.log, client_id, message)
        return []

    async def _send_pending(self) -> None:
        self._look_again = False
        if self._customer is not None:
            await self._customer.look()
            return
        for command in await self._gateway.store.pending.submit(self.client_id):
            self.link.post(wire.encode(command))

    def _left(self) -> None:
        self._gateway.forget(self)
        if self.client_id and self._gateway.hub.leave(self):
            metrics.CONNECTIONS.set(len(self._gateway.hub))
            if self.visiting:
                # That it checked in is written, and that it left follows from it.
                return
            if self._customer is not None:
                self._gateway.spawn(self._customer.leave())
                return
            self._gateway.write_later(self._change(Event.DISCONNECTED))

    def _change(self, event: Event, hello: wire.Hello | None = None) -> Change:
        if hello is None:
            return Change(self.client_id, event, datetime.now(UTC), self._gateway.worker_id)
        return Change(
            self.client_id,
            event,
            datetime.now(UTC),
            self._gateway.worker_id,
            self._public_ip,
            hello.version,
            hello.platform,
            hello.fingerprint,
            self.public_key,
        )

    def _actor(self) -> Actor:
        name = f"client {self.client_id}" if self.client_id else "agent"
        return Actor(ActorKind.AGENT, name, self.client_id, self._public_ip)


def _clone_refused(work: Any, identity: Identity, hello: wire.Hello) -> None:
    audit.record(
        work,
        "client.clone_refused",
        "client",
        identity.client_id,
        known=identity.fingerprint,
        fingerprint=hello.fingerprint[:64],
    )
