"""Whose record an enrolment means: every rule as a row of a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.matching import Claim, Known, decide
from tremplin_server.errors import TremplinError
from tremplin_server.installers.models import OnDuplicate

REPLACE, KEEP_BOTH, REFUSE = OnDuplicate.REPLACE, OnDuplicate.KEEP_BOTH, OnDuplicate.REFUSE
HERE, ELSEWHERE = "a" * 64, "b" * 64
CLAIM = Claim("web1", HERE, made_for=None, allow_takeover=False, on_duplicate=REPLACE)
RECORD = Known(7, "web1", HERE, State.OFFLINE, live=False, in_reach=True)
NEW = None


@pytest.mark.parametrize(
    ("claim", "record", "outcome"),
    [
        ({"made_for": "web1"}, {}, 7),
        ({"made_for": "web1", "fingerprint": ELSEWHERE}, {"live": True}, 7),
        ({"allow_takeover": True, "fingerprint": ELSEWHERE}, {"live": True}, 7),
        ({}, {}, 7),
        ({}, {"live": True}, "enrol.not_allowed"),
        ({"fingerprint": ELSEWHERE}, {}, "enrol.not_allowed"),
        ({"fingerprint": ""}, {"fingerprint": ""}, "enrol.not_allowed"),
        ({"made_for": "web1"}, {"in_reach": False}, "enrol.not_allowed"),
        ({"made_for": "web1", "on_duplicate": KEEP_BOTH}, {}, "enrol.duplicate_refused"),
        ({"made_for": "web1", "on_duplicate": REFUSE}, {}, "enrol.duplicate_refused"),
        ({"made_for": "web1", "on_duplicate": REFUSE}, {"state": State.UNINSTALLED}, 7),
        ({"made_for": "web1", "on_duplicate": KEEP_BOTH}, {"state": State.UNINSTALLED}, 7),
        ({"made_for": "web1"}, {"state": State.REMOVING}, 7),
        ({"on_duplicate": REFUSE, "fingerprint": ELSEWHERE}, {}, "enrol.not_allowed"),
    ],
)
def test_declared_key(
    claim: dict[str, object], record: dict[str, object], outcome: int | str
) -> None:
    assert outcome_of(replace(CLAIM, **claim), replace(RECORD, **record), []) == outcome


@pytest.mark.parametrize(
    ("claim", "record", "outcome"),
    [
        ({}, {"external_id": None}, 7),
        ({"external_id": None}, {}, 7),
        ({"external_id": None}, {"external_id": None}, 7),
        ({"external_id": "db1"}, {}, NEW),
        ({}, {"external_id": None, "live": True}, NEW),
        ({}, {"external_id": None, "state": State.REMOVING}, NEW),
        ({}, {"external_id": None, "in_reach": False}, NEW),
        ({"fingerprint": ""}, {"external_id": None, "fingerprint": ""}, NEW),
        ({"account": "ann"}, {"external_id": None, "account": "ann"}, 7),
        ({"account": "ann"}, {"external_id": None, "account": "bob"}, NEW),
        ({"account": "ann"}, {"external_id": None}, 7),
        ({}, {"external_id": None, "account": "bob"}, 7),
        ({"on_duplicate": KEEP_BOTH}, {"external_id": None}, NEW),
        ({"on_duplicate": REFUSE}, {"external_id": None}, "enrol.duplicate_refused"),
        ({"on_duplicate": REFUSE}, {"external_id": None, "live": True}, "enrol.duplicate_refused"),
        ({"on_duplicate": REFUSE}, {"external_id": None, "state": State.UNINSTALLED}, 7),
        ({"on_duplicate": REFUSE, "external_id": "db1"}, {}, NEW),
        ({"on_duplicate": REFUSE}, {"external_id": None, "state": State.REMOVING}, NEW),
    ],
)
def test_fingerprint(
    claim: dict[str, object], record: dict[str, object], outcome: int | str | None
) -> None:
    assert outcome_of(replace(CLAIM, **claim), None, [replace(RECORD, **record)]) == outcome


def test_of_several_records_of_a_machine_the_best_that_is_away_is_taken() -> None:
    live = replace(RECORD, id=1, external_id=None, live=True)
    best = replace(RECORD, id=2, external_id=None)
    worse = replace(RECORD, id=3, external_id=None)
    assert decide(CLAIM, None, [live, best, worse]) == 2


def outcome_of(claim: Claim, by_key: Known | None, by_machine: list[Known]) -> int | str | None:
    try:
        return decide(claim, by_key, by_machine)
    except TremplinError as error:
        return error.code
