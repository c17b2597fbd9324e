"""The agent's main loop: connect, stay connected, come back, and go when told to."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Optional, Set, Union

from tremplin_agent import wire
from tremplin_agent.codes import Code
from tremplin_agent.control import Busy, Link, open_link
from tremplin_agent.core.backoff import Backoff
from tremplin_agent.core.identity import verify
from tremplin_agent.core.lifecycle import Phase, Solitude
from tremplin_agent.core.protocol import (
    CloseSession,
    Conversation,
    Drained,
    HangUp,
    LetIn,
    OpenSession,
    RemoveYourself,
    Self,
    Send,
    SetProperties,
    TurnedAway,
    WakeNeighbours,
)
from tremplin_agent.installation import Installation
from tremplin_agent.introduction import host_facts, introduced, load_identity
from tremplin_agent.passive import Resting
from tremplin_agent.platform.networks import wake
from tremplin_agent.recordings import Recordings, Server
from tremplin_agent.reports import Reports
from tremplin_agent.sessions import Sessions
from tremplin_agent.ssh.orders import Setup
from tremplin_agent.store import Store
from tremplin_agent.tls import NoAnswer, Untrusted, context

DEFAULT_HEARTBEAT_SECONDS = 15
DEFAULT_OFFLINE_LIMIT_MINUTES = 180 * 24 * 60
WELCOME_SECONDS = 60.0
"""How long a server may take to let the agent in or to refuse it."""
REFUSED_SECONDS = 3600.0
"""How long a known agent waits after a refusal that the server calls final: no word that
is not signed removes an agent."""
CONTACT_SECONDS = 900.0
"""How often the time of the last contact is written down."""
CONFIRMATION_SECONDS = 5.0
"""How long an agent that was told to go waits for the server to hang up."""
STEADY_SECONDS = 10.0
"""A connection that ends sooner is taken as a sign of trouble at the server."""
_WATCH_SECONDS = 60.0

_NO_PLACE_HERE = (Code.CLIENT_UNINSTALLED, Code.ENROL_KEY_REPLACED, Code.ENROL_CLONE)
"""Refusals that do not count as contact: an agent that hears nothing else goes one day."""

_KNOWS_ALREADY = (Code.CLIENT_UNINSTALLED, Code.CLIENT_MISSING, Code.ENROL_KEY_REPLACED)
"""Refusals that say that there is no record left to tell about."""

log = logging.getLogger("tremplin.agent")


@dataclass(frozen=True)
class Ending:
    """How a try to connect, or a connection, ended.

    wait: seconds before the next one. refused: what the server said when it refused.
    remove: the installation has to go. fault: why nothing came of the try. final:
    nothing more is to be heard on the connection. was_in: the server let us in.
    confirmed: the server let us in, and ended the connection normally. resting: a passive
    agent left by itself.
    """

    wait: float = 0.0
    refused: Optional[TurnedAway] = None
    remove: bool = False
    fault: Optional[Exception] = None
    final: bool = True
    was_in: bool = False
    confirmed: bool = False
    resting: bool = False


class Agent:
    """One agent. `run` is its life; `enrol` and `farewell` are its first and last steps."""

    def __init__(self, installation: Installation, store: Store) -> None:
        self._installation = installation
        self._store = store
        self._state = store.state()
        self._identity = load_identity(store)
        self._pin = bytes.fromhex(installation.ca_pin)
        # The jitter keeps agents apart; nobody gains by guessing it.
        self._backoff = Backoff(random.random)
        self._settings: Dict[str, Any] = store.settings()
        self._lost_at = time.monotonic()
        self._contact_saved_at = float("-inf")
        self._reports = Reports(store)
        self._reporting = False
        self._resting = Resting(self._settings)
        self._tls: Optional[ssl.SSLContext] = None
        self._in_since: Optional[float] = None
        self._leave_when_in = False
        self._url = ""
        self._link: Optional[Link] = None
        self._sessions: Optional[Sessions] = None
        self._welcomed: Callable[[], None] = lambda: None
        self._telling: Set[asyncio.Future[None]] = set()
        if not self._state.last_contact:
            self._state = replace(self._state, last_contact=time.time())
            store.save_state(self._state)

    @property
    def removal_reason(self) -> str:
        """Why the agent decided to go, or nothing."""
        return self._state.reason

    @property
    def _server_key(self) -> bytes:
        return wire.b64decode(self._state.server_key)

    # --- life -------------------------------------------------------------------------

    async def run(self) -> bool:
        """Stay connected until cancelled; return True when the installation has to go."""
        if self._store.is_removing:
            return True
        recordings = Recordings(self._store.directory, self._identity, Backoff(random.random))
        recordings.complete()
        self._welcomed = recordings.retry
        sending = asyncio.ensure_future(recordings.send_all(self._server))
        self._sessions = self._make_sessions(recordings)
        await self._resting.start(self._state.client_id, self._server_key)
        try:
            return await self._stay()
        finally:
            await self._resting.stop()
            await self._sessions.stop()
            sending.cancel()

    async def _stay(self) -> bool:
        while True:
            ending = await self.connect()
            if ending.remove or self._is_rejected(ending) or self._is_alone_too_long():
                return True
            await self._pause(ending)
            if self._is_alone_too_long():
                return True

    async def enrol(self) -> Ending:
        """Enrol, within the time that the caller allows; return how the last try ended.

        A server that is busy is asked again; one that cannot be reached is not.
        """
        self._leave_when_in = True
        while True:
            ending = await self.connect()
            refused = ending.refused.code if ending.refused else ""
            if not (isinstance(ending.fault, Busy) or refused == Code.ENROL_BUSY):
                return ending
            await asyncio.sleep(min(ending.wait, _WATCH_SECONDS))

    async def farewell(self, reason: str, tries: int) -> bool:
        """Tell the server that this agent is gone; return whether it knows now."""
        if not self._state.client_id or self._state.told:
            return True
        for number in range(tries):
            if number:
                await asyncio.sleep(1)
            ending = await self.connect(farewell=reason)
            if ending.confirmed or (ending.refused and ending.refused.code in _KNOWS_ALREADY):
                return True
        return False

    async def _pause(self, ending: Ending) -> None:
        """Wait for the next connection, which a wake-up of the server makes due at once."""
        until = time.monotonic() + ending.wait
        while True:
            left = until - time.monotonic()
            if left <= 0 or self._is_alone_too_long():
                return
            if ending.resting and self._reports.switched:
                return
            if await self._resting.sleep(min(left, _WATCH_SECONDS)):
                return

    def _is_rejected(self, ending: Ending) -> bool:
        """Whether a new agent was refused for good: it never was a client, so it goes."""
        refused = ending.refused
        if self._state.phase is not Phase.NEW or refused is None or not refused.final:
            return False
        log.error("the server does not take this Jump Client, which removes itself: %s", refused)
        self._decide_removal(wire.UninstallReason.WINDOW_CLOSED, told=True)
        return True

    def _is_alone_too_long(self) -> bool:
        solitude = Solitude(self._state.last_contact, time.monotonic() - self._lost_at)
        limit = int(self._settings.get("offline_limit_minutes", DEFAULT_OFFLINE_LIMIT_MINUTES))
        if not solitude.exceeds(limit, time.time()):
            return False
        log.error("no contact with the server for %d minutes: removing the Jump Client", limit)
        self._decide_removal(wire.UninstallReason.OFFLINE_LIMIT)
        return True

    def _decide_removal(self, reason: wire.UninstallReason, told: bool = False) -> None:
        self._state = replace(self._state, phase=Phase.REMOVING, reason=reason.value, told=told)
        self._store.removing(self._state)

    # --- one connection ---------------------------------------------------------------

    async def connect(self, farewell: str = "") -> Ending:
        """Try the server's addresses in order; return how the first that answers ends."""
        ending = Ending()
        facts = {} if self._state.client_id else await host_facts(self._installation)
        visit = self._resting.begins() and not farewell
        for url in self._installation.urls:
            try:
                link = await open_link(url, await self._trust(url))
            except (NoAnswer, Untrusted, Busy) as fault:
                log.info("%s: %s", url, fault)
                ending = self._after_fault(fault)
                continue
            self._url = url
            known = {**facts, "private_ip": link.private_ip}
            me = introduced(self._installation, self._store, self._state, known)
            return await self._talk(link, replace(me, farewell=farewell, visit=visit))
        return ending

    async def _trust(self, url: str) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await context(url, self._pin, self._store)
        return self._tls

    def _after_fault(self, fault: Exception) -> Ending:
        if isinstance(fault, NoAnswer):
            return Ending(self._backoff.silent(time.monotonic() - self._lost_at), fault=fault)
        return Ending(self._backoff.busy(getattr(fault, "retry_after", 0)), fault=fault)

    async def _talk(self, link: Link, me: Self) -> Ending:
        conversation = Conversation(me, self._identity, verify)
        self._in_since = None
        watch = asyncio.ensure_future(self._watch(link, conversation))
        listen = asyncio.ensure_future(self._listen(link, conversation))
        idle = asyncio.ensure_future(self._until_idle(conversation, bool(me.farewell)))
        try:
            await asyncio.wait({watch, listen, idle}, return_when=asyncio.FIRST_COMPLETED)
            if idle.done() and not listen.done() and not watch.done():
                return await self._leave(link)
            if not listen.done():
                log.warning("the server fell silent; dropping the connection")
                link.abort()
            return await listen
        finally:
            self._link = None
            for task in (watch, listen, idle):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await link.close()
            if self._in_since is not None:
                self._contact(durable=True)

    async def _until_idle(self, conversation: Conversation, goes: bool) -> None:
        """Return when a passive agent may leave; one that goes for good waits for its answer."""
        await self._resting.until_idle(
            lambda: conversation.is_in,
            lambda: goes or self._reporting or self._state.phase is Phase.REMOVING,
            lambda: self._sessions is not None and self._sessions.are_open,
        )

    async def _leave(self, link: Link) -> Ending:
        """Say the rest, and go to rest; the caller closes the connection."""
        await self._report(link)
        self._backoff.welcomed()
        return Ending(self._resting.wait(), was_in=True, resting=True)

    def _wait_after_loss(self) -> float:
        """Return when to come back from a connection that ended without a word."""
        if self._in_since is None or time.monotonic() - self._in_since < STEADY_SECONDS:
            return self._backoff.busy()
        self._backoff.welcomed()
        return self._backoff.silent(0)

    async def _listen(self, link: Link, conversation: Conversation) -> Ending:
        """Carry out what the server says until the connection ends."""
        ending: Optional[Ending] = None
        for action in conversation.opened():
            await self._do(link, action)
        async for frame in link.frames():
            self._resting.heard()
            for action in conversation.received(frame):
                ending = await self._do(link, action) or ending
            if ending is not None and ending.final:
                return ending
        if ending is None:
            ending = Ending(self._wait_after_loss())
        was_in = self._in_since is not None
        return replace(ending, was_in=was_in, confirmed=was_in and link.closed_normally)

    async def _do(self, link: Link, action: object) -> Optional[Ending]:
        """Carry out one action; return how the connection ends if this ends it."""
        if isinstance(action, Send):
            await link.send(action.message)
        elif isinstance(action, LetIn):
            self._let_in(link, action)
            await self._resting.let_in(
                self._settings, self._state.client_id, self._server_key, link.server_ip
            )
            return Ending(was_in=True) if self._leave_when_in else None
        elif isinstance(action, SetProperties):
            changed = {k: v for k, v in action.properties.items() if k in self._settings}
            self._settings = {**self._settings, **changed}
            self._store.save_settings(self._settings, action.properties)
            await self._resting.settings_changed(
                self._settings, self._state.client_id, self._server_key
            )
            await link.send(wire.Ack(id=action.command_id))
        elif isinstance(action, (OpenSession, CloseSession)):
            self._order_session(action)
        elif isinstance(action, WakeNeighbours):
            await asyncio.get_running_loop().run_in_executor(None, wake, action.targets)
        elif isinstance(action, RemoveYourself):
            return await self._obey_removal(link, action)
        elif isinstance(action, Drained):
            log.info("the server goes away; coming back within %.0f seconds", action.spread)
            self._backoff.welcomed()
            return Ending(self._backoff.drained(action.spread), final=False)
        elif isinstance(action, TurnedAway):
            return self._turned_away(action)
        elif isinstance(action, HangUp):
            log.error("the server does not keep to the protocol: %s", action.reason)
            return Ending(self._backoff.busy(), fault=Busy(action.reason))
        return None

    def _let_in(self, link: Link, action: LetIn) -> None:
        self._in_since = time.monotonic()
        self._link = link
        self._settings = action.settings
        self._store.save_settings(action.settings, action.properties)
        if self._state.phase is Phase.NEW:
            log.info("enrolled as Jump Client %d", action.client_id)
            self._state = replace(
                self._state,
                phase=Phase.ENROLLED,
                client_id=action.client_id,
                server_key=wire.b64encode(action.server_key),
                last_contact=time.time(),
            )
            self._store.enrolled(self._state)
            return
        log.info("online as Jump Client %d", action.client_id)
        self._note_refusal("")
        self._welcomed()
        self._contact(durable=False)

    def _turned_away(self, refused: TurnedAway) -> Ending:
        log.warning("the server refuses: %s %s", refused.code, refused.detail)
        if self._state.phase is Phase.ENROLLED:
            if refused.code not in _NO_PLACE_HERE:
                self._contact(durable=False)
            if refused.code in _NO_PLACE_HERE or refused.code in _KNOWS_ALREADY:
                self._note_refusal(refused.code)
        wait = REFUSED_SECONDS if refused.final else refused.retry_after
        return Ending(self._backoff.busy(wait), refused=refused)

    def _note_refusal(self, code: str) -> None:
        """Write down, for who looks at this host, that the server has no place for it."""
        if self._state.refused != code:
            self._state = replace(self._state, refused=code)
            self._store.save_state(self._state)

    async def _obey_removal(self, link: Link, order: RemoveYourself) -> Ending:
        """Make the decision durable, say so, and see whether the server noted it.

        Where it did not, the removal itself tells it again: see `farewell`.
        """
        log.warning("the server orders the removal of this Jump Client")
        reason = wire.UninstallReason.COMMAND
        self._decide_removal(reason)
        await link.send(wire.Ack(id=order.command_id))
        await link.send(wire.Uninstalled(reason.value))
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_until_closed(link), CONFIRMATION_SECONDS)
            if link.closed_normally:
                self._decide_removal(reason, told=True)
        return Ending(remove=True)

    # --- sessions ---------------------------------------------------------------------

    def _make_sessions(self, recordings: Recordings) -> Sessions:
        facts = self._installation
        setup = Setup(var=str(facts.var), ca_pin=facts.ca_pin, log_name=facts.name)
        return Sessions(setup, self._store, self._tell_session_end, recordings.complete)

    def _order_session(self, action: Union[OpenSession, CloseSession]) -> None:
        if self._sessions is None:
            return
        if isinstance(action, OpenSession):
            self._sessions.open(action, self._url, self._heartbeat())
        else:
            self._sessions.close(action)

    def _tell_session_end(self, ended: wire.SessionEnded) -> None:
        """Tell the server, if it is there: it has seen the session's own connection end."""
        if self._link is not None:
            telling = asyncio.ensure_future(self._link.send(ended))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    async def _server(self) -> Optional[Server]:
        """Return where to send recordings, or None while there is no server."""
        if not (self._link or (self._resting.passive and self._url)) or not self._state.client_id:
            return None
        return Server(self._url, await self._trust(self._url), self._state.client_id)

    # --- while connected --------------------------------------------------------------

    async def _watch(self, link: Link, conversation: Conversation) -> None:
        """Return when the connection is dead; report what changes on the host till then."""
        silence = asyncio.ensure_future(link.keep_alive(self._heartbeat))
        try:
            deadline = time.monotonic() + WELCOME_SECONDS
            while not silence.done():
                if conversation.is_in:
                    await self._report(link)
                elif time.monotonic() > deadline:
                    return
                pause = self._heartbeat() if conversation.is_in else 0.2
                await asyncio.wait({silence}, timeout=pause)
        finally:
            silence.cancel()

    def _heartbeat(self) -> float:
        return float(self._settings.get("heartbeat_seconds", DEFAULT_HEARTBEAT_SECONDS))

    async def _report(self, link: Link) -> None:
        self._reporting = True
        try:
            more = self._resting.facts()
            for message in await self._reports.due(link.private_ip, self._settings, more):
                await link.send(message)
        finally:
            self._reporting = False
        stale = time.monotonic() - self._contact_saved_at > CONTACT_SECONDS
        self._contact(durable=stale)

    def _contact(self, durable: bool) -> None:
        self._lost_at = time.monotonic()
        self._state = replace(self._state, last_contact=time.time())
        if durable:
            self._contact_saved_at = self._lost_at
            self._store.save_state(self._state)


async def _until_closed(link: Link) -> None:
    async for _ in link.frames():
        pass
