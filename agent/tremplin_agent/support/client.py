"""A customer's client: one connection to the server at a time, and what is done on this host.

Everything that needs I/O is here and in `front`; what is asked and granted is the `Desk`'s.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import random
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, List, Optional, Protocol, Set

from tremplin_agent import __version__, wire
from tremplin_agent.codes import Code
from tremplin_agent.control import Busy, Link, open_link
from tremplin_agent.core.backoff import Backoff
from tremplin_agent.core.identity import Identity, fingerprint, verify
from tremplin_agent.core.protocol import (
    Attendance,
    CloseSession,
    Conversation,
    Drained,
    HangUp,
    Heard,
    LetIn,
    OpenSession,
    Self,
    Send,
    TurnedAway,
)
from tremplin_agent.platform import here
from tremplin_agent.recordings import Recordings, Server
from tremplin_agent.reports import current_statistics
from tremplin_agent.sessions import Sessions
from tremplin_agent.ssh.orders import Setup
from tremplin_agent.store import Store
from tremplin_agent.support.desk import (
    Action,
    Desk,
    Elevate,
    Granted,
    Install,
    Over,
    Show,
    Tell,
)
from tremplin_agent.support.elevation import Elevation
from tremplin_agent.support.pinning import install
from tremplin_agent.terms import GRANT_OF
from tremplin_agent.tls import NoAnswer, Untrusted, context

HEARTBEAT_SECONDS = 15.0
SLOWEST_RETRY = 15.0
GOODBYE_SECONDS = 3.0
RECORDINGS_SECONDS = 10.0
"""How long the end waits for the server to have what terminals showed: nothing stays here."""

log = logging.getLogger("tremplin.support")


@dataclass(frozen=True)
class Setting:
    """What a client runs with. directory: its private place. payload: the `.bin` that it is."""

    directory: Path
    payload: Path
    key: wire.SupportKey
    platform: str
    elevated: bool
    known: Dict[str, Any] = field(default_factory=dict)

    @property
    def var(self) -> Path:
        """Where the client keeps what sessions need."""
        return self.directory / "var"


class Front(Protocol):
    """What the customer sees: a terminal or a window. It calls `Client.do` with his words."""

    def show(self, text: str, author: str = "") -> None:
        """Show a line."""

    def ask(self, desk: Desk) -> None:
        """Show the desk's question of now, or that there is none."""

    def pause(self) -> None:
        """Leave the keyboard to another program."""

    def resume(self) -> None:
        """Take the keyboard again."""


class Client:
    """One customer in one support session. `run` is its life."""

    def __init__(self, setting: Setting, desk: Desk, front: Front, elevation: Elevation) -> None:
        self._setting, self.desk, self._front = setting, desk, front
        self._elevation = elevation
        self._store = Store(setting.var)
        self._identity = self._load_identity()
        self._backoff = Backoff(random.random)
        self._open: Dict[str, FrozenSet[wire.Grant]] = {}
        self._link: Optional[Link] = None
        self._url = ""
        self._number = 0
        self._tls: Optional[ssl.SSLContext] = None
        self._heartbeat = HEARTBEAT_SECONDS
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._beside: Set[asyncio.Future[Any]] = set()
        self._recordings = Recordings(setting.var, self._identity, Backoff(random.random))
        self._sessions = self._make_sessions()
        self._facts: Dict[str, Any] = {}
        self._was_in = False

    async def run(self) -> str:
        """Attend until the end; return its code, empty when the customer made it."""
        self._facts = await self._own_facts()
        sending = asyncio.ensure_future(self._recordings.send_all(self._server))
        staying = asyncio.ensure_future(self._stay())
        ways: Set[asyncio.Future[Any]] = {self._code, staying}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if staying.done():
                staying.result()
            return await self._code
        finally:
            staying.cancel()
            with suppress(asyncio.CancelledError):
                await staying
            await self._sessions.stop()
            self._recordings.complete()
            await self._flush()
            sending.cancel()

    def do(self, actions: Iterable[Action]) -> None:
        """Carry out what the desk says, and show the question that it has then."""
        for action in actions:
            if isinstance(action, Tell):
                self._tell(action.message)
            elif isinstance(action, Show):
                self._front.show(action.text, action.author)
            elif isinstance(action, Granted):
                self._close_what_needs_more(action.grants)
            elif isinstance(action, Install):
                self._spawn(self._install(action.pin))
            elif isinstance(action, Elevate):
                self._spawn(self._elevate(action.number))
            elif isinstance(action, Over):
                self._spawn(self._leave(action.code))
        self._front.ask(self.desk)

    # --- the connection -----------------------------------------------------------------

    async def _stay(self) -> None:
        while not self._code.done():
            wait = await self._connect()
            if self.desk.is_over:
                return
            if self._was_in and not self._code.done():
                self._front.show(self.desk.speech.say("lost"))
            await asyncio.sleep(min(wait, SLOWEST_RETRY))

    async def _connect(self) -> float:
        """Try the server's addresses; return how long to wait before the next try."""
        trouble: Exception = NoAnswer("no address")
        for url in self._setting.key.urls:
            try:
                link = await open_link(url, await self._trust(url))
            except (NoAnswer, Untrusted, Busy) as fault:
                trouble = fault
                continue
            self._url, self._link = url, link
            try:
                return await self._talk(link)
            finally:
                self._link = None
                await link.close()
        if not self._was_in:
            detail = str(trouble) or type(trouble).__name__
            self._front.show(self.desk.speech.say("unreachable", detail=detail))
        return self._backoff.busy()

    async def _trust(self, url: str) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await context(url, self._setting.key.ca_pin, self._store)
        return self._tls

    async def _talk(self, link: Link) -> float:
        conversation = Conversation(self._myself(), self._identity, verify)
        watch = asyncio.ensure_future(link.keep_alive(lambda: self._heartbeat))
        listen = asyncio.ensure_future(self._listen(link, conversation))
        try:
            await asyncio.wait({watch, listen}, return_when=asyncio.FIRST_COMPLETED)
            if not listen.done():
                link.abort()
            return await listen
        finally:
            for task in (watch, listen):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _listen(self, link: Link, conversation: Conversation) -> float:
        wait = 1.0
        for action in conversation.opened():
            await self._obey(link, action)
        async for frame in link.frames():
            for action in conversation.received(frame):
                wait = await self._obey(link, action) or wait
        return wait

    async def _obey(self, link: Link, action: object) -> float:
        """Carry out what the server wants; return when to come back, if it says so."""
        if isinstance(action, Send):
            await link.send(action.message)
        elif isinstance(action, LetIn):
            self._let_in(action)
        elif isinstance(action, Heard):
            self.do(self.desk.heard(action.message))
        elif isinstance(action, OpenSession):
            self._open_session(action)
        elif isinstance(action, CloseSession):
            self._sessions.close(action)
        elif isinstance(action, Drained):
            return self._backoff.drained(action.spread)
        elif isinstance(action, TurnedAway):
            return self._turned_away(action)
        elif isinstance(action, HangUp):
            log.error("the server does not keep to the protocol: %s", action.reason)
            return self._backoff.busy()
        return 0.0

    def _let_in(self, action: LetIn) -> None:
        self._number = action.client_id
        self._heartbeat = float(action.settings.get("heartbeat_seconds", HEARTBEAT_SECONDS))
        self._backoff.welcomed()
        self._recordings.retry()
        self._elevation.arrived()
        self._front.show(self.desk.speech.say("back" if self._was_in else "waiting"))
        self._was_in = True

    def _turned_away(self, refused: TurnedAway) -> float:
        if refused.final:
            if not self._code.done():
                self._code.set_result(refused.code)
            self._front.show(self.desk.speech.refusal(refused.code, refused.detail))
        return float(refused.retry_after)

    def _tell(self, message: wire.FromCustomer) -> None:
        if self._link is not None:
            self._spawn(self._link.send(message))

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    # --- sessions -------------------------------------------------------------------------

    def _make_sessions(self) -> Sessions:
        setting = self._setting
        setup = Setup(var=str(setting.var), ca_pin=setting.key.ca_pin.hex())
        return Sessions(setup, self._store, self._session_ended, self._session_over)

    def _open_session(self, order: OpenSession) -> None:
        """Open a session if everything that it may do is granted: the customer's word counts,
        whatever the server says."""
        capabilities = order.terms.capabilities
        needed = frozenset(GRANT_OF[each] for each in capabilities if each in GRANT_OF)
        known = all(each in GRANT_OF for each in capabilities)
        if not known or not needed <= self.desk.granted:
            self._session_ended(wire.SessionEnded(order.session_id, Code.SESSION_WITHDRAWN.value))
            return
        self._open[order.session_id] = needed
        self._sessions.open(order, self._url, self._heartbeat)

    def _close_what_needs_more(self, grants: FrozenSet[wire.Grant]) -> None:
        for session_id, needed in list(self._open.items()):
            if not needed <= grants:
                code = Code.SESSION_WITHDRAWN.value
                self._sessions.close(CloseSession(session_id, code))

    def _session_ended(self, ended: wire.SessionEnded) -> None:
        if self._link is not None:
            self._spawn(self._link.send(ended))

    def _session_over(self, session_id: str) -> None:
        self._open.pop(session_id, None)
        self._recordings.complete(session_id)

    async def _server(self) -> Optional[Server]:
        if self._tls is None or not self._number:
            return None
        return Server(self._url, self._tls, self._number)

    async def _flush(self) -> None:
        """Wait until the server has what terminals showed, or for RECORDINGS_SECONDS."""
        until = time.monotonic() + RECORDINGS_SECONDS
        while time.monotonic() < until and self._unsent():
            await asyncio.sleep(0.1)

    def _unsent(self) -> List[Path]:
        return list((self._setting.var / "recordings").glob("*.cast"))

    # --- what the customer agreed to ---------------------------------------------------------

    async def _install(self, pin: wire.Pin) -> None:
        answer = await install(self._setting.payload, pin, self.desk.speech.french)
        self.do(self.desk.installed(answer))

    async def _elevate(self, number: int) -> None:
        """Let a client with more rights take over; go on when there is none."""
        if self.desk.is_installing or not self._elevation.possible:
            self.do(self.desk.not_elevated(number, "cannot_elevate"))
            return
        self._front.pause()
        await self._sessions.stop()
        self._sessions = self._make_sessions()
        taken_over = await self._elevation.run(self._identity.raw(), self.desk.remember())
        self._front.resume()
        if taken_over:
            if not self._code.done():
                self._code.set_result("")
            return
        self.do(self.desk.not_elevated(number))

    async def _leave(self, code: str) -> None:
        """Give the server a moment to close, then end."""
        until = time.monotonic() + GOODBYE_SECONDS
        while self._link is not None and time.monotonic() < until:
            await asyncio.sleep(0.05)
        if not self._code.done():
            self._code.set_result(code)

    # --- who this is ---------------------------------------------------------------------------

    def _load_identity(self) -> Identity:
        raw = self._store.private_key()
        if raw is not None:
            return Identity.from_raw(raw)
        identity = Identity.generate()
        self._store.save_private_key(identity.raw())
        return identity

    def _myself(self) -> Self:
        facts = {**self._facts, "seen": self.desk.seen}
        return Self(
            version=__version__,
            platform=self._setting.platform,
            fingerprint=fingerprint(here.machine_id(), here.hardware(self._setting.directory)),
            ca_pin=self._setting.key.ca_pin,
            attendance=Attendance(self._setting.key.key, facts),
        )

    async def _own_facts(self) -> Dict[str, Any]:
        found = await current_statistics("", here.console_user())
        return {
            "hostname": found.get("hostname", ""),
            "operating_system": found.get("operating_system", ""),
            "console_user": os.environ.get("SUDO_USER") or getpass.getuser(),
            "language": self.desk.speech.language,
            "elevated": self._setting.elevated,
        }
