"""The rules of the life cycle that are more than their table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from tremplin_server.clients.lifecycle import (
    Event,
    State,
    after,
    is_expired,
    is_lost,
    offline_limit_minutes,
)
from tremplin_server.errors import Conflict

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_host_has_the_last_word_in_every_state() -> None:
    for state in State:
        assert after(state, Event.HOST_UNINSTALLED) is State.UNINSTALLED


def test_nobody_is_left_to_obey_an_uninstalled_record() -> None:
    with pytest.raises(Conflict) as refused:
        after(State.UNINSTALLED, Event.UNINSTALL_ORDERED)
    assert refused.value.code == "client.uninstalled"


def test_connecting_and_disconnecting_are_possible_in_every_state() -> None:
    for state, event in product(State, (Event.CONNECTED, Event.DISCONNECTED)):
        after(state, event)


def test_removing_ends_only_with_the_host_or_a_new_enrolment() -> None:
    ends = {e for e in Event if after(State.REMOVING, e) is not State.REMOVING}
    assert ends == {Event.HOST_UNINSTALLED, Event.REENROLLED}


def test_plain_texts_of_the_database_are_states_too() -> None:
    assert is_lost("offline", NOW - timedelta(days=16), NOW, 15)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "ephemeral", "pinned", "limit"),
    [
        (0, False, False, 180 * 1440),
        (60, False, False, 60),
        (0, True, False, 5),
        (60, True, False, 5),
        (3, True, False, 3),
        (60, True, True, 0),
    ],
)
def test_offline_limit(minutes: int, ephemeral: bool, pinned: bool, limit: int) -> None:
    assert (
        offline_limit_minutes(
            180, max_offline_minutes=minutes, ephemeral=ephemeral, pinned_forever=pinned
        )
        == limit
    )


def test_a_limit_of_zero_never_expires() -> None:
    assert not is_expired(NOW - timedelta(days=9999), NOW, 0)
    assert is_expired(NOW - timedelta(minutes=6), NOW, 5)
    assert not is_expired(NOW - timedelta(minutes=5), NOW, 5)
