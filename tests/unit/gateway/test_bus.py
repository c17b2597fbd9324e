"""What every bus does: sizes, listeners, and the form of what travels."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from tremplin_server.gateway.bus import MAX_NOTICE, LocalBus, pack
from tremplin_server.gateway.postgres_bus import _payload, conninfo


def test_a_notice_that_carries_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        pack("t", {"x": "y" * MAX_NOTICE})
    with pytest.raises(ValueError, match="too large"):
        LocalBus().publish("t", {"x": "y" * MAX_NOTICE})


def test_listeners_hear_their_topic_from_any_thread_in_order() -> None:
    heard: list[Mapping[str, Any]] = []

    async def scenario() -> None:
        bus, last = LocalBus(), asyncio.Event()
        bus.subscribe("a", heard.append)
        bus.subscribe("b", lambda _: last.set())
        await bus.start()

        def publish() -> None:
            for number in range(100):
                bus.publish("a", {"n": number})
            bus.publish("b", {})

        threading.Thread(target=publish).start()
        await asyncio.wait_for(last.wait(), 5)
        await bus.stop()
        bus.publish("a", {"n": -1})

    asyncio.run(scenario())
    assert [body["n"] for body in heard] == list(range(100))


def test_a_listener_that_fails_does_not_keep_the_others_from_hearing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    heard: list[str] = []

    def fail(_body: Mapping[str, Any]) -> None:
        raise RuntimeError("broken listener")

    bus = LocalBus()
    bus.subscribe("a", fail)
    bus.subscribe("a", lambda _: heard.append("yes"))
    bus.deliver("a", {})
    assert heard == ["yes"]


def test_many_notices_travel_together_and_stay_below_the_databases_limit() -> None:
    queue = deque(pack("client.changed", {"client_id": n, "state": "online"}) for n in range(500))
    total = 0
    while queue:
        payload, count = _payload("origin", queue)
        assert len(payload) < 8000
        origin, *notices = json.loads(payload)
        assert (origin, len(notices)) == ("origin", count)
        for _ in range(count):
            queue.popleft()
        total += count
    assert total == 500


def test_the_largest_notice_travels_alone() -> None:
    largest = pack("t", {"x": "y" * (MAX_NOTICE - 14)})
    payload, count = _payload("0" * 16, deque([largest, largest]))
    assert count == 1
    assert len(payload) < 8000


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql+psycopg://u:p%40@h:5433/d", "postgresql://u:p%40@h:5433/d"),
        ("postgresql://u@/d?host=/run/pg", "postgresql://u@/d?host=/run/pg"),
    ],
)
def test_the_drivers_own_form_of_an_address(url: str, expected: str) -> None:
    assert conninfo(url).replace("%2F", "/") == expected
