"""When an agent has been alone for too long, and when only its clock says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_agent.core.lifecycle import PATIENCE_SECONDS, Solitude

NOW = 1_800_000_000.0
DAY = 86_400.0
HALF_YEAR = 180 * 24 * 60
"""Minutes."""


@pytest.mark.parametrize(
    ("limit_minutes", "away_seconds", "tried_seconds", "gone"),
    [
        (HALF_YEAR, 60, 60, False),
        (HALF_YEAR, 179 * DAY, 179 * DAY, False),
        (HALF_YEAR, 180 * DAY, 180 * DAY, True),
        (HALF_YEAR, 200 * DAY, 0, False),  # switched on after half a year: it tries first
        (HALF_YEAR, 200 * DAY, PATIENCE_SECONDS - 1, False),
        (HALF_YEAR, 200 * DAY, PATIENCE_SECONDS, True),
        (HALF_YEAR, -30 * 365 * DAY, 60, False),  # the clock says 1970
        (HALF_YEAR, -30 * 365 * DAY, 180 * DAY, True),
        (5, 299, 299, False),
        (5, 300, 300, True),
        (5, DAY, 299, False),
        (5, DAY, 300, True),
        (0, 10_000 * DAY, 10_000 * DAY, False),
    ],
)
def test_limit(limit_minutes: int, away_seconds: float, tried_seconds: float, gone: bool) -> None:
    solitude = Solitude(last_contact=NOW - away_seconds, tried=tried_seconds)
    assert solitude.exceeds(limit_minutes, NOW) is gone


@given(
    st.integers(1, 10**6), st.floats(-1e10, 1e10), st.floats(0, PATIENCE_SECONDS, exclude_max=True)
)
def test_no_clock_removes_an_agent_that_has_not_tried(
    limit_minutes: int, last_contact: float, tried: float
) -> None:
    if tried < limit_minutes * 60:
        assert not Solitude(last_contact, tried).exceeds(limit_minutes, NOW)
