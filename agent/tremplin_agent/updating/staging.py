"""The agent's half of an update: take the order, fetch the payload, step aside.

An order is repeated by the server until it is acknowledged, over restarts of the agent
too. So an answer is always given to the order as it comes: by then it is known whether
this version is the ordered one, or how the try ended.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import shutil
import sys
from contextlib import suppress
from typing import Awaitable, Callable, Optional

from tremplin_agent import __version__, wire
from tremplin_agent.codes import Code
from tremplin_agent.core.backoff import Backoff
from tremplin_agent.core.identity import Identity
from tremplin_agent.core.updates import Step
from tremplin_agent.installation import Installation
from tremplin_agent.recordings import Server
from tremplin_agent.store import write_durably
from tremplin_agent.tls import NoAnswer, Untrusted
from tremplin_agent.updating import places
from tremplin_agent.updating.fetching import GivenUp, NotYet, Ticket, fetch

IDLE_POLL_SECONDS = 1.0
"""How often an agent that would step aside looks whether its last session is over."""

log = logging.getLogger("tremplin.update")

Tell = Callable[[wire.Ack], None]
"""Sends an acknowledgement, if the server is there to hear it."""
WhereServer = Callable[[], Awaitable[Optional[Server]]]


class Updates:
    """The updates of one agent process. server: asked for each try."""

    def __init__(
        self,
        installation: Installation,
        identity: Identity,
        backoff: Backoff,
        tell: Tell,
        server: WhereServer,
    ) -> None:
        self._installation = installation
        self._identity = identity
        self._backoff = backoff
        self._tell = tell
        self._server = server
        self._directory = installation.var / places.STAGING
        self._order_id = ""
        self._work: Optional[asyncio.Task[None]] = None
        self._is_staged = False
        # Made by who waits: on Python 3.9 an event belongs to the loop that runs just then.
        self._staged: Optional[asyncio.Event] = None
        self._found = self._staged_before()
        """The order that was staged before this process began, which its owner has seen."""

    # --- what the server says -----------------------------------------------------------

    def welcomed(self) -> None:
        """Note that the server has let this version in: it is here to stay."""
        progress = places.progress(self._installation.directory)
        if progress.step is Step.TRIAL and progress.version == __version__:
            # The staged order has done its work; left there it is only room that is taken.
            self._clear(but=places.WELCOMED)
            self._directory.mkdir(mode=0o700, exist_ok=True)
            write_durably(self._directory / places.WELCOMED, progress.order_id.encode() + b"\n")

    def ordered(self, command: wire.Command) -> None:
        """Take an order whose signature was found genuine; the answer goes to `tell`."""
        try:
            order = wire.UpgradeOrder.of(command.body)
        except wire.WireError as error:
            self._tell(wire.Ack(command.id, Code.PROTOCOL_ERROR.value, str(error)))
            return
        answer = self._answer(command.id, order)
        if answer is not None:
            if self._found == command.id:
                self._found = ""
                self._clear(but=places.WELCOMED)
            self._tell(answer)
        elif command.id == self._found:
            log.info("the staged update waits for its next start")
            self._note_staged()
        elif command.id != self._order_id:
            self._begin(command, order)

    def _answer(self, command_id: str, order: wire.UpgradeOrder) -> Optional[wire.Ack]:
        """Return what is known of an order already; None while it has to be worked on."""
        if order.version == __version__:
            return wire.Ack(command_id)
        progress = places.progress(self._installation.directory)
        if progress.order_id == command_id and progress.step is Step.FAILED:
            return wire.Ack(command_id, progress.code, progress.detail)
        if self._found == command_id and progress.order_id != command_id:
            detail = "who owns the code on this host did not take the update"
            return wire.Ack(command_id, Code.UPDATE_REFUSED.value, detail)
        reason = self._unsupported()
        if reason:
            return wire.Ack(command_id, Code.UPDATE_UNSUPPORTED.value, reason)
        return None

    def _unsupported(self) -> str:
        facts = self._installation
        if sys.platform == "win32":
            return "on Windows the MSI updates the agent"
        if not (facts.directory / "lib").is_symlink():
            return "this installation has one version of the code only"
        if facts.installed_by == "root" and not facts.server_key:
            return "its key info did not tell the server's identity key"
        return ""

    # --- fetching -----------------------------------------------------------------------

    def _begin(self, command: wire.Command, order: wire.UpgradeOrder) -> None:
        if self._work is not None:
            self._work.cancel()
        log.info("the server orders an update from %s to %s", __version__, order.version)
        self._order_id = command.id
        self._work = asyncio.ensure_future(self._stage(command, order))

    async def _stage(self, command: wire.Command, order: wire.UpgradeOrder) -> None:
        try:
            self._prepare(order)
            await self._fetch(command, order)
            # The order is what makes the rest count: it comes last.
            write_durably(self._directory / places.ORDER, places.order_text(command))
        except (GivenUp, OSError) as error:
            log.error("the update to %s: %s", order.version, error)
            self._order_id = ""
            self._tell(wire.Ack(command.id, _code(error).value, str(error)[:500]))
            return
        log.info("the update to %s is staged", order.version)
        self._note_staged()

    def _prepare(self, order: wire.UpgradeOrder) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        part = f"{order.sha256}.part"
        for path in self._directory.iterdir():
            if path.name != part:
                path.unlink()

    async def _fetch(self, command: wire.Command, order: wire.UpgradeOrder) -> None:
        signed = wire.payload_bytes(command.id, command.client_id, order.sha256)
        ticket = Ticket(command.id, wire.b64encode(self._identity.sign(signed)))
        part, target = self._directory / f"{order.sha256}.part", self._directory / places.PAYLOAD
        self._backoff.welcomed()
        while True:
            server = await self._server()
            wait = self._backoff.busy()
            if server is not None:
                try:
                    await fetch(server, ticket, order, part, target)
                    return
                except NotYet as error:
                    wait = max(wait, error.retry_after)
                    log.info("the payload is not here yet: %s", error)
                except (ConnectionError, EOFError, NoAnswer, Untrusted) as error:
                    log.info("the payload is not here yet: %s", error)
                except asyncio.TimeoutError:
                    log.info("the payload is not here yet: no answer in time")
                except OSError as error:
                    if error.errno in _LOCAL:
                        raise
                    log.info("the payload is not here yet: %s", error)
            await asyncio.sleep(wait)

    # --- stepping aside -----------------------------------------------------------------

    async def ready(self, is_idle: Callable[[], bool]) -> None:
        """Return once an update is staged and nobody is at work on this host."""
        if not self._is_staged:
            self._staged = asyncio.Event()
            await self._staged.wait()
        while not is_idle():
            await asyncio.sleep(IDLE_POLL_SECONDS)

    def _note_staged(self) -> None:
        self._is_staged = True
        if self._staged is not None:
            self._staged.set()

    @property
    def is_busy(self) -> bool:
        """Whether a payload is being fetched now."""
        return self._work is not None and not self._work.done()

    def stop(self) -> None:
        """End what is going on; a download is taken up again later."""
        if self._work is not None:
            self._work.cancel()

    def _staged_before(self) -> str:
        raw = places.read_note(self._directory / places.ORDER)
        with suppress(wire.WireError):
            return places.order_of(raw).id if raw else ""
        return ""

    def _clear(self, but: str) -> None:
        with suppress(OSError):
            for path in self._directory.iterdir():
                if path.name != but and path.is_dir():
                    shutil.rmtree(path)
                elif path.name != but:
                    path.unlink()


_LOCAL = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO)


def _code(error: Exception) -> Code:
    if isinstance(error, GivenUp):
        return error.code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Code.UPDATE_NO_SPACE
    return Code.UPDATE_REFUSED
