"""The port of a passive agent: where the server's wake-up comes in.

A connection costs one object, is heard for a few seconds and a hundred bytes, and is dropped
without a word unless those are the server's signature; see `core.wake` and `wire.wake`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
import socket
import sys
import time
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional, Set, cast

from tremplin_agent.core.wake import Gate, Verifier, genuine
from tremplin_agent.wire.wake import CHALLENGE_BYTES, COMING, GREETING, WAKE_UP_BYTES, WakeUp

HEARD_SECONDS = 5.0
"""How long a connection has to say its wake-up."""
AT_ONCE = 16
"""Connections that are heard at once; any more are dropped."""
_NOT_HERE = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)

log = logging.getLogger("tremplin.wake")


class Listener:
    """Listens for wake-ups on all addresses of the host.

    woken: called for every genuine one. verify: checks the server's signatures.
    """

    def __init__(self, woken: Callable[[], None], verify: Verifier) -> None:
        self._woken, self._verify = woken, verify
        self._servers: List[asyncio.AbstractServer] = []
        self._wanted = 0
        self._client_id = 0
        self._server_key = b""
        self.gate = Gate(time.monotonic())
        self.callers: Set[_Caller] = set()
        self.fault = ""

    @property
    def port(self) -> int:
        """The port that is open; 0 for none."""
        return self._wanted if self._servers else 0

    async def listen(self, port: int, client_id: int, server_key: bytes) -> None:
        """Listen on `port` as this client; 0 for not at all. `fault` says why it does not.

        What is so already stays so; a port that was taken before is tried again.
        """
        self._client_id, self._server_key = client_id, server_key
        if port == self.port and not self.fault:
            return
        await self.close()
        self._wanted = port
        if not port:
            return
        fault = ""
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                await self._open(family, port)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    fault = f"port {port} cannot be opened: {error.strerror or error}"
        if fault:
            await self.close()
            log.error("cannot be woken: %s", fault)
        elif self._servers:
            log.info("listening for wake-ups on port %d", port)
        self.fault = fault

    async def _open(self, family: int, port: int) -> None:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform == "win32":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))  # noqa: S104 - it is to be reached
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: _Caller(self), sock=sock, backlog=AT_ONCE)
        except BaseException:
            sock.close()
            raise
        self._servers.append(server)

    async def close(self) -> None:
        """Listen no more."""
        servers, self._servers = self._servers, []
        self.fault = ""
        for server in servers:
            server.close()
        for caller in list(self.callers):
            caller.drop()

    def facts(self, addresses: List[str]) -> Dict[str, Any]:
        """Return `Statistics.values["listening"]`. addresses: of the host."""
        return {"port": self.port, "addresses": addresses, "fault": self.fault}

    def answers(self, raw: bytes, challenge: bytes, address: str) -> bool:
        """Take what a caller said; return whether it was the server."""
        if not genuine(raw, challenge, self._client_id, self._server_key, self._verify):
            return False
        self.gate.knows(address, time.monotonic())
        skew = abs(WakeUp.unpack(raw).at - time.time())
        log.info("woken by the server from %s (clocks differ by %.0f s)", address, skew)
        self._woken()
        return True


class _Caller(asyncio.Protocol):
    """One connection to the port."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._challenge = secrets.token_bytes(CHALLENGE_BYTES)
        self._said = b""
        self._address = ""
        self._transport: Optional[asyncio.Transport] = None
        self._timer: Optional[asyncio.TimerHandle] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        listener = self._listener
        admitted = listener.gate.admits(self._address, time.monotonic())
        if len(listener.callers) >= AT_ONCE or not admitted:
            self._transport.abort()
            return
        listener.callers.add(self)
        self._timer = asyncio.get_running_loop().call_later(HEARD_SECONDS, self.drop)
        self._transport.write(GREETING + self._challenge)

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self not in self._listener.callers:
            return
        self._said += data
        stranger = not self._said.startswith(GREETING[: len(self._said)])
        if stranger or len(self._said) > WAKE_UP_BYTES:
            self.drop()
        elif len(self._said) == WAKE_UP_BYTES:
            if self._listener.answers(self._said, self._challenge, self._address):
                self._transport.write(COMING)
                self._transport.close()
            else:
                self.drop()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._listener.callers.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def drop(self) -> None:
        """Hang up without a word."""
        self._listener.callers.discard(self)
        if self._transport is not None:
            with suppress(OSError):
                self._transport.abort()
