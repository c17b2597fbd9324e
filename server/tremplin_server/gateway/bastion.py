"""The SSH bastion of a worker: technicians' own ssh leads through it to Jump Clients.

`ssh -J tech@server:8022 NAME`: the outer SSH ends here and tells who it is; the inner one
ends on the host, and its bytes pass through unread. The listening socket is the master's,
shared by all workers like the one of HTTPS.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import asyncssh
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tremplin_server.accounts import callers
from tremplin_server.accounts.callers import Caller
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.gateway import metrics
from tremplin_server.gateway.bastion_connection import BastionConnection, unknown_actor
from tremplin_server.gateway.limits import TokenBucket
from tremplin_server.gateway.store import Store
from tremplin_server.gateway.stream import Stream
from tremplin_server.logging import logger
from tremplin_server.permissions import Actor
from tremplin_server.sessions import reach
from tremplin_server.sessions.service import Request

CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
)
"""The client's order counts in SSH, and OpenSSH before 10 wants ChaCha20 and AES-CTR first, at
a quarter of the speed. What is not offered is not chosen."""

_KEX = "-*-sha1,gss-*,rsa2048-*"
"""asyncssh's own choice without these."""
_MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256")
_SIGNATURES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)

LOGIN_SECONDS = 60
KEEPALIVE_SECONDS = 30
MAX_STRANGERS = 100
"""Connections of one worker that have not signed in."""
REFUSALS_PER_SECOND = 2
"""Strangers that are written to the audit log; what scans the port must not fill it."""
WATCH_SECONDS = 60.0
CLOSE_SECONDS = 5.0
VERSION = "Tremplin"

T = TypeVar("T")
_log = logger(__name__)


class Sessions(Protocol):
    """What the bastion needs of the `SessionHub`."""

    async def start_and_connect(self, actor: Actor, client_id: int, request: Request) -> Stream:
        """Return a stream to a new session's host; TremplinError when there is none."""


class Bastion:
    """The technicians that are connected to this worker.

    spawn: runs something beside its caller and logs what goes wrong.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        sessions: Sessions,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.config = config
        self.sessions = sessions
        self.spawn = spawn
        self._store = store
        self._connections: set[BastionConnection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._watch: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._refusals = TokenBucket(REFUSALS_PER_SECOND, loop.time())

    # --- life -------------------------------------------------------------------------------

    async def start(self, listener: socket.socket) -> None:
        """Take connections from `listener`, which is bound and may be shared."""
        host_key = await self._store.call(_host_key)
        self._acceptor = await asyncssh.listen(
            sock=listener,
            config=None,
            server_factory=lambda: BastionConnection(self),
            server_host_keys=[asyncssh.import_private_key(host_key)],
            server_version=VERSION,
            encryption_algs=CIPHERS,
            kex_algs=_KEX,
            mac_algs=_MACS,
            signature_algs=_SIGNATURES,
            compression_algs=("none",),
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=KEEPALIVE_SECONDS,
            password_auth=False,
            host_based_auth=False,
            gss_host=None,
            allow_scp=False,
            line_editor=False,
        )
        self._watch = asyncio.get_running_loop().create_task(self._watch_for_ever())

    def drain(self) -> None:
        """Take no more connections: another worker has the same listener."""
        if self._acceptor is not None:
            self._acceptor.close()

    async def stop(self) -> None:
        """End every connection."""
        if self._acceptor is None:
            return
        assert self._watch is not None, "both begin together"
        self._watch.cancel()
        self.drain()
        for connection in list(self._connections):
            connection.hang_up("stopping")
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._acceptor.wait_closed()
                await self._empty.wait()
        except TimeoutError:
            _log.warning("bastion.stop", connections=len(self._connections))
        self._acceptor = None

    # --- connections ------------------------------------------------------------------------

    def admit(self, connection: BastionConnection) -> bool:
        """Take note of a new connection; False when there are too many strangers."""
        self._connections.add(connection)
        self._empty.clear()
        metrics.BASTION_CONNECTIONS.set(len(self._connections))
        return sum(other.caller is None for other in self._connections) <= MAX_STRANGERS

    def forget(self, connection: BastionConnection) -> None:
        """Take note that a connection has ended."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()
        metrics.BASTION_CONNECTIONS.set(len(self._connections))

    async def call(self, service: Callable[..., T], *args: Any) -> T:
        """Run a service in a unit of work."""
        return await self._store.call(service, *args)

    async def look_up(self, service: Callable[..., T], *args: Any) -> T:
        """Run a service that changes nothing in a unit of work."""
        return await self._store.look_up(service, *args)

    def note_signed_in(self, caller: Caller) -> None:
        """Write who came in, without letting him wait for it."""
        self.spawn(self._store.call(callers.signed_in, caller))

    def note_refused(self, name: str, error: TremplinError, address: str) -> None:
        """Write who was not let in, unless there are too many of them."""
        if self._refusals.take(asyncio.get_running_loop().time()):
            _log.warning("bastion.refused", address=address, code=error.code)
            return
        actor = unknown_actor(name, address)
        self.spawn(self._store.call_as(actor, callers.refused, name, error.code))

    # --- for ever ---------------------------------------------------------------------------

    async def _watch_for_ever(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.watch()
            except Exception:
                # The database is away; the next look tries again.
                _log.exception("bastion.watch")

    async def watch(self) -> None:
        """End the connections of those who were signed out, disabled or deleted."""
        known = {c: c.caller for c in self._connections if c.caller is not None}
        gone = await self._store.look_up(_gone, list(known.values()))
        for connection, caller in known.items():
            if caller in gone:
                connection.hang_up("signed_out")


def _host_key(work: Work) -> bytes:
    return reach.host_key(work).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def _gone(work: Work, known: list[Caller]) -> set[Caller]:
    return {caller for caller in known if not _still_good(work, caller)}


def _still_good(work: Work, caller: Caller) -> bool:
    try:
        callers.again(work, caller)
    except TremplinError:
        return False
    return True
