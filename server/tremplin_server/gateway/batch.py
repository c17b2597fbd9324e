"""Collecting single requests of many connections into one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Run = Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]


class Batcher(Generic[Item, Result]):
    """Runs at most one batch at a time, in the order of submission.

    run: takes the items of a batch and returns a result for each. delay: seconds that
    the first item of a batch waits for others; busy_delay: the same where more came in
    while the batch before was run, because a transaction for few costs most of one for
    many. A batch that fails is run again item by item, so that one bad item fails alone.
    """

    def __init__(
        self,
        run: Run[Item, Result],
        delay: float = 0.005,
        busy_delay: float = 0.1,
        limit: int = 500,
    ) -> None:
        self._run = run
        self._delay = delay
        self._busy_delay = max(delay, busy_delay)
        self._limit = limit
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return the result of `item`, or raise what its run raised."""
        return await self.put(item)

    def put(self, item: Item) -> asyncio.Future[Result]:
        """Queue `item`; the future that is returned need not be awaited."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return future

    async def drain(self) -> None:
        """Return when nothing waits any more."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        delay = self._delay
        try:
            while self._waiting:
                if len(self._waiting) < self._limit:
                    await asyncio.sleep(delay)
                delay = self._busy_delay
                batch = self._waiting[: self._limit]
                del self._waiting[: self._limit]
                await self._settle(batch)
        finally:
            self._task = None

    async def _settle(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._run([item for item, _ in batch])
        except Exception as error:
            if len(batch) > 1:
                for single in batch:
                    await self._settle([single])
            else:
                _fail(batch[0][1], error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _fail(future: asyncio.Future[Result], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
