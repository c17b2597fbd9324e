"""The gateway's TLS transport against OpenSSL's own client, on both event loops."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tremplin_server.config import Config
from tremplin_server.gateway import tls
from tremplin_server.pki import site_pki

MEGABYTE = 1_000_000


class Echo(asyncio.Protocol):
    """Sends back what it gets, never faster than the client reads."""

    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()
        self.received = 0
        self.eof = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        assert not self.lost.done()
        self.received += len(data)
        self.transport.write(data)

    def eof_received(self) -> None:
        self.eof = True

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


class Server:
    """A listener on the loopback interface. made: the protocols of finished handshakes."""

    def __init__(self, port: int, ca: Path, made: asyncio.Queue[Echo]) -> None:
        self.port, self.ca, self.made = port, ca, made

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    async def connect(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.trusting(), server_hostname="localhost", **options
        )


Serve = Callable[[], Any]
Test = Callable[[Callable[[Server], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def on_server(request: pytest.FixtureRequest, tmp_path: Path) -> Test:
    """Run a coroutine against a server, on each kind of loop, within ten seconds."""
    pki = site_pki(Config(data_dir=tmp_path))
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pki.ca_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate_path, pki.key_path)

    @asynccontextmanager
    async def serving() -> AsyncIterator[Server]:
        made: asyncio.Queue[Echo] = asyncio.Queue()

        def make() -> Echo:
            echo = Echo()
            made.put_nowait(echo)
            return echo

        loop = asyncio.get_running_loop()
        tcp = partial(tls.TlsListener(context), make)
        listener = await loop.create_server(tcp, "127.0.0.1", 0)
        try:
            yield Server(listener.sockets[0].getsockname()[1], ca, made)
        finally:
            listener.close()

    def run(story: Callable[[Server], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(10), serving() as server:
                await story(server)

        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded())

    return run


def test_words_go_there_and_back_and_the_end_is_seen(on_server: Test) -> None:
    async def story(server: Server) -> None:
        reader, writer = await server.connect()
        for word in (b"one", b"two", b"x" * 70_000):
            writer.write(word)
            assert await reader.readexactly(len(word)) == word
        echo = await server.made.get()
        assert echo.transport.get_extra_info("sslcontext") is not None
        assert echo.transport.get_extra_info("peername")[0] == "127.0.0.1"
        writer.close()
        assert await echo.lost is None
        assert echo.eof
        await writer.wait_closed()

    on_server(story)


def test_much_data_with_a_slow_reader_is_whole_and_held_back(on_server: Test) -> None:
    sent = bytes(range(256)) * (20 * MEGABYTE // 256)

    async def story(server: Server) -> None:
        reader, writer = await server.connect(limit=64 * 1024)
        echo: Echo

        async def send() -> None:
            writer.write(sent)
            await writer.drain()

        task = asyncio.create_task(send())
        echo = await server.made.get()
        while echo.transport.is_reading():
            await asyncio.sleep(0)
        assert echo.transport.get_write_buffer_size() < 2 * MEGABYTE
        assert echo.received < len(sent)
        assert await reader.readexactly(len(sent)) == sent
        await task
        writer.close()
        await echo.lost
        await writer.wait_closed()

    on_server(story)


def test_the_server_can_close_first(on_server: Test) -> None:
    async def story(server: Server) -> None:
        reader, writer = await server.connect()
        echo = await server.made.get()
        echo.transport.write(b"last words")
        echo.transport.close()
        echo.transport.close()
        echo.transport.write(b"too late")
        assert echo.transport.is_closing()
        assert await reader.read() == b"last words"
        assert await echo.lost is None
        writer.close()
        await writer.wait_closed()

    on_server(story)


def test_a_connection_that_is_cut_is_lost_once(on_server: Test) -> None:
    async def story(server: Server) -> None:
        _reader, writer = await server.connect()
        echo = await server.made.get()
        writer.transport.abort()
        await echo.lost

    on_server(story)


def test_data_that_waits_while_reading_is_paused_is_not_lost_at_the_end(on_server: Test) -> None:
    async def story(server: Server) -> None:
        _reader, writer = await server.connect()
        echo = await server.made.get()
        echo.transport.pause_reading()
        writer.write(b"x" * 1_000)
        writer.close()
        assert echo.received == 0
        echo.transport.resume_reading()
        await echo.lost
        assert echo.received == 1_000
        # The echo came after the client's own end, which its TLS takes amiss.
        with suppress(ssl.SSLError):
            await writer.wait_closed()

    on_server(story)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""])
def test_what_is_no_tls_makes_no_protocol(on_server: Test, garbage: bytes) -> None:
    async def story(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(garbage)
        writer.write_eof()
        await reader.read()
        writer.close()
        assert server.made.empty()

    on_server(story)


def test_a_client_that_distrusts_the_server_makes_no_protocol(on_server: Test) -> None:
    async def story(server: Server) -> None:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1",
                server.port,
                ssl=ssl.create_default_context(),
                server_hostname="localhost",
            )
        reader, writer = await server.connect()
        writer.write(b"next")
        assert await reader.readexactly(4) == b"next"
        writer.close()
        await writer.wait_closed()
        assert (await server.made.get()).received == 4 or not server.made.empty()

    on_server(story)


def test_a_handshake_that_stands_still_is_ended(
    on_server: Test, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 0.05)

    async def story(server: Server) -> None:
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", server.port))
        await loop.sock_sendall(sock, b"\x16")
        try:
            assert await loop.sock_recv(sock, 1) == b""
        except ConnectionResetError:
            pass
        finally:
            sock.close()

    on_server(story)


def test_a_hello_that_comes_byte_by_byte_is_understood(on_server: Test) -> None:
    async def story(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = server.trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    writer.write(bytes([byte]))
                    await writer.drain()
                incoming.write(await reader.read(65_536))
        client.write(b"here")
        writer.write(outgoing.read())
        incoming.write(await reader.read(65_536))
        assert client.read(10) == b"here"
        writer.close()
        await (await server.made.get()).lost

    on_server(story)
