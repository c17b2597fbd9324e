"""What somebody may do in the end, and why: a pure function of own settings and policies.

What is the user's own comes first. Then the policies apply by priority: each that says something
replaces what was said before it, unless a policy before it said it *finally*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

V = TypeVar("V")


class Source(StrEnum):
    """Where something that somebody may or has comes from."""

    SITE_ROLE = "site_role"
    MEMBERSHIP = "membership"
    GROUP_POLICY = "group_policy"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: the source and, of a group policy, its id and name. final: nothing may replace it."""

    source: Source
    id: int = 0
    name: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Held(Generic[V]):
    """A value and why it is that one. replaced: what was said before and does not count."""

    value: V
    reason: Reason
    replaced: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting(Generic[V]):
    """What a policy says of one thing."""

    value: V
    final: bool = False


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """A group policy, as far as it counts. groups: Jump Group → role, None for the default."""

    id: int
    name: str
    permissions: Mapping[str, Setting[bool]] = field(default_factory=dict)
    session_policy: Setting[int | None] | None = None
    groups: Mapping[int, Setting[int | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effective:
    """All that somebody has. groups: Jump Groups he is in, with his role in each."""

    permissions: Mapping[str, Held[bool]]
    groups: Mapping[int, Held[int | None]]
    session_policy: Held[int | None]


def effective(
    site_role: str,
    own_permissions: Mapping[str, bool],
    own_groups: Mapping[int, int | None],
    policies: Sequence[PolicyFacts],
) -> Effective:
    """Return what a user has. policies: those he is a member of, by priority.

    own_permissions: every permission there is → whether the role on the site has it; policies
    say nothing of others. own_groups: his memberships.
    """
    by_role = Reason(Source.SITE_ROLE, name=site_role)
    permissions = {
        name: _folded(Held(own, by_role), ((p, p.permissions.get(name)) for p in policies))
        for name, own in own_permissions.items()
    }
    groups: dict[int, Held[int | None]] = {}
    for number in sorted({*own_groups, *(one for p in policies for one in p.groups)}):
        said = [(p, p.groups.get(number)) for p in policies]
        if number in own_groups:
            first: Held[int | None] = Held(own_groups[number], Reason(Source.MEMBERSHIP))
        else:
            first = Held(None, Reason(Source.NOTHING))
        groups[number] = _folded(first, said)
    none: Held[int | None] = Held(None, Reason(Source.NOTHING))
    return Effective(permissions, groups, _folded(none, ((p, p.session_policy) for p in policies)))


def _folded(first: Held[V], said: Iterable[tuple[PolicyFacts, Setting[V] | None]]) -> Held[V]:
    held = first
    for policy, setting in said:
        if setting is None:
            continue
        reason = Reason(Source.GROUP_POLICY, policy.id, policy.name, setting.final)
        if held.reason.final:
            held = Held(held.value, held.reason, (*held.replaced, reason))
        else:
            before = () if held.reason.source is Source.NOTHING else (held.reason,)
            held = Held(setting.value, reason, (*held.replaced, *before))
    return held
