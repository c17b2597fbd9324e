"""The token bucket."""

from __future__ import annotations

from tremplin_server.gateway.limits import TokenBucket


def test_a_burst_of_a_second_and_then_the_rate() -> None:
    bucket = TokenBucket(5, now=100.0)
    assert [bucket.take(100.0) for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    assert bucket.take(100.2) == 0
    assert bucket.take(100.2) > 0


def test_those_who_wait_are_spread_over_the_next_seconds() -> None:
    bucket = TokenBucket(2, now=0.0)
    waits = [bucket.take(0.0) for _ in range(8)]
    assert waits == [0, 0, 1, 1, 2, 2, 3, 3]


def test_nothing_is_saved_up_beyond_a_second_nor_lost_when_time_goes_back() -> None:
    bucket = TokenBucket(2, now=0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [0, 0, 1]
    assert bucket.take(999.0) > 0
