"""Who may open a connection now: in order, so many at once, and not for ever."""

from __future__ import annotations

import asyncio

from tremplin_server.gateway.turnstile import Turn, Turnstile


class Visitor:
    """Someone at the turnstile."""

    def __init__(self, turnstile: Turnstile) -> None:
        self.began = asyncio.Event()
        self.turn = Turn(self.began.set)
        if turnstile.enter(self.turn):
            self.began.set()


def test_so_many_at_once_and_the_others_in_order() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(2, seconds=60)
        visitors = [Visitor(turnstile) for _ in range(5)]
        assert [v.began.is_set() for v in visitors] == [True, True, False, False, False]
        turnstile.leave(visitors[1].turn)
        await asyncio.sleep(0)
        assert [v.began.is_set() for v in visitors] == [True, True, True, False, False]
        late = Visitor(turnstile)
        turnstile.leave(visitors[3].turn)
        turnstile.leave(visitors[0].turn)
        turnstile.leave(visitors[0].turn)
        await asyncio.sleep(0)
        assert [v.began.is_set() for v in visitors] == [True, True, True, False, True]
        assert not late.began.is_set()

    asyncio.run(scenario())


def test_who_stands_still_does_not_hold_up_the_others() -> None:
    async def scenario() -> None:
        turnstile = Turnstile(2, seconds=0.02)
        visitors = [Visitor(turnstile) for _ in range(5)]
        async with asyncio.timeout(5):
            await visitors[4].began.wait()

    asyncio.run(scenario())
