"""The link between two workers: proved per session, or cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tremplin_server.config import Config
from tremplin_server.errors import TremplinError
from tremplin_server.gateway.peer_link import PeerLinks, PeerStream
from tremplin_server.gateway.stream import Stream

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
WANTED, UNWANTED = "a" * 32, "b" * 32

Scenario = Callable[["Site"], Coroutine[Any, Any, None]]


class Site:
    """A listening worker, and others that dial it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.taken: list[tuple[str, Stream]] = []
        self.listener = self.worker("here-1-a")

    def worker(self, name: str, key: bytes = KEY) -> PeerLinks:
        return PeerLinks(self.config, name, key, lambda name: name == WANTED, self._take)

    def _take(self, name: str, stream: PeerStream) -> bool:
        self.taken.append((name, stream))
        return True

    async def joined(self) -> tuple[PeerStream, Stream]:
        """Return both ends of a link."""
        near = await self.worker("here-1-b").dial(self.listener.address, WANTED)
        while not self.taken:
            await asyncio.sleep(0.001)
        return near, self.taken.pop()[1]


@pytest.fixture(params=["unix", "tcp"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    config = Config(data_dir=tmp_path, peer_bind="127.0.0.1" if request.param == "tcp" else "")

    async def whole(scenario: Scenario) -> None:
        site = Site(config)
        await site.listener.start()
        try:
            await asyncio.wait_for(scenario(site), 20)
        finally:
            await site.listener.stop()

    return lambda scenario: asyncio.run(whole(scenario))


def test_bytes_go_both_ways_and_the_code_with_the_end(run: Callable[[Scenario], None]) -> None:
    async def scenario(site: Site) -> None:
        near, far = await site.joined()
        await near.write(b"\0 to the other")
        assert await far.read() == b"\0 to the other"
        large = bytes(range(256)) * 8192
        sending = asyncio.ensure_future(far.write(large))
        got = b""
        while len(got) < len(large):
            got += await near.read()
        assert got == large
        await sending
        await far.write(b"last")
        await far.close("session.idle")
        assert await near.read() == b"last"
        assert await near.read() == b""
        assert near.end_code == "session.idle"
        await near.write(b"into the void")
        await near.close()

    run(scenario)


def test_a_peer_that_dies_is_a_lost_worker(run: Callable[[Scenario], None]) -> None:
    async def scenario(site: Site) -> None:
        near, far = await site.joined()
        near._writer.transport.abort()
        assert await far.read() == b""
        assert far.end_code == "session.worker_lost"
        await far.close()
        await near.close()

    run(scenario)


def test_a_session_that_nobody_waits_for_is_not_joined(run: Callable[[Scenario], None]) -> None:
    async def scenario(site: Site) -> None:
        with pytest.raises(TremplinError) as caught:
            await site.worker("here-1-b").dial(site.listener.address, UNWANTED)
        assert caught.value.code == "session.ended"
        assert site.taken == []

    run(scenario)


def test_who_does_not_know_the_site_s_key_is_cut(run: Callable[[Scenario], None]) -> None:
    async def scenario(site: Site) -> None:
        stranger = site.worker("here-1-b", OTHER_KEY)
        with pytest.raises(TremplinError):
            await stranger.dial(site.listener.address, WANTED)
        assert site.taken == []

    run(scenario)


def test_a_listener_that_does_not_know_the_key_is_no_worker(
    run: Callable[[Scenario], None],
) -> None:
    async def scenario(site: Site) -> None:
        impostor = site.worker("here-1-c", OTHER_KEY)
        await impostor.start()
        try:
            with pytest.raises(TremplinError):
                await site.worker("here-1-b").dial(impostor.address, WANTED)
        finally:
            await impostor.stop()
        assert site.taken == []

    run(scenario)


def test_who_stands_in_between_is_noticed(tmp_path: Path) -> None:
    """TLS is no use to a man in the middle: the proof names the certificate that was seen."""

    async def scenario() -> None:
        site = Site(Config(data_dir=tmp_path, peer_bind="127.0.0.1"))
        await site.listener.start()
        middle = PeerLinks(site.config, "m", OTHER_KEY, lambda name: True, lambda *_: False)
        context = middle._context()
        host, port = "127.0.0.1", int(site.listener.address.rsplit(":", 1)[1])

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back, _ = await middle._connect(f"tcp:{host}:{port}")

            async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(4096):
                    target.write(data)
                target.close()

            await asyncio.gather(carry(reader, back), carry(there, writer), return_exceptions=True)

        server = await asyncio.start_server(between, host, 0, ssl=context)
        address = f"tcp:{host}:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(TremplinError):
            await site.worker("here-1-b").dial(address, WANTED)
        assert site.taken == []
        server.close()
        await site.listener.stop()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize("address", ["", "unix:/nowhere/peer.sock", "tcp:127.0.0.1:1", "tcp:x"])
def test_a_worker_that_cannot_be_reached(tmp_path: Path, address: str) -> None:
    async def scenario() -> None:
        with pytest.raises(TremplinError) as caught:
            await Site(Config(data_dir=tmp_path)).worker("w").dial(address, WANTED)
        assert caught.value.code == "jump.internal"

    asyncio.run(scenario())


def test_sockets_of_killed_workers_are_cleared(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "run").mkdir()
        dead, living, foreign = (
            tmp_path / "run" / f"peer-{name}.sock"
            for name in ("here-4194303-a", "here-1-b", "there-4194303-c")
        )
        for path in (dead, living, foreign):
            path.touch()
        links = Site(replace(Config(), data_dir=tmp_path)).listener
        await links.start()
        assert not dead.exists()
        assert living.exists()
        assert foreign.exists()
        await links.stop()

    asyncio.run(scenario())
