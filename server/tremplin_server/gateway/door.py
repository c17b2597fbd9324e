"""How an HTTP thread reaches the gateway's event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tremplin_server.gateway.gateway import Gateway

EXTENSION = "tremplin.gateway"
"""`app.extensions[EXTENSION]` is the Door; it is missing where no gateway runs."""

T = TypeVar("T")


class Door:
    """Made in the event loop, used from any thread."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._loop = asyncio.get_running_loop()

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run `work` in the gateway's event loop; the future may be waited for in a thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)
