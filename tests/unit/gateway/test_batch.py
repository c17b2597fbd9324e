"""Batches: together, in order, and one bad item fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tremplin_server.gateway.batch import Batcher


def test_requests_that_come_together_run_together() -> None:
    batches: list[list[int]] = []

    async def double(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return [item * 2 for item in items]

    async def scenario() -> None:
        batcher = Batcher(double, delay=0.001, limit=4)
        results = await asyncio.gather(*(batcher.submit(n) for n in range(10)))
        assert results == [n * 2 for n in range(10)]
        assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert await batcher.submit(21) == 42

    asyncio.run(scenario())


def test_one_bad_item_fails_alone() -> None:
    async def inverse(items: Sequence[int]) -> list[float]:
        return [1 / item for item in items]

    async def scenario() -> None:
        batcher = Batcher(inverse, delay=0)
        good, bad, other = (batcher.put(n) for n in (2, 0, 4))
        assert await good == 0.5
        assert await other == 0.25
        with pytest.raises(ZeroDivisionError):
            await bad

    asyncio.run(scenario())


def test_a_batch_starts_when_the_one_before_has_ended_and_drain_waits_for_all() -> None:
    running = 0
    done: list[int] = []

    async def slow(items: Sequence[int]) -> list[None]:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        done.extend(items)
        return [None] * len(items)

    async def scenario() -> None:
        batcher = Batcher(slow, delay=0, limit=2)
        for n in range(7):
            batcher.put(n)
        await batcher.drain()
        assert done == list(range(7))

    asyncio.run(scenario())


def test_who_does_not_wait_any_more_does_not_disturb_the_others() -> None:
    async def same(items: Sequence[int]) -> Sequence[int]:
        return items

    async def scenario() -> None:
        batcher = Batcher(same, delay=0)
        first, second = batcher.put(1), batcher.put(2)
        first.cancel()
        assert await second == 2

    asyncio.run(scenario())
