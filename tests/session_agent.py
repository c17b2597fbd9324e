"""An agent that answers `session_open`, and a technician's program: for tests of sessions.

The agent dials the session's socket and, when a test wants that, serves SSH over it with
asyncssh: the server's part of a session is tried without the real agent's. What it serves
is small: `cat`, `exit N`, `yes N` (that many bytes) and a shell that echoes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncssh
from tremplin_agent import wire
from tremplin_agent.terms import Terms
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests import control_agent
from tests.control_agent import PATIENCE, ControlAgent
from tests.serving import Server

STREAM_PATH = "/session/v1/stream/"
_CHUNK = 64 * 1024


async def dial(server: Server, path: str, token: str) -> ClientConnection:
    """Open a session's WebSocket."""
    connection = await connect(
        server.base_url.replace("https", "wss") + path,
        ssl=server.tls(),
        ping_interval=None,
        compression=None,
        open_timeout=3 * PATIENCE,
        max_size=wire.MAX_FRAME,
        additional_headers={"Authorization": f"Bearer {token}"},
    )
    control_agent.keep(connection)
    return connection


async def refusal(server: Server, path: str, token: str) -> tuple[int, str]:
    """Return status and body of a WebSocket that is not let in."""
    try:
        connection = await dial(server, path, token)
    except InvalidStatus as error:
        return error.response.status_code, (error.response.body or b"").decode()
    await connection.close()
    raise AssertionError("it was let in")


async def end_of(connection: ClientConnection) -> tuple[int, str]:
    """Read until the end and return close code and reason; 1006 without a handshake."""
    try:
        while True:
            await asyncio.wait_for(connection.recv(), 30)
    except ConnectionClosed as end:
        return (end.rcvd.code, end.rcvd.reason) if end.rcvd is not None else (1006, "")


class SessionAgent(ControlAgent):
    """An agent with sessions. Call `listen` once it is in."""

    version = "99.0.0"

    def __init__(self, server: Server, fingerprint: str = "") -> None:
        super().__init__(server, fingerprint)
        self.opens: asyncio.Queue[wire.SessionOpen] = asyncio.Queue()
        self.closes: asyncio.Queue[wire.SessionClose] = asyncio.Queue()
        self.dial_at = server
        self._tasks: set[asyncio.Task[Any]] = set()
        self._host_key = asyncssh.import_private_key(_openssh(self.key))

    def listen(self) -> None:
        """Take orders from now on."""
        self._begin(self._listen())

    async def _listen(self) -> None:
        with suppress(ConnectionClosed):
            async for frame in self.socket:
                message = wire.decode(str(frame))
                if isinstance(message, wire.SessionOpen):
                    self.opens.put_nowait(message)
                elif isinstance(message, wire.SessionClose):
                    self.closes.put_nowait(message)

    def serve(self) -> None:
        """Serve SSH in every session that is ordered from now on."""
        self.listen()
        self._begin(self._serve())

    async def _serve(self) -> None:
        while True:
            order = await self.opens.get()
            self._begin(self._serve_one(order))

    async def _serve_one(self, order: wire.SessionOpen) -> None:
        with suppress(ConnectionClosed, InvalidStatus):
            connection = await self.bring(order)
            await self.ssh_over(connection, order)

    async def ordered(self) -> wire.SessionOpen:
        """Return the next order."""
        return await asyncio.wait_for(self.opens.get(), PATIENCE)

    async def closing(self) -> wire.SessionClose:
        """Return the next order to end a session."""
        return await asyncio.wait_for(self.closes.get(), PATIENCE)

    async def bring(self, order: wire.SessionOpen) -> ClientConnection:
        """Dial the socket of an order."""
        return await dial(self.dial_at, wire.SESSION_PATH + order.session_id, order.token)

    async def ssh_over(self, connection: ClientConnection, order: wire.SessionOpen) -> None:
        """Serve SSH over the socket of a session until it ends."""
        terms = Terms.from_json(order.terms)
        near, far = socket.socketpair()
        far.setblocking(False)
        pump = asyncio.ensure_future(_pump(far, connection))
        try:
            server = await asyncssh.run_server(
                near,
                server_factory=lambda: _SshServer(terms),
                server_host_keys=[self._host_key],
                process_factory=_process,
                encoding=None,
                compression_algs=None,
            )
            await server.wait_closed()
        finally:
            pump.cancel()
            far.close()
            await asyncio.gather(pump, return_exceptions=True)
            await connection.close()

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def rest(self) -> None:
        """End everything that this agent does."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hang_up()


async def _pump(local: socket.socket, connection: ClientConnection) -> None:
    loop = asyncio.get_running_loop()

    async def inward() -> None:
        async for data in connection:
            if isinstance(data, bytes):
                await loop.sock_sendall(local, data)
        local.shutdown(socket.SHUT_WR)

    async def outward() -> None:
        while data := await loop.sock_recv(local, _CHUNK):
            await connection.send(data)
        await connection.close()

    await asyncio.gather(inward(), outward())


class _SshServer(asyncssh.SSHServer):
    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def begin_auth(self, username: str) -> bool:
        return not self._terms.open

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = [asyncssh.import_public_key(text) for text in self._terms.keys]
        return key in known

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        return dest_host == "127.0.0.1" and dest_port in self._terms.ports


async def _process(process: asyncssh.SSHServerProcess[bytes]) -> None:
    words = (process.command or "").split()
    if words[:1] == ["exit"]:
        process.exit(int(words[1]))
    elif words[:1] == ["yes"]:
        left = int(words[1])
        while left:
            size = min(left, _CHUNK)
            process.stdout.write(b"y" * size)
            await process.stdout.drain()
            left -= size
        process.exit(0)
    else:
        while data := await process.stdin.read(_CHUNK):
            process.stdout.write(data)
            await process.stdout.drain()
        process.exit(0)


def _openssh(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    made: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    return made


class Technician:
    """A program with an SSH key that starts sessions over the API."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.key = asyncssh.generate_private_key("ssh-ed25519")

    @property
    def public_key(self) -> str:
        return self.key.export_public_key().decode().strip()

    async def ask(self, client_id: int, **values: Any) -> tuple[int, Any]:
        """Ask for a session; status and answer."""
        body = {"public_keys": [self.public_key], **values}
        path = f"/jump-client/{client_id}/session"
        return await asyncio.to_thread(self.server.api, "POST", path, body)

    async def start(self, client_id: int, **values: Any) -> dict[str, Any]:
        """Start a session."""
        status, answer = await self.ask(client_id, **values)
        assert status == 201, answer
        return dict(answer)

    async def stream(self, started: dict[str, Any], server: Server | None = None) -> Any:
        """Open the WebSocket of a session that was started."""
        path = STREAM_PATH + started["session_id"]
        return await dial(server or self.server, path, started["ticket"])

    @asynccontextmanager
    async def ssh(
        self, client_id: int, server: Server | None = None, **values: Any
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Start a session and give the SSH connection in it, its host key checked."""
        started = await self.start(client_id, **values)
        connection = await self.stream(started, server)
        near, far = socket.socketpair()
        far.setblocking(False)
        pump = asyncio.ensure_future(_pump(far, connection))
        host_key = asyncssh.import_public_key(started["host_key"])
        try:
            async with await asyncssh.connect(
                "host",
                sock=near,
                username="any",
                client_keys=[self.key],
                known_hosts=([host_key], [], []),
                config=None,
                encoding=None,
            ) as ssh:
                yield ssh
        finally:
            pump.cancel()
            far.close()
            await asyncio.gather(pump, return_exceptions=True)
            await connection.close()

    async def session(self, session_id: str) -> dict[str, Any]:
        """Return a session as the API shows it."""
        status, answer = await asyncio.to_thread(self.server.api, "GET", f"/session/{session_id}")
        assert status == 200, answer
        return dict(answer)
