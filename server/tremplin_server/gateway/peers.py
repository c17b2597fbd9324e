"""Asking the other workers of the site, over the bus, who holds a connection.

Every worker answers every question, most of them at once with "not I", so that a
reconnect after the death of one worker need not wait for a time-out. Questions that come
together travel together.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tremplin_server.gateway.batch import Batcher
from tremplin_server.gateway.bus import Bus
from tremplin_server.gateway.hub import ANSWER_SECONDS, Hub

ASK, ANSWER, PRESENT, GONE = "peer.ask", "peer.answer", "peer.present", "peer.gone"
PATIENCE = ANSWER_SECONDS + 0.5
_KEY_BYTES = 8
_LARGEST_QUESTION = 150
"""So that a question with every key stays below the size of a notice."""


@dataclass(slots=True)
class _Question:
    missing: set[str]
    held: set[int] = field(default_factory=set)
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class BusPeers:
    """The other workers, known by their heartbeats and by their own announcements."""

    def __init__(self, worker_id: str, bus: Bus) -> None:
        self._worker_id = worker_id
        self._bus = bus
        self._hub: Hub | None = None
        self._others: set[str] = set()
        self._arrived: set[str] = set()
        self._open: dict[str, _Question] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._batcher: Batcher[tuple[int, bytes | None], bool] = Batcher(
            self._ask, limit=_LARGEST_QUESTION
        )

    def listen(self, hub: Hub) -> None:
        """Answer for `hub` from now on, and take note of who comes and goes."""
        self._hub = hub
        self._bus.subscribe(ASK, self._asked)
        self._bus.subscribe(ANSWER, self._answered)
        self._bus.subscribe(PRESENT, lambda body: self._came(body["worker"]))
        self._bus.subscribe(GONE, lambda body: self._gone(body["worker"]))

    def start(self, worker_ids: set[str]) -> None:
        """Take the workers that live, and tell them that this one is here."""
        self.living(worker_ids)
        self._bus.publish(PRESENT, {"worker": self._worker_id})

    def stop(self) -> None:
        """Tell the others not to wait for this worker's answers."""
        self._bus.publish(GONE, {"worker": self._worker_id})

    def living(self, worker_ids: set[str]) -> None:
        """Take the workers that have a fresh heartbeat.

        Who came since the last time stays: the database may have been asked before.
        """
        self._others = (worker_ids | self._arrived) - {self._worker_id}
        self._arrived.clear()

    async def hold(self, client_id: int, public_key: bytes | None) -> bool:
        if not self._others - {self._worker_id}:
            return False
        return await self._batcher.submit((client_id, public_key))

    # --- asking ---------------------------------------------------------------------------

    async def _ask(self, wanted: Sequence[tuple[int, bytes | None]]) -> list[bool]:
        question = _Question(self._others - {self._worker_id})
        if not question.missing:
            return [False] * len(wanted)
        name = secrets.token_hex(6)
        self._open[name] = question
        self._bus.publish(
            ASK,
            {
                "question": name,
                "worker": self._worker_id,
                "clients": [[client_id, _tag(key)] for client_id, key in wanted],
            },
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await question.answered.wait()
        except TimeoutError:
            # Who does not answer is dead or cut off, and so are its connections.
            pass
        finally:
            del self._open[name]
        return [client_id in question.held for client_id, _ in wanted]

    def _answered(self, body: Mapping[str, Any]) -> None:
        question = self._open.get(body["question"])
        if question is not None:
            question.held.update(body["held"])
            _count(question, body["worker"])

    def _came(self, worker: str) -> None:
        self._others.add(worker)
        self._arrived.add(worker)

    def _gone(self, worker: str) -> None:
        self._others.discard(worker)
        self._arrived.discard(worker)
        for question in self._open.values():
            _count(question, worker)

    # --- answering ------------------------------------------------------------------------

    def _asked(self, body: Mapping[str, Any]) -> None:
        if body["worker"] == self._worker_id:
            return
        task = asyncio.get_running_loop().create_task(self._look(body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, body: Mapping[str, Any]) -> None:
        clients = [(int(client_id), tag) for client_id, tag in body["clients"]]
        found = await asyncio.gather(*(self._holds(*one, body["worker"]) for one in clients))
        held = [client_id for (client_id, _), holds in zip(clients, found, strict=True) if holds]
        answer = {"question": body["question"], "worker": self._worker_id, "held": held}
        self._bus.publish(ANSWER, answer)

    async def _holds(self, client_id: int, tag: str, asker: str) -> bool:
        assert self._hub is not None, "start comes first"
        mine = self._hub.claiming(client_id)
        if mine is not None and tag == _tag(mine) and self._worker_id < asker:
            # Both claim it in the same moment; the smaller worker id wins on either side.
            return True
        held = self._hub.get(client_id)
        if held is None:
            return False
        # A tag that fits stands for the key itself; any other closes the connection.
        key = None if not tag else held.public_key if tag == _tag(held.public_key) else b""
        return await self._hub.answers(client_id, key)


def _tag(public_key: bytes | None) -> str:
    return "" if public_key is None else public_key[:_KEY_BYTES].hex()


def _count(question: _Question, worker: str) -> None:
    question.missing.discard(worker)
    if not question.missing:
        question.answered.set()
