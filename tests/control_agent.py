"""A small agent for the gateway's tests: the `websockets` client and the wire module.

It has no behaviour of its own; each test says what it sends and what it expects.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import ssl
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tremplin_agent import __version__, wire
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.serving import Server

M = TypeVar("M")
PATIENCE = 10.0
_open: set[ClientConnection] = set()


def keep(connection: ClientConnection) -> None:
    """Let `cut_all` end this connection, too."""
    _open.add(connection)


async def cut_all() -> None:
    """Drop every connection of this event loop that is still open, as when a host dies."""
    here = asyncio.get_running_loop()
    for connection in [each for each in _open if each.loop is here]:
        _open.discard(connection)
        connection.transport.abort()
        await connection.wait_closed()


class ControlAgent:
    """One agent: a key, a fingerprint, and at most one connection."""

    version = __version__

    def __init__(self, server: Server, fingerprint: str = "") -> None:
        self.server = server
        self.key = Ed25519PrivateKey.generate()
        self.fingerprint = fingerprint or secrets.token_hex(32)
        self.client_id = 0
        self.welcome: wire.Welcome | None = None
        self._socket: ClientConnection | None = None

    def clone(self) -> ControlAgent:
        """Return another machine with a copy of this one's disk."""
        copy = ControlAgent(self.server)
        copy.key, copy.client_id = self.key, self.client_id
        return copy

    @property
    def pin(self) -> bytes:
        """The pin of the server's CA."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.server.ca_path.read_text())).digest()

    # --- frames -----------------------------------------------------------------------------

    async def dial(self, **headers: str) -> None:
        """Open the WebSocket."""
        self._socket = await connect(
            self.server.base_url.replace("https", "wss") + wire.CONTROL_PATH,
            ssl=self.server.tls(),
            ping_interval=None,
            open_timeout=PATIENCE,
            additional_headers=headers,
        )
        _open.add(self._socket)

    @property
    def socket(self) -> ClientConnection:
        """The open WebSocket."""
        assert self._socket is not None, "dial first"
        return self._socket

    async def send(self, message: wire.Message) -> None:
        """Send a message."""
        await self.socket.send(wire.encode(message))

    async def receive(self, kind: type[M]) -> M:
        """Return the next message, which must be of this kind."""
        frame = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        message = wire.decode(str(frame))
        assert isinstance(message, kind), f"{message} is no {kind.__name__}"
        return message

    async def closed(self) -> int:
        """Wait until the server closes and return its close code (1006 without one)."""
        try:
            while True:
                await asyncio.wait_for(self.socket.recv(), PATIENCE)
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd is not None else 1006

    async def hang_up(self) -> None:
        """Close the WebSocket, if it is open."""
        if self._socket is not None:
            await self._socket.close()
            _open.discard(self._socket)
            self._socket = None

    def fall_silent(self) -> None:
        """Stop reading, as a host whose network was cut: nothing is answered any more."""
        self.socket.transport.pause_reading()

    # --- what agents do ---------------------------------------------------------------------

    async def greet(self) -> bytes:
        """Dial, say hello, and return the nonce."""
        await self.dial()
        await self.send(
            wire.Hello(
                wire.PROTOCOL_VERSION, self.version, "linux-64", self.fingerprint, self.client_id
            )
        )
        return wire.b64decode((await self.receive(wire.Challenge)).nonce)

    async def ask_to_enrol(self, key: wire.KeyInfo, **overrides: Any) -> None:
        """Dial and send an enrolment."""
        nonce = await self.greet()
        signed = wire.enrol_bytes(key.installer_id, nonce, self.pin)
        await self.send(
            wire.Enrol(
                installer_id=key.installer_id,
                secret=wire.b64encode(key.secret),
                public_key=wire.b64encode(self.key.public_key().public_bytes_raw()),
                signature=wire.b64encode(self.key.sign(signed)),
                ca_pin=wire.b64encode(self.pin),
                overrides=overrides,
                facts={"hostname": "test-host", "install_dir": "/opt/x"},
            )
        )

    async def enrol(self, key: wire.KeyInfo, **overrides: Any) -> None:
        """Enrol and be let in."""
        await self.ask_to_enrol(key, **overrides)
        self.welcome = await self.receive(wire.Welcome)
        self.client_id = self.welcome.client_id

    async def ask_to_connect(self, signer: Ed25519PrivateKey | None = None) -> None:
        """Dial and send a proof, of another key when `signer` is given."""
        nonce = await self.greet()
        signed = wire.proof_bytes(self.client_id, nonce, self.pin)
        signature = (signer or self.key).sign(signed)
        await self.send(
            wire.Proof(self.client_id, wire.b64encode(signature), wire.b64encode(self.pin))
        )

    async def connect(self) -> None:
        """Prove who it is and be let in."""
        await self.ask_to_connect()
        self.welcome = await self.receive(wire.Welcome)

    async def refused(self) -> wire.Refused:
        """Return the refusal, after which the server must have closed."""
        refusal = await self.receive(wire.Refused)
        await self.closed()
        return refusal
