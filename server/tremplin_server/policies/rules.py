"""What a Jump Policy says to the start of a session: one pure function.

    evaluate(rules, now, facts) ──▶ Allowed(until) | Refused(rule, opens_at) | Needs(…)

Nothing is looked up here: whoever asks brings the moment and the facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tremplin_server.policies.schedule import Schedule

WARN_SECONDS = 300
"""How long before the end that a policy sets the technician is warned, at most."""


class Rule(StrEnum):
    """A rule of a policy, by which a start may be refused or wait."""

    SCHEDULE = "schedule"
    SIMULTANEOUS = "simultaneous"
    REASON = "reason"
    TICKET = "ticket"
    FACTOR = "factor"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True)
class Rules:
    """A Jump Policy. schedule: None is any time. strict: its end ends sessions.

    alone: nobody else may be in a session there. factor_minutes: how old the proof of the
    second factor may be; 0 wants a new one for every start. max_minutes: of a session; 0
    for no limit of the policy's.
    """

    schedule: Schedule | None = None
    strict: bool = False
    alone: bool = False
    reason: bool = False
    ticket: bool = False
    factor: bool = False
    factor_minutes: int = 0
    approval: bool = False
    max_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the case at a start. others: whether somebody else is in a session there.

    has_factor: whether the technician has a second factor at all. factor_at: when it was
    last proven; just_proven: with this very start. approved_until: how long an approval for
    this technician and Jump Client is valid, if there is one.
    """

    others: bool = False
    reason: str = ""
    ticket_id: str = ""
    has_factor: bool = False
    factor_at: datetime | None = None
    just_proven: bool = False
    approved_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The session may start. until: when the policy ends it; None for not at all.

    by_schedule: whether that is the end of the schedule's opening.
    """

    until: datetime | None = None
    by_schedule: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The session may not start. opens_at: of the schedule, when it opens again."""

    rule: Rule
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """The session may start once the technician brings these; in the order of asking."""

    rules: tuple[Rule, ...]


Verdict = Allowed | Refused | Needs


def evaluate(rules: Rules, now: datetime, facts: Facts) -> Verdict:
    """Return what the policy says to a start at `now`."""
    if rules.schedule is not None and not rules.schedule.is_open(now):
        return Refused(Rule.SCHEDULE, rules.schedule.opens_at(now))
    if rules.alone and facts.others:
        return Refused(Rule.SIMULTANEOUS)
    if rules.factor and not facts.has_factor:
        return Refused(Rule.FACTOR)
    missing = tuple(rule for rule in Rule if _is_missing(rule, rules, now, facts))
    return Needs(missing) if missing else _allowed(rules, now)


def must_end(rules: Rules, now: datetime) -> bool:
    """Return whether running sessions must end: the schedule is strict and closed."""
    schedule = rules.schedule
    return rules.strict and schedule is not None and not schedule.is_open(now)


def wanted(rules: Rules, now: datetime, facts: Facts) -> tuple[Rule, ...]:
    """Return what a start at `now` has to bring, whatever else forbids it: for its form."""
    return tuple(rule for rule in Rule if _is_missing(rule, rules, now, facts))


def _is_missing(rule: Rule, rules: Rules, now: datetime, facts: Facts) -> bool:
    if rule is Rule.REASON:
        return rules.reason and not facts.reason.strip()
    if rule is Rule.TICKET:
        return rules.ticket and not facts.ticket_id.strip()
    if rule is Rule.FACTOR:
        return rules.factor and not _is_fresh(rules, now, facts)
    if rule is Rule.APPROVAL:
        return rules.approval and (facts.approved_until is None or facts.approved_until <= now)
    return False


def _is_fresh(rules: Rules, now: datetime, facts: Facts) -> bool:
    if facts.just_proven:
        return True
    age = now - facts.factor_at if facts.factor_at is not None else None
    return age is not None and age < timedelta(minutes=rules.factor_minutes)


def _allowed(rules: Rules, now: datetime) -> Allowed:
    longest = now + timedelta(minutes=rules.max_minutes) if rules.max_minutes else None
    closes = rules.schedule.closes_at(now) if rules.schedule is not None and rules.strict else None
    if closes is not None and (longest is None or closes <= longest):
        return Allowed(closes, by_schedule=True)
    return Allowed(longest)
