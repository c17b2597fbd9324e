"""TLS for many connections that are idle most of the time.

uvloop gives every TLS connection a read buffer of its own, of which at least a page stays
in memory, and a chain of objects: 6 KiB beside OpenSSL's 16. This transport sits on a
plain TCP transport and shares its buffers among all connections of the loop, because data
is taken out of them before control returns. Towards the protocol above, it is a transport
like any other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from tremplin_server.gateway.turnstile import Turn, Turnstile

HANDSHAKE_SECONDS = 30.0
CLOSE_SECONDS = 30.0
_BUFFER = 256 * 1024
_WRITE = 64 * 1024


_PAST = Turn(lambda: None)
"""The turn of a connection that has had its own; thousands of them stay open."""

MakeProtocol = Callable[[], asyncio.Protocol]


class TlsListener:
    """What the connections of a loop share.

    Call it with a protocol factory to get a protocol for `loop.create_server`; the factory
    is called for each connection whose handshake succeeded.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        # An agent stays for days: a ticket to resume with is memory for nothing.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        self.context = context
        self.turnstile = Turnstile()
        self.ciphertext = memoryview(bytearray(_BUFFER))
        self.plaintext = memoryview(bytearray(_BUFFER))

    def __call__(self, make_protocol: MakeProtocol) -> TlsTransport:
        return TlsTransport(self, make_protocol)


class TlsTransport(asyncio.BufferedProtocol, asyncio.Transport):
    """A TLS server connection: a protocol to TCP below, a transport to the one above."""

    __slots__ = (
        "_closing", "_in", "_listener", "_make_protocol", "_out", "_paused", "_protocol",
        "_tcp", "_timer", "_tls", "_turn", "_upgraded",
    )  # fmt: skip

    def __init__(self, listener: TlsListener, make_protocol: MakeProtocol) -> None:
        self._listener = listener
        self._make_protocol: MakeProtocol | None = make_protocol
        self._protocol: asyncio.Protocol | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turn: Turn | None = None
        self._upgraded = False
        self._closing = False
        self._paused = False

    # --- what TCP says ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are transports in deed, not by their class.
        self._tcp = cast(asyncio.Transport, transport)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = self._listener.context.wrap_bio(self._in, self._out, server_side=True)
        self._abort_after(HANDSHAKE_SECONDS)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._listener.ciphertext

    def buffer_updated(self, nbytes: int) -> None:
        self._in.write(self._listener.ciphertext[:nbytes])
        if self._turn is None and self._make_protocol is not None:
            # Not before it says something: who is silent takes nobody's turn.
            self._turn = Turn(self._begin)
            if not self._listener.turnstile.enter(self._turn):
                self._tcp.pause_reading()
                return
        self._go_on()

    def eof_received(self) -> bool:
        self._in.write_eof()
        if self._protocol is None:
            self._tcp.abort()
        else:
            self._read()
        return self._paused

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._stop_timer()
        self._has_opened()
        if self._protocol is not None:
            self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    # --- what the protocol above asks for -------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._closing:
            return
        if not self._upgraded:
            self._has_opened()
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest[:_WRITE]) :]
                self._flush()
        except ssl.SSLError:
            # The peer has sent a fatal alert, and nothing can follow it.
            self.abort()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        # Our close_notify goes out; the peer's, or what it still sends, is not waited for.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._abort_after(CLOSE_SECONDS)
        self._tcp.close()

    def abort(self) -> None:
        self._closing = True
        self._tcp.abort()

    def is_closing(self) -> bool:
        return self._closing or self._tcp.is_closing()

    def pause_reading(self) -> None:
        if not self._paused and not self.is_closing():
            self._paused = True
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and not self.is_closing():
            self._paused = False
            self._tcp.resume_reading()
            # Not at once: the protocol above may still be in the middle of `data_received`.
            asyncio.get_running_loop().call_soon(self._read)

    def is_reading(self) -> bool:
        return not (self._paused or self._closing)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand over: once to the protocol of a WebSocket, which is still opening, then on."""
        self._protocol = cast(asyncio.Protocol, protocol)
        if self._upgraded:
            self._has_opened()
        self._upgraded = True

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None, "only the protocol above asks"
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "sslcontext":
            return self._listener.context
        if name == "ssl_object":
            return self._tls
        return self._tcp.get_extra_info(name, default)

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self._tcp.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._tcp.set_write_buffer_limits(high, low)

    # --- inside ---------------------------------------------------------------------------

    def _begin(self) -> None:
        """Open the connection, now that its turn has come."""
        if not self._closing:
            self._abort_after(HANDSHAKE_SECONDS)
            self._tcp.resume_reading()
            self._go_on()

    def _has_opened(self) -> None:
        if self._turn is not None and self._turn is not _PAST:
            self._listener.turnstile.leave(self._turn)
            self._turn = _PAST

    def _go_on(self) -> None:
        if self._protocol is not None or (not self._closing and self._shake_hands()):
            self._read()

    def _shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError:
            # No TLS, or no client of ours; the alert says so.
            self._closing = True
            self._flush()
            self._tcp.close()
            return False
        self._flush()
        self._stop_timer()
        assert self._make_protocol is not None, "a handshake is done once"
        self._protocol, self._make_protocol = self._make_protocol(), None
        self._protocol.connection_made(self)
        return True

    def _read(self) -> None:
        """Hand up what can be decrypted, as much as fits the buffer at a time."""
        more = True
        while more and not self._paused and not self._closing:
            size, more, ended = self._decrypt()
            if size:
                assert self._protocol is not None, "the handshake is done"
                self._protocol.data_received(bytes(self._listener.plaintext[:size]))
            if ended and not self._closing:
                assert self._protocol is not None, "the handshake is done"
                self._protocol.eof_received()
                self.close()

    def _decrypt(self) -> tuple[int, bool, bool]:
        """Fill the plaintext buffer; return its length, whether more waits, whether it ended."""
        target, size = self._listener.plaintext, 0
        try:
            while size < _BUFFER:
                # With a buffer to fill, `read` returns a number; typeshed knows only bytes.
                count = cast(int, self._tls.read(_BUFFER - size, cast(Any, target[size:])))
                if count == 0:
                    return size, False, True
                size += count
        except ssl.SSLWantReadError:
            # Reading can have something to say: the answer to a key update.
            self._flush()
            return size, False, False
        except ssl.SSLError:
            return size, False, True
        return size, True, False

    def _flush(self) -> None:
        if self._out.pending and not self._tcp.is_closing():
            self._tcp.write(self._out.read())

    def _abort_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._tcp.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
