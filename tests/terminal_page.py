"""The page of a terminal without a browser: its WebSocket, and what it has shown."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests import control_agent
from tests.console import Console, Reachable

PATIENCE = 20.0


@dataclass
class Page:
    """The page of a terminal, as its script behaves. output: everything that was shown."""

    console: Console
    server: Reachable
    session_id: str = ""
    output: bytearray = field(default_factory=bytearray)
    told: list[dict[str, Any]] = field(default_factory=list)
    socket: ClientConnection | None = None

    async def dial(self, hello: dict[str, Any], cookie: str | None = None) -> None:
        """Open a WebSocket and say what it is for."""
        self.socket = await connect(
            self.server.base_url.replace("https", "wss") + "/console/terminal",
            ssl=ssl.create_default_context(cafile=self.server.ca_path),
            additional_headers={"Cookie": self.console.cookie if cookie is None else cookie},
            compression=None,
        )
        control_agent.keep(self.socket)
        await self.socket.send(json.dumps({"columns": 80, "rows": 24, "language": "en", **hello}))

    async def open(self, address: str) -> dict[str, Any]:
        """Open a terminal and return the first thing that is told."""
        asked = await asyncio.to_thread(self.console.post, address, reason="tests")
        assert asked.status == 200, asked.body
        self.session_id = asked.json["session_id"]
        await self.dial({"type": "open", **asked.json})
        return await self.tell()

    async def ticket(self) -> dict[str, str]:
        """Ask for a ticket to come back with."""
        path = f"/console/sessions/{self.session_id}/return"
        found: dict[str, str] = (await asyncio.to_thread(self.console.post, path)).json
        return found

    async def come_back(self) -> dict[str, Any]:
        """Come back after a broken link and return the first thing that is told."""
        ticket = await self.ticket()
        await self.dial({"type": "attach", **ticket, "received": len(self.output)})
        return await self.tell()

    def cut(self) -> None:
        """Break the link without a word."""
        assert self.socket is not None
        self.socket.transport.abort()

    async def type(self, text: str) -> None:
        assert self.socket is not None
        await self.socket.send(text.encode())

    async def say(self, **message: Any) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps(message))

    async def hear(self) -> None:
        """Take one message, and confirm what it shows."""
        assert self.socket is not None
        message = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        if isinstance(message, str):
            self.told.append(json.loads(message))
        else:
            self.output += message
            # The last words may come after a close: a browser's socket takes that in silence.
            with suppress(ConnectionClosed):
                await self.say(type="received", bytes=len(self.output))

    async def tell(self) -> dict[str, Any]:
        """Return the next thing that is told."""
        while not self.told:
            await self.hear()
        return self.told.pop(0)

    async def until(self, pattern: str) -> re.Match[bytes]:
        """Wait until the output has `pattern`."""
        while not (found := re.search(pattern.encode(), self.output)):
            await self.hear()
        return found

    async def ending(self) -> dict[str, Any]:
        """Return how the terminal ended."""
        while (told := await self.tell())["type"] not in ("ended", "refused"):
            pass
        return told
