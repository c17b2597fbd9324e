"""Another machine in the network of a host that stands behind a router."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab import network
from tests.lab.host import Host


@contextmanager
def another_machine(here: Host) -> Iterator[str]:
    """Give the address of another machine of the host's network, where something answers.

    It is the host's router: the lab does not reach its inner side.
    """
    address = f"10.78.{here.entry.number}.1"
    with network.entered(here.entry.router):
        listener = socket.create_server((address, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"a desk\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"{address}:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
