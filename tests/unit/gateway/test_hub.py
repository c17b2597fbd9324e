"""At most one connection per identity, and the live one stays."""

from __future__ import annotations

import asyncio

import pytest
from tremplin_server.errors import TremplinError
from tremplin_server.gateway.hub import Alone, Hub


class Connection:
    """One that says what the test wants when it is asked."""

    def __init__(
        self, public_key: bytes = b"key", *, alive: bool = True, client_id: int = 1
    ) -> None:
        self.client_id = client_id
        self.public_key = public_key
        self.alive = alive
        self.told: list[str] = []

    async def answers(self, seconds: float) -> bool:
        await asyncio.sleep(0)
        return self.alive

    def refuse(self, error: TremplinError) -> None:
        self.told.append(error.code)

    def abort(self) -> None:
        self.told.append("aborted")


class Elsewhere:
    """Another worker that holds these clients."""

    def __init__(self, *held: int) -> None:
        self.held = held

    async def hold(self, client_id: int, public_key: bytes | None) -> bool:
        return client_id in self.held


def test_a_live_original_stays_and_the_copy_is_refused() -> None:
    async def scenario() -> None:
        hub, original = Hub(Alone()), Connection()
        await hub.claim(original)
        with pytest.raises(TremplinError) as caught:
            await hub.claim(Connection())
        assert caught.value.code == "enrol.clone"
        assert hub.get(1) is original
        assert original.told == []

    asyncio.run(scenario())


def test_a_dead_original_makes_room_and_its_late_end_changes_nothing() -> None:
    async def scenario() -> None:
        hub, dead, new = Hub(Alone()), Connection(alive=False), Connection()
        await hub.claim(dead)
        await hub.claim(new)
        assert dead.told == ["aborted"]
        assert not hub.leave(dead)
        assert hub.get(1) is new
        assert hub.leave(new)
        assert len(hub) == 0

    asyncio.run(scenario())


def test_a_replaced_key_is_told_so_even_if_it_lives() -> None:
    async def scenario() -> None:
        hub, old, new = Hub(Alone()), Connection(b"old"), Connection(b"new")
        await hub.claim(old)
        await hub.claim(new)
        assert old.told == ["enrol.key_replaced"]
        assert hub.get(1) is new

    asyncio.run(scenario())


def test_of_two_that_come_in_the_same_moment_one_gets_in() -> None:
    async def scenario() -> None:
        hub = Hub(Alone())
        results = await asyncio.gather(
            *(hub.claim(Connection()) for _ in range(3)), return_exceptions=True
        )
        assert [getattr(r, "code", None) for r in results] == [None, "enrol.clone", "enrol.clone"]
        assert hub.claiming(1) is None

    asyncio.run(scenario())


def test_a_client_that_another_worker_holds_is_refused_here() -> None:
    async def scenario() -> None:
        hub = Hub(Elsewhere(1))
        with pytest.raises(TremplinError):
            await hub.claim(Connection())
        assert hub.get(1) is None
        await hub.claim(Connection(client_id=2))

    asyncio.run(scenario())


def test_who_is_live_anywhere() -> None:
    async def scenario() -> None:
        hub = Hub(Elsewhere(3))
        await hub.claim(Connection(client_id=1))
        await hub.claim(Connection(client_id=2, alive=False))
        assert await hub.live([1, 2, 3, 4]) == {1, 3}

    asyncio.run(scenario())
