"""What a Jump Policy says to a start: every rule, and which comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tremplin_server.policies.refusal import PolicyRefusal
from tremplin_server.policies.rules import (
    Allowed,
    Facts,
    Needs,
    Refused,
    Rule,
    Rules,
    evaluate,
    must_end,
)
from tremplin_server.policies.schedule import Entry, Schedule, zone_named

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
"""A Monday."""
OPEN = Schedule((Entry(8 * 60, 18 * 60),), UTC)
CLOSED = Schedule((Entry(10 * 60, 18 * 60),), UTC)
FACTOR = Rules(factor=True, factor_minutes=10)
HAS = Facts(has_factor=True)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("rules", "facts", "verdict"),
    [
        (Rules(), Facts(others=True), Allowed()),
        (Rules(schedule=OPEN), Facts(), Allowed()),
        (Rules(schedule=CLOSED), Facts(), Refused(Rule.SCHEDULE, NOW + timedelta(hours=1))),
        (Rules(schedule=Schedule((), UTC)), Facts(), Refused(Rule.SCHEDULE)),
        (Rules(alone=True), Facts(), Allowed()),
        (Rules(alone=True), Facts(others=True), Refused(Rule.SIMULTANEOUS)),
        (Rules(reason=True), Facts(reason=" "), Needs((Rule.REASON,))),
        (Rules(reason=True), Facts(reason="why"), Allowed()),
        (Rules(ticket=True), Facts(), Needs((Rule.TICKET,))),
        (Rules(ticket=True), Facts(ticket_id="INC-7"), Allowed()),
        (FACTOR, Facts(), Refused(Rule.FACTOR)),
        (FACTOR, HAS, Needs((Rule.FACTOR,))),
        (FACTOR, replace(HAS, factor_at=ago(9.9)), Allowed()),
        (FACTOR, replace(HAS, factor_at=ago(10)), Needs((Rule.FACTOR,))),
        (Rules(factor=True), replace(HAS, factor_at=NOW), Needs((Rule.FACTOR,))),
        (Rules(factor=True), replace(HAS, just_proven=True), Allowed()),
        (Rules(approval=True), Facts(approved_until=NOW), Needs((Rule.APPROVAL,))),
        (Rules(approval=True), Facts(approved_until=NOW + timedelta(seconds=1)), Allowed()),
        (
            Rules(reason=True, ticket=True, factor=True, approval=True),
            HAS,
            Needs((Rule.REASON, Rule.TICKET, Rule.FACTOR, Rule.APPROVAL)),
        ),
        (
            Rules(schedule=CLOSED, alone=True, ticket=True),
            Facts(others=True),
            Refused(Rule.SCHEDULE, NOW + timedelta(hours=1)),
        ),
    ],
)
def test_verdicts(rules: Rules, facts: Facts, verdict: object) -> None:
    assert evaluate(rules, NOW, facts) == verdict


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        (Rules(schedule=OPEN, strict=True), Allowed(NOW.replace(hour=18), by_schedule=True)),
        (Rules(max_minutes=30), Allowed(NOW + timedelta(minutes=30))),
        (
            Rules(schedule=OPEN, strict=True, max_minutes=30),
            Allowed(NOW + timedelta(minutes=30)),
        ),
        (
            Rules(schedule=OPEN, strict=True, max_minutes=6000),
            Allowed(NOW.replace(hour=18), by_schedule=True),
        ),
        (Rules(schedule=OPEN, max_minutes=6000), Allowed(NOW + timedelta(minutes=6000))),
        (Rules(schedule=Schedule((Entry(0, 0),), UTC), strict=True), Allowed()),
    ],
)
def test_when_the_policy_ends_a_session(rules: Rules, allowed: Allowed) -> None:
    assert evaluate(rules, NOW, Facts()) == allowed


def test_only_a_strict_schedule_ends_what_runs() -> None:
    assert must_end(Rules(schedule=CLOSED, strict=True), NOW)
    assert not must_end(Rules(schedule=CLOSED), NOW)
    assert not must_end(Rules(schedule=OPEN, strict=True), NOW)
    assert not must_end(Rules(strict=True), NOW)


flags = st.booleans()


@given(
    st.builds(Rules, alone=flags, reason=flags, ticket=flags, factor=flags, approval=flags),
    st.builds(Facts, others=flags, reason=st.sampled_from(["", "x"]), has_factor=flags),
)
def test_more_facts_never_close_what_was_open(rules: Rules, facts: Facts) -> None:
    """Whoever brings everything gets in, unless a rule refuses that nobody can meet."""
    verdict = evaluate(rules, NOW, facts)
    everything = replace(
        facts, reason="x", ticket_id="x", just_proven=True, approved_until=NOW + timedelta(hours=1)
    )
    best = evaluate(rules, NOW, everything)
    if isinstance(verdict, Refused):
        assert best == verdict
    else:
        assert isinstance(best, Allowed)


def test_a_refusal_says_which_rule_and_when_it_opens_in_the_readers_language() -> None:
    zone = zone_named("Europe/Paris")
    assert zone is not None
    closed = PolicyRefusal("Nights", Refused(Rule.SCHEDULE, NOW), zone, "Europe/Paris")
    assert "Nights" in closed.text("en-us")
    assert "Monday 30 November 2026, 10:00 (Europe/Paris)" in closed.text("en")
    assert "lundi 30 novembre 2026, 10:00 (Europe/Paris)" in closed.text("fr")
    assert closed.details() == {
        "rule": "schedule", "policy": "Nights", "opens_at": "2026-11-30T09:00:00+00:00",
    }  # fmt: skip
    needs = PolicyRefusal("Nights", Needs((Rule.TICKET, Rule.FACTOR)), zone)
    assert needs.details()["needs"] == ["ticket", "factor"]
    assert "un numéro de ticket, un code" in needs.text("fr")
    for rule in (Rule.SIMULTANEOUS, Rule.FACTOR, Rule.SCHEDULE):
        refusal = PolicyRefusal("Nights", Refused(rule), zone)
        assert refusal.text("en") != refusal.text("fr")
        assert refusal.details()["rule"] == rule.value
