"""Handing an agent's session socket over to the worker where its technician is.

A load balancer may bring the two ends of a session to two workers. The one that the agent
reached dials the other one's peer listener: a unix socket in the data directory, or TCP
with TLS where the setting `peer_bind` names an address for other machines.

    listener → dialler   its nonce
    dialler  → listener  session id, its own nonce, its proof
    listener → dialler   its proof, or the end of the connection
    both ways            length, bytes; a length of 0, then a code, at the end

A proof is an HMAC with a key of the site that is in the database, over direction, session
id, both nonces and the certificate that the dialler saw. The certificate is made at every
start and signed by nobody: whoever stands in between cannot prove the session.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tremplin_server.config import Config
from tremplin_server.errors import TremplinError
from tremplin_server.gateway.bus import reachable
from tremplin_server.gateway.socket_stream import keep_alive
from tremplin_server.gateway.stream import CHUNK, WINDOW
from tremplin_server.logging import logger
from tremplin_server.pki import passing_certificate

HANDSHAKE_SECONDS = 5.0
LOST = "session.worker_lost"
_NONCE = _PROOF = _ID = 32
_PORTS = 64
"""How many ports from `peer_port` on are tried: every worker of a machine needs one."""

_LENGTH = struct.Struct("!I")
_TO_DIALLER, _TO_LISTENER = b"to dialler", b"to listener"
_log = logger(__name__)


class PeerStream:
    """A session's bytes on their way between two workers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._left = 0
        self._code: str | None = None
        writer.transport.set_write_buffer_limits(high=CHUNK)
        keep_alive(writer.transport)

    async def read(self) -> bytes:
        try:
            if self._left == 0:
                (self._left,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if self._left == 0:
                self._end((await self._reader.readuntil(b"\n"))[:-1].decode("ascii", "replace"))
                return b""
            data = await self._reader.read(min(self._left, CHUNK))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            data = b""
        if not data:
            self._end(LOST)
        self._left -= len(data)
        return data

    async def write(self, data: bytes) -> None:
        if self._code is not None or not data:
            return
        try:
            self._writer.write(_LENGTH.pack(len(data)))
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            self._end(LOST)

    async def close(self, code: str = "") -> None:
        if self._code is None:
            self._code = code
            self._writer.write(_LENGTH.pack(0) + code.encode("ascii", "replace") + b"\n")
        # What was written is sent before the connection ends, unless nobody reads it.
        self._writer.close()
        loop = asyncio.get_running_loop()
        loop.call_later(HANDSHAKE_SECONDS, self._writer.transport.abort)

    @property
    def end_code(self) -> str:
        return self._code or ""

    def _end(self, code: str) -> None:
        if self._code is None:
            self._code = code


Take = Callable[[str, PeerStream], bool]
"""Gets a session id and the agent's end of it; returns False when nobody waits for it."""


class PeerLinks:
    """This worker's listener, and the way to the others'.

    site_key: what all workers of the site know. expected: whether the technician's end of
    that session waits here. take: gets the agent's end.
    """

    def __init__(
        self,
        config: Config,
        worker_id: str,
        site_key: bytes,
        expected: Callable[[str], bool],
        take: Take,
    ) -> None:
        self._config = config
        self._path = config.data_dir / "run" / f"peer-{worker_id}.sock"
        self._key = hmac.digest(site_key, b"tremplin peer link", "sha256")
        self._take, self._expected = take, expected
        self._certificate = b""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = ""

    async def start(self) -> None:
        """Listen; `address` is what the other workers dial from now on."""
        if self._config.peer_bind:
            self._server, port = await self._listen_tcp()
            self.address = f"tcp:{self._config.peer_bind}:{port}"
        else:
            _clear_stale(self._path)
            self._server = await asyncio.start_unix_server(
                self._accepted, sock=_bound(self._path), limit=WINDOW
            )
            self.address = f"unix:{self._path}"

    async def stop(self) -> None:
        """Listen no more; links that stand go on."""
        if self._server is not None:
            self._server.close()
            if not self._config.peer_bind:
                self._path.unlink(missing_ok=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def dial(self, address: str, session_id: str) -> PeerStream:
        """Return the way to the worker at `address`, where the technician's end waits.

        Raises TremplinError (session.ended) when that worker does not wait for this session
        and TremplinError (jump.internal) when it cannot be reached.
        """
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                reader, writer, seen = await self._connect(address)
                try:
                    await self._prove(reader, writer, session_id, seen)
                except BaseException:
                    writer.transport.abort()
                    raise
                return PeerStream(reader, writer)
        except (OSError, ValueError, TimeoutError) as error:
            _log.error("peer.unreachable", address=address, detail=str(error))
            raise TremplinError("jump.internal") from error
        except asyncio.IncompleteReadError as error:
            raise TremplinError("session.ended") from error

    # --- listening --------------------------------------------------------------------------

    async def _listen_tcp(self) -> tuple[asyncio.Server, int]:
        context = self._context()
        first = self._config.peer_port
        for port in range(first, first + (_PORTS if first else 1)):
            with suppress(OSError):
                server = await asyncio.start_server(
                    self._accepted, self._config.peer_bind, port, ssl=context, limit=WINDOW
                )
                return server, int(server.sockets[0].getsockname()[1])
        raise TremplinError(
            "config.invalid", detail=f"nobody can listen on peer_bind {self._config.peer_bind}"
        )

    def _context(self) -> ssl.SSLContext:
        key_pem, certificate_pem, self._certificate = passing_certificate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # OpenSSL reads key and certificate from files only.
        with tempfile.NamedTemporaryFile() as file:
            file.write(key_pem + certificate_pem)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this in a task"
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                session_id = await self._challenge(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            session_id = ""
        if not session_id or not self._take(session_id, PeerStream(reader, writer)):
            writer.transport.abort()

    async def _challenge(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Return the id of the session whose agent's end this is; empty when it is not proved."""
        mine = secrets.token_bytes(_NONCE)
        writer.write(mine)
        said = await reader.readexactly(_ID + _NONCE + _PROOF)
        session_id, theirs, proof = said[:_ID], said[_ID : _ID + _NONCE], said[-_PROOF:]
        wanted = self._proof(_TO_LISTENER, session_id, mine, theirs, self._certificate)
        if not hmac.compare_digest(proof, wanted):
            _log.error("peer.unproved")
            return ""
        name = session_id.decode("ascii")
        if not self._expected(name):
            return ""
        writer.write(self._proof(_TO_DIALLER, session_id, mine, theirs, self._certificate))
        await writer.drain()
        return name

    # --- dialling ---------------------------------------------------------------------------

    async def _connect(
        self, address: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """Return a connection, and the certificate that was seen on it."""
        kind, _, place = address.partition(":")
        if kind == "unix":
            with reachable(Path(place)) as name:
                reader, writer = await asyncio.open_unix_connection(name, limit=WINDOW)
            return reader, writer, b""
        host, _, port = place.rpartition(":")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # No authority vouches for it: the proof of the session does, see above.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            host, int(port or 0), ssl=context, limit=WINDOW
        )
        seen = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return reader, writer, seen or b""

    async def _prove(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session_id: str,
        seen: bytes,
    ) -> None:
        theirs = await reader.readexactly(_NONCE)
        mine, name = secrets.token_bytes(_NONCE), session_id.encode("ascii")
        writer.write(name + mine + self._proof(_TO_LISTENER, name, theirs, mine, seen))
        proof = await reader.readexactly(_PROOF)
        if not hmac.compare_digest(proof, self._proof(_TO_DIALLER, name, theirs, mine, seen)):
            raise OSError("the other worker does not prove that it is of this site")

    def _proof(
        self, direction: bytes, session_id: bytes, listener: bytes, dialler: bytes, seen: bytes
    ) -> bytes:
        said = direction + b"\0" + session_id + listener + dialler + hashlib.sha256(seen).digest()
        return hmac.digest(self._key, said, "sha256")


def _clear_stale(mine: Path) -> None:
    """Remove the sockets of workers of this machine that were killed.

    The name of a worker ends with its process id and a random part.
    """
    machine, *_ = mine.stem.rsplit("-", 2)
    for path in mine.parent.glob(f"{machine}-*-*.sock"):
        process = path.stem.rsplit("-", 2)[1]
        if process.isdecimal() and not Path("/proc", process).exists():
            path.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    mask = os.umask(0o177)
    try:
        with reachable(path) as name:
            listener.bind(name)
    finally:
        os.umask(mask)
    return listener
