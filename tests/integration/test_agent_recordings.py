"""Recordings on their way from the agent to a server that is not always kind."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tremplin_agent import wire
from tremplin_agent.core.backoff import Backoff
from tremplin_agent.core.identity import Identity, verify
from tremplin_agent.recordings import KEPT_SECONDS, OPEN_SUFFIX, Recordings, Server

SESSION = "ab" * 16
IDENTITY = Identity.from_raw(b"r" * 32)


@dataclass
class Taker:
    """A server: answers with these statuses in turn, then 204; keeps what it was sent."""

    statuses: list[int] = field(default_factory=list)
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def taker() -> Iterator[Taker]:
    made = Taker()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.taken.append((self.path, dict(self.headers), body))
            self.send_response(made.statuses.pop(0) if made.statuses else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/base/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def recording(var: Path, number: int, content: bytes, suffix: str = "") -> Path:
    directory = var / "recordings"
    directory.mkdir(exist_ok=True)
    path = directory / f"{SESSION}.{number}.cast{suffix}"
    path.write_bytes(content)
    return path


def send(var: Path, taker: Taker, there: bool = True, seconds: float = 10) -> list[str]:
    """Send until nothing waits or the time is over; the names of what still waits."""
    recordings = Recordings(var, IDENTITY, Backoff(lambda: 0.01))

    async def server() -> Server | None:
        return Server(taker.url, None, 7) if there else None

    def waiting() -> list[str]:
        return sorted(path.name for path in (var / "recordings").iterdir())

    async def run() -> None:
        recordings.complete()
        sending = asyncio.ensure_future(recordings.send_all(server))
        until = time.monotonic() + seconds
        while waiting() and time.monotonic() < until:
            await asyncio.sleep(0.02)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(run())
    return waiting()


def test_a_recording_arrives_signed_and_whole_and_its_file_goes(
    tmp_path: Path, taker: Taker
) -> None:
    content = b'{"version": 2}\n' + b"x" * 1_000_000
    recording(tmp_path, 3, content)
    assert send(tmp_path, taker) == []
    ((path, headers, body),) = taker.taken
    assert path == f"/base{wire.RECORDING_PATH}{SESSION}/3"
    assert headers["X-Tremplin-Client"] == "7"
    assert gzip.decompress(body) == content
    signature = wire.b64decode(headers["X-Tremplin-Signature"])
    signed = wire.recording_bytes(SESSION, 3, hashlib.sha256(body).digest())
    assert verify(IDENTITY.public_key, signature, signed)


def test_trouble_at_the_server_is_tried_again(tmp_path: Path, taker: Taker) -> None:
    taker.statuses = [500, 503]
    recording(tmp_path, 1, b"{}\n")
    assert send(tmp_path, taker) == []
    assert len(taker.taken) == 3


@pytest.mark.parametrize("status", [404, 409, 410, 413])
def test_what_the_server_does_not_want_goes(tmp_path: Path, taker: Taker, status: int) -> None:
    taker.statuses = [status]
    recording(tmp_path, 1, b"{}\n")
    assert send(tmp_path, taker) == []
    assert len(taker.taken) == 1


def test_without_a_server_it_waits(tmp_path: Path, taker: Taker) -> None:
    recording(tmp_path, 1, b"{}\n")
    assert send(tmp_path, taker, there=False, seconds=0.3) == [f"{SESSION}.1.cast"]
    taker.url = "http://127.0.0.1:9"
    assert send(tmp_path, taker, seconds=0.3) == [f"{SESSION}.1.cast"]


def test_what_a_killed_session_left_open_is_sent_as_it_is(tmp_path: Path, taker: Taker) -> None:
    recording(tmp_path, 1, b"{}\n[0.1, ", OPEN_SUFFIX)
    assert send(tmp_path, taker) == []
    assert gzip.decompress(taker.taken[0][2]) == b"{}\n[0.1, "


def test_what_waits_too_long_or_is_nothing_of_ours_goes(tmp_path: Path, taker: Taker) -> None:
    old = recording(tmp_path, 1, b"{}\n")
    long_ago = time.time() - KEPT_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    (tmp_path / "recordings" / "other.cast").write_text("x")
    assert send(tmp_path, taker) == []
    assert taker.taken == []
