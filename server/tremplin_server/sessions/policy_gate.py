"""A Jump Policy at the start of a session, and while it runs: brings the facts to its rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import func, or_, select

from tremplin_server.accounts import service as accounts
from tremplin_server.accounts.models import Totp, User
from tremplin_server.clients.models import ClientCopy, JumpClient
from tremplin_server.db import Work
from tremplin_server.permissions import ActorKind
from tremplin_server.policies import rules
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.policies.reading import rules_of
from tremplin_server.policies.refusal import PolicyRefusal
from tremplin_server.policies.rules import Allowed, Facts, Needs, Rule
from tremplin_server.policies.schedule import zone_named
from tremplin_server.sessions import approvals
from tremplin_server.sessions.grants import Grant
from tremplin_server.sessions.models import Front, JumpSession, SessionState

TIME_UP = "session.time_up"
CLOSED = "session.policy_closed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a technician brings for the policy. code: of the second factor, good once.

    continues: whether this may be one more session of a page that has one already, because
    another worker answers it: the second factor is not asked for again then. proven: whoever
    asks has just taken a code.
    """

    reason: str = ""
    ticket_id: str = ""
    code: str = field(default="", repr=False)
    continues: bool = False
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """The Jump Item that is started. kind: `client` or `shortcut`.

    host: id of the Jump Client where others may be; a copy has an id of its own.
    """

    kind: str
    id: int
    name: str
    host: int | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """What the policy that let a session start says about its end.

    until: None when it says nothing. code: why it ends then. grant: what the session policy
    grants; None where there is none to ask, as in a support session.
    """

    policy_id: int | None = None
    until: datetime | None = None
    code: str = TIME_UP
    grant: Grant | None = None


def admit(work: Work, policy_id: int | None, item: Item, asked: Asked) -> Admission:
    """Return how long a session may last that the policy lets start now.

    Uses up the code of the second factor. Raises PolicyRefusal (jump.policy) and Invalid
    (code). Where nothing but an approval is missing, it is requested.
    """
    policy = work.session.get(JumpPolicy, policy_id) if policy_id is not None else None
    if policy is None:
        return Admission()
    ruled = rules_of(policy, work.config)
    found = facts(work, policy, item, asked)
    if asked.code and ruled.factor and found.has_factor:
        # A code is spent only where it helps: it is good once, and asking again takes a while.
        before = rules.evaluate(ruled, work.now(), replace(found, just_proven=True))
        if isinstance(before, Allowed):
            accounts.prove_again(work, asked.code)
            found = replace(found, just_proven=True)
    verdict = rules.evaluate(ruled, work.now(), found)
    if isinstance(verdict, Needs) and _lacks_approval(verdict):
        reason, ticket = asked.reason, asked.ticket_id.strip()
        made = approvals.request(work, policy, item.kind, item.id, item.name, reason, ticket)
        raise _refusal(policy, verdict, made.id)
    if not isinstance(verdict, Allowed):
        raise _refusal(policy, verdict)
    return Admission(policy.id, verdict.until, CLOSED if verdict.by_schedule else TIME_UP)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a start by the actor would meet with. wanted: what it has to bring, by name.

    refusal: why it would be refused whatever it brings; None when it would not.
    """

    wanted: tuple[str, ...] = ()
    refusal: PolicyRefusal | None = None


def outlook(work: Work, policy_id: int | None, item: Item) -> Outlook:
    """Return what a start by the actor would meet with now, for the form that asks."""
    policy = work.session.get(JumpPolicy, policy_id) if policy_id is not None else None
    if policy is None:
        return Outlook()
    ruled, found = rules_of(policy, work.config), facts(work, policy, item, Asked())
    missing = tuple(rule.value for rule in rules.wanted(ruled, work.now(), found))
    verdict = rules.evaluate(ruled, work.now(), found)
    refusal = _refusal(policy, verdict) if isinstance(verdict, rules.Refused) else None
    return Outlook(missing, refusal)


def of_client(work: Work, place: JumpClient | ClientCopy, host: int) -> Outlook:
    """Return the outlook of a session on a Jump Client. place: itself, or a copy of it."""
    return outlook(work, place.jump_policy_id, Item("client", place.id, place.name, host))


def facts(work: Work, policy: JumpPolicy, item: Item, asked: Asked) -> Facts:
    """Return what is the case for the actor."""
    factor = _factor(work)
    client_id = item.host
    approved = approvals.approved_until(work, policy.id, item.kind, item.id)
    return Facts(
        others=client_id is not None and _others(work, client_id),
        reason=asked.reason,
        ticket_id=asked.ticket_id,
        has_factor=factor is not None,
        factor_at=factor.proved_at if factor is not None else None,
        just_proven=asked.proven
        or (asked.continues and client_id is not None and _goes_on(work, client_id)),
        approved_until=approved if policy.approval_required else None,
    )


def out_of_hours(work: Work, session_ids: Iterable[str]) -> dict[str, str]:
    """Return which of these sessions the strict schedule of their policy ends now.

    A policy may have been changed since they started.
    """
    found = (
        select(JumpSession.id, JumpPolicy)
        .join(JumpPolicy, JumpPolicy.id == JumpSession.jump_policy_id)
        .where(
            JumpSession.id.in_(list(session_ids)),
            JumpSession.state != SessionState.ENDED,
            JumpPolicy.schedule_enabled,
            JumpPolicy.schedule_strict,
        )
    )
    rows = work.session.execute(found).all()
    return {
        session_id: CLOSED
        for session_id, policy in rows
        if rules.must_end(rules_of(policy, work.config), work.now())
    }


def _lacks_approval(verdict: Needs) -> bool:
    """Return whether it is time to ask for an approval: those who decide can read what for."""
    return Rule.APPROVAL in verdict.rules and not {Rule.REASON, Rule.TICKET} & set(verdict.rules)


def _refusal(
    policy: JumpPolicy, verdict: rules.Refused | Needs, approval_id: int | None = None
) -> PolicyRefusal:
    zone = zone_named(policy.timezone) or UTC
    return PolicyRefusal(policy.display_name, verdict, zone, policy.timezone, approval_id)


def _factor(work: Work) -> Totp | None:
    """Return the actor's second factor; None for a program and for who has none."""
    user = work.session.get(User, work.actor.id) if work.actor.kind is ActorKind.USER else None
    return work.session.get(Totp, user.id) if user is not None and user.two_factor_enabled else None


def _goes_on(work: Work, client_id: int) -> bool:
    """Return whether the actor's files of that Jump Client are open."""
    own = select(func.count()).where(
        JumpSession.client_id == client_id,
        JumpSession.state != SessionState.ENDED,
        JumpSession.front == Front.FILES,
        JumpSession.actor_kind == work.actor.kind.value,
        JumpSession.actor_id == work.actor.id,
    )
    return bool(work.session.scalar(own))


def _others(work: Work, client_id: int) -> bool:
    others = select(func.count()).where(
        JumpSession.client_id == client_id,
        JumpSession.state != SessionState.ENDED,
        or_(
            JumpSession.actor_kind != work.actor.kind.value,
            JumpSession.actor_id != work.actor.id,
        ),
    )
    return bool(work.session.scalar(others))
