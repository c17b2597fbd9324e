"""The connections that this worker holds, and whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Protocol
from weakref import WeakValueDictionary

from tremplin_server.errors import TremplinError

ANSWER_SECONDS = 2.0
"""How long a connection has to answer a ping before it counts as dead."""


class Held(Protocol):
    """An admitted connection, or one that is about to be."""

    client_id: int
    public_key: bytes

    async def answers(self, seconds: float) -> bool:
        """Return whether the agent answers a ping within `seconds`."""

    def refuse(self, error: TremplinError) -> None:
        """Tell the agent why it must leave, and close."""

    def abort(self) -> None:
        """Drop the connection without a word."""


class Peers(Protocol):
    """The other workers of the site."""

    async def hold(self, client_id: int, public_key: bytes | None) -> bool:
        """Return whether another worker holds a connection of this client that answers.

        public_key: of the newcomer here; a holder closes a connection with another key.
        """


class Alone:
    """There is no other worker."""

    async def hold(self, client_id: int, public_key: bytes | None) -> bool:
        return False


class Hub:
    """At most one connection per client id; the live one wins, whoever comes."""

    def __init__(self, peers: Peers) -> None:
        self.peers = peers
        self._held: dict[int, Held] = {}
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._claiming: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def get(self, client_id: int) -> Held | None:
        """Return the connection of a client, if this worker holds it."""
        return self._held.get(client_id)

    def claiming(self, client_id: int) -> bytes | None:
        """Return the key of a newcomer that is claiming this id here, if there is one."""
        return self._claiming.get(client_id)

    async def claim(self, newcomer: Held) -> None:
        """Give the newcomer its client id; TremplinError `enrol.clone` if it is taken.

        A connection of the same key that answers stays; a dead one is dropped. One with
        another key was replaced by this enrolment, and is told so.
        """
        client_id = newcomer.client_id
        async with self._alone(client_id):
            self._claiming[client_id] = newcomer.public_key
            try:
                if not await self._give_way(client_id, newcomer.public_key):
                    raise TremplinError("enrol.clone")
                if await self.peers.hold(client_id, newcomer.public_key):
                    raise TremplinError("enrol.clone")
                self._held[client_id] = newcomer
            finally:
                del self._claiming[client_id]

    def leave(self, connection: Held) -> bool:
        """Forget a connection; False when it did not hold its client id any more."""
        if self._held.get(connection.client_id) is not connection:
            return False
        del self._held[connection.client_id]
        return True

    async def answers(self, client_id: int, public_key: bytes | None) -> bool:
        """Return whether this worker holds a connection of the client that answers.

        As a side effect a dead one is dropped, and one with a key other than `public_key`
        (when given) is closed.
        """
        return not await self._give_way(client_id, public_key)

    async def live(self, client_ids: Iterable[int]) -> frozenset[int]:
        """Return those of `client_ids` whose connection answers, at any worker."""
        wanted = list(client_ids)
        found = await asyncio.gather(*(self._live(client_id) for client_id in wanted))
        return frozenset(client_id for client_id, live in zip(wanted, found, strict=True) if live)

    async def _live(self, client_id: int) -> bool:
        return await self.answers(client_id, None) or await self.peers.hold(client_id, None)

    async def _give_way(self, client_id: int, public_key: bytes | None) -> bool:
        old = self._held.get(client_id)
        if old is None:
            return True
        if public_key is not None and old.public_key != public_key:
            old.refuse(TremplinError("enrol.key_replaced"))
        elif await old.answers(ANSWER_SECONDS):
            return False
        else:
            old.abort()
        return True

    @asynccontextmanager
    async def _alone(self, client_id: int) -> AsyncIterator[None]:
        lock = self._locks.get(client_id)
        if lock is None:
            lock = self._locks[client_id] = asyncio.Lock()
        async with lock:
            yield
