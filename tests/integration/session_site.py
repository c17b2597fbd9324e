"""The agent's half of sessions with the real OpenSSH at the other end: a small server that
speaks the wire contract and gives every session a TCP port of its own."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from tremplin_agent import wire
from tremplin_agent.core.identity import Identity
from tremplin_agent.core.protocol import CloseSession, OpenSession
from tremplin_agent.sessions import Sessions
from tremplin_agent.ssh.orders import Setup
from tremplin_agent.store import Store
from tremplin_agent.terms import Capability, Terms
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.serving import until

EVERYTHING = tuple(each.value for each in Capability)
_numbers = count(1)
_T = TypeVar("_T")


@dataclass
class Jump:
    """One session. port: where an ssh client reaches it. ended: what the agent said."""

    session_id: str
    site: SessionSite
    port: int = 0
    ended: wire.SessionEnded | None = None
    agent_side: ServerConnection | None = None
    listener: asyncio.Server | None = None
    technician: asyncio.StreamWriter | None = None

    def options(self) -> list[str]:
        """Return what makes OpenSSH check the agent's key and nothing of this machine's."""
        return [
            *("-F", "none", "-i", str(self.site.client_key)),
            *("-o", f"UserKnownHostsFile={self.site.known_hosts}"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlias=host"),
            *("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=INFO"),
        ]

    def fresh(self) -> Jump:
        """Return another session like it: each takes one connection."""
        return self.site.open()

    def ssh(self, *words: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
        """Run `ssh` to its end."""
        return self.run("ssh", "-p", str(self.port), "tech@127.0.0.1", *words, **how)

    def run(self, program: str, *words: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a program of OpenSSH to its end."""
        how = {"capture_output": True, "timeout": 60, **how}
        return subprocess.run([program, *self.options(), *words], check=False, **how)

    def started(self, *words: str, **how: Any) -> subprocess.Popen[bytes]:
        """Start `ssh`."""
        command = ["ssh", *self.options(), "-p", str(self.port), "tech@127.0.0.1", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **how})

    def close(self, code: str = "session.stopped") -> None:
        """Order its end as the server does."""
        self.site.do(self.site.sessions.close, CloseSession(self.session_id, code))

    def cut(self) -> None:
        """Break the WebSocket without a word."""
        assert self.agent_side is not None
        self.site.do(self.agent_side.transport.abort)

    def end(self, seconds: float = 10) -> wire.SessionEnded:
        """Wait for the agent's word that it is over."""
        return until(lambda: self.ended, "the end of the session", seconds)


@dataclass
class SessionSite:
    """The server's side of sessions, with an agent's session manager in its event loop."""

    directory: Path
    loop: asyncio.AbstractEventLoop
    jumps: dict[str, Jump] = field(default_factory=dict)
    over: list[str] = field(default_factory=list)
    url: str = ""
    refuse: HTTPStatus | None = None

    def __post_init__(self) -> None:
        self.var = self.directory / "var"
        self.var.mkdir()
        self._relays: set[asyncio.Future[None]] = set()
        self.identity = Identity.generate()
        self.store = Store(self.var)
        self.store.save_private_key(self.identity.raw())
        self.client_key = self.directory / "technician"
        self.known_hosts = self.directory / "known_hosts"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.client_key)]
        subprocess.run(command, check=True)

    @property
    def public_key(self) -> str:
        """The technician's."""
        return self.client_key.with_suffix(".pub").read_text().strip()

    def do(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Run something in the event loop."""

        async def called() -> _T:
            return work(*arguments)

        return self.wait(called())

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the event loop; what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    # --- in the event loop ------------------------------------------------------------

    async def begin(self) -> None:
        setup = Setup(var=str(self.var))
        self.sessions = Sessions(setup, self.store, self._ended, self.over.append)
        self._server = await serve(
            self._agent_came,
            "127.0.0.1",
            0,
            compression=None,
            max_size=None,
            process_request=self._check,
            ping_interval=None,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def finish(self) -> None:
        await self.sessions.stop()
        await asyncio.gather(*self._relays)
        for jump in self.jumps.values():
            if jump.listener is not None:
                jump.listener.close()
        self._server.close()
        await self._server.wait_closed()
        # What is closed is gone a turn of the loop later.
        await asyncio.sleep(0.1)

    def _ended(self, ended: wire.SessionEnded) -> None:
        self.jumps[ended.session_id].ended = ended

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.refuse is not None:
            return connection.respond(self.refuse, "")
        session_id = request.path.rpartition("/")[2]
        good = request.headers.get("Authorization") == f"Bearer token-{session_id}"
        return None if good else connection.respond(HTTPStatus.UNAUTHORIZED, "")

    async def _agent_came(self, connection: ServerConnection) -> None:
        relaying = asyncio.ensure_future(self._relay(connection))
        self._relays.add(relaying)
        relaying.add_done_callback(self._relays.discard)
        await relaying

    async def _relay(self, connection: ServerConnection) -> None:
        jump = self.jumps[connection.request.path.rpartition("/")[2]]  # type: ignore[union-attr]
        came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        came = self.loop.create_future()

        def technician_came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # One connection for each session: others are turned away.
            if came.done():
                writer.close()
            else:
                came.set_result((reader, writer))

        jump.listener = await asyncio.start_server(technician_came, "127.0.0.1", 0)
        jump.agent_side = connection
        jump.port = jump.listener.sockets[0].getsockname()[1]
        gone = asyncio.ensure_future(connection.wait_closed())
        await asyncio.wait({gone, came}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if came.done():
            reader, writer = came.result()
            jump.technician = writer
            await _splice(connection, reader, writer)
        jump.listener.close()

    # --- for tests --------------------------------------------------------------------

    def order(self, **terms: Any) -> Jump:
        """Order a session and do not wait for it."""
        session_id = f"{next(_numbers):032x}"
        jump = self.jumps[session_id] = Jump(session_id, self)
        usual = Terms(
            keys=(self.public_key,),
            capabilities=EVERYTHING,
            expires_at=time.time() + 600,
            technician="tech",
        )
        given = replace(usual, **terms)
        opening = OpenSession(session_id, f"token-{session_id}", given)
        self.do(self.sessions.open, opening, self.url, 15.0)
        return jump

    def open(self, **terms: Any) -> Jump:
        """Return a session that the agent has come for."""
        jump = self.order(**terms)
        until(lambda: jump.port or jump.ended, "the agent's connection")
        assert jump.port, jump.ended
        return jump


async def _splice(
    connection: ServerConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Carry the bytes both ways until either end is gone."""

    async def up() -> None:
        with suppress(ConnectionClosed, OSError):
            while data := await reader.read(65536):
                await connection.send(data)

    async def down() -> None:
        with suppress(ConnectionClosed, OSError):
            while True:
                writer.write(await connection.recv(decode=False))
                await writer.drain()

    tasks = {asyncio.ensure_future(up()), asyncio.ensure_future(down())}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await connection.close()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@contextmanager
def session_site(directory: Path) -> Iterator[SessionSite]:
    """Give a site; in the end all its sessions and processes are gone."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    site = SessionSite(directory, loop)
    site.known_hosts.write_text(f"host {_openssh(site.identity.public_key)}\n")
    try:
        site.wait(site.begin())
        yield site
    finally:
        site.wait(site.finish())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _openssh(raw: bytes) -> str:
    from tremplin_server.sessions.host_keys import ssh_public_key

    return ssh_public_key(raw)


def is_alive(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def processes_with(word: str) -> list[int]:
    """Return the processes that have this word among their arguments."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                words = (process / "cmdline").read_text().split("\0")
                if word in words and is_alive(int(process.name)):
                    found.append(int(process.name))
    return found
