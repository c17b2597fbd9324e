"""The bus: small notices that reach every worker of the site.

A notice names things (`client.command {client_id}`); it never carries them, and it may be
lost when the connection to the database breaks. So every listener that acts on notices
also catches up when the bus says that there was a gap. Work.commit publishes only after
the transaction, so that a listener finds what it was told of.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from tremplin_server.logging import logger

MAX_NOTICE = 7_500
"""Bytes of a notice as JSON; PostgreSQL takes less than 8,000."""

Listener = Callable[[Mapping[str, Any]], None]
GapListener = Callable[[], None]

_log = logger(__name__)


class Bus(Protocol):
    """Carries notices between the workers of a site, this one included."""

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        """Hand `body` (JSON, MAX_NOTICE at most) to every listener of `topic`.

        From any thread; never blocks. ValueError when the notice is too large.
        """

    def subscribe(self, topic: str, listener: Listener) -> None:
        """Call `listener` in the event loop for every notice of `topic`."""

    def on_gap(self, listener: GapListener) -> None:
        """Call `listener` in the event loop after notices may have been lost."""

    async def start(self) -> None:
        """Begin to deliver; what was published before is dropped."""

    async def stop(self) -> None:
        """Send what is queued and end."""


def pack(topic: str, body: Mapping[str, Any]) -> str:
    """Return the text of a notice; ValueError when it is larger than MAX_NOTICE."""
    text = json.dumps([topic, dict(body)], separators=(",", ":"))
    if len(text) > MAX_NOTICE:
        raise ValueError(f"a notice of {topic} is too large: name things, do not carry them")
    return text


class Dispatcher:
    """Listeners by topic; the delivering half that every bus shares."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._gap_listeners: list[GapListener] = []

    def subscribe(self, topic: str, listener: Listener) -> None:
        self._listeners[topic].append(listener)

    def on_gap(self, listener: GapListener) -> None:
        self._gap_listeners.append(listener)

    def deliver(self, topic: str, body: Mapping[str, Any]) -> None:
        """Call the listeners of `topic`; one that fails does not keep it from the others."""
        for listener in self._listeners.get(topic, ()):
            try:
                listener(body)
            except Exception:
                _log.exception("bus.listener", topic=topic)

    def tell_gap(self) -> None:
        """Call the listeners of gaps."""
        for listener in self._gap_listeners:
            listener()


class LocalBus(Dispatcher):
    """The bus of a site with one worker.

    socket_path: where commands of the `tremplin` program, which are other processes,
    leave their notices; None when nobody does.
    """

    def __init__(self, socket_path: Path | None = None) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket_path = socket_path
        self._socket: socket.socket | None = None

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        pack(topic, body)
        loop = self._loop
        if loop is not None:
            # RuntimeError: the loop was closed between the two lines, at the very end.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.deliver, topic, dict(body))

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._socket_path is not None:
            self._socket = _bound(self._socket_path)
            self._loop.add_reader(self._socket, self._read)

    async def stop(self) -> None:
        if self._socket is not None and self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            assert self._socket_path is not None, "there was a socket"
            self._socket_path.unlink(missing_ok=True)
        self._loop = None

    def _read(self) -> None:
        assert self._socket is not None, "the reader is removed first"
        with suppress(BlockingIOError):
            while True:
                try:
                    topic, body = json.loads(self._socket.recv(MAX_NOTICE))
                except ValueError:
                    _log.warning("bus.unreadable")
                    continue
                self.deliver(topic, body)


class SocketPublisher:
    """Leaves notices at the socket of a running server; silent when there is none."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        text = pack(topic, body)
        # No server runs: it finds in the database what was changed meanwhile.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            with reachable(self._socket_path) as name:
                sender.connect(name)
            sender.send(text.encode())


class reachable:  # noqa: N801 - a context manager that reads like a function
    """Give a name of `path` that fits into a socket address, whatever the path's length.

    A socket address holds 107 bytes; the directory's descriptor makes a short name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory = -1

    def __enter__(self) -> str:
        self._directory = os.open(self._path.parent, os.O_PATH | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._directory)


def _bound(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    with reachable(path) as name:
        receiver.bind(name)
    path.chmod(0o600)
    return receiver
