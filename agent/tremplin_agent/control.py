"""The shell around `core.protocol`: one WebSocket to the server, and its liveness."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import Any, AsyncIterator, Callable, Optional, cast
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from tremplin_agent import wire
from tremplin_agent.dialling import dial
from tremplin_agent.tls import NoAnswer, Untrusted

OPEN_SECONDS = 30.0
"""Long, because a server that all its agents return to takes its time with each."""

log = logging.getLogger("tremplin.control")


class Busy(Exception):
    """Something answered, and it was no WebSocket. retry_after: seconds, 0 when unsaid."""

    def __init__(self, detail: str, retry_after: float = 0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Connection(ClientConnection):
    """A client connection that remembers when it last heard from the server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heard_at = time.monotonic()

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        super().data_received(data)


class Link:
    """An open connection to the server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def private_ip(self) -> str:
        """The address of this end."""
        address = self._connection.local_address
        return str(address[0]) if address else ""

    @property
    def server_ip(self) -> str:
        """The address of the server's end."""
        address = self._connection.remote_address
        return str(address[0]) if address else ""

    async def send(self, message: wire.Message) -> None:
        """Send a message; a connection that is closed swallows it."""
        try:
            await self._connection.send(wire.encode(message))
        except ConnectionClosed:
            log.debug("not sent, the connection is closed: %s", message.TYPE)

    async def frames(self) -> AsyncIterator[str]:
        """Give the text frames until the connection ends, however it ends."""
        while True:
            try:
                frame = await self._connection.recv()
            except ConnectionClosed:
                return
            if isinstance(frame, str):
                yield frame

    async def close(self) -> None:
        """Close the connection, in two seconds at most."""
        await self._connection.close()

    @property
    def closed_normally(self) -> bool:
        """Whether the server ended the connection with status 1000."""
        return self._connection.close_code == 1000

    async def keep_alive(self, heartbeat_seconds: Callable[[], float]) -> None:
        """Return once the server has been silent for two heartbeats.

        The server's own pings count as life; only a silent connection is pinged, so
        that an idle agent costs one small packet each way per heartbeat.
        """
        connection = self._connection
        while True:
            heartbeat = heartbeat_seconds()
            silence = time.monotonic() - connection.heard_at
            if silence >= 2 * heartbeat:
                return
            if silence < heartbeat:
                await asyncio.sleep(heartbeat - silence)
                continue
            try:
                await connection.ping()
            except ConnectionClosed:
                return
            await asyncio.sleep(max(0.05, 2 * heartbeat - silence))

    def abort(self) -> None:
        """Drop the connection without another word: nobody is listening."""
        self._connection.transport.abort()


async def open_link(url: str, tls: ssl.SSLContext) -> Link:
    """Return a link to the server at the base URL `url`.

    Raises NoAnswer when nothing answers, Untrusted when it is another server, Busy when
    it answers without letting us in.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    sock = await dial(host, port)
    path = parts.path.rstrip("/") + wire.CONTROL_PATH
    try:
        connection = await connect(
            urlunsplit(("wss", parts.netloc, path, "", "")),
            sock=sock,
            ssl=tls,
            server_hostname=host,
            create_connection=Connection,
            compression=None,
            proxy=None,
            user_agent_header=None,
            open_timeout=OPEN_SECONDS,
            ping_interval=None,
            close_timeout=2,
            max_size=wire.MAX_FRAME,
        )
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(error.verify_message) from error
    except InvalidStatus as error:
        detail = f"the server answers with HTTP status {error.response.status_code}"
        raise Busy(detail, _retry_after(error)) from error
    except (asyncio.TimeoutError, TimeoutError, WebSocketException) as error:
        raise Busy(str(error) or "no answer in time") from error
    except (OSError, EOFError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from error
    return Link(cast(Connection, connection))


def _retry_after(error: InvalidStatus) -> float:
    text: Optional[str] = error.response.headers.get("Retry-After")
    return float(text) if text and text.isdigit() else 0.0
