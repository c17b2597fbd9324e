"""The Jump Groups beside the list: mine, the shared ones, those of other people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select

from tremplin_server.accounts.models import User
from tremplin_server.db import Work
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.groups.pages import parse
from tremplin_server.jump_items.listing import SOURCES
from tremplin_server.permissions import ActorKind, Permission


@dataclass(frozen=True, slots=True)
class Group:
    """A group with how many Jump Items the actor sees in it. value: as forms name it."""

    value: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Tree:
    """All groups. people: personal groups of others that hold something, for who sees them."""

    total: int
    mine: Group | None
    shared: list[Group]
    people: list[Group]


def tree(work: Work) -> Tree:
    """Return the groups that the actor sees, with counts."""
    counts = _counts(work)
    named = work.session.execute(
        groups.query(work).with_only_columns(JumpGroup.id, JumpGroup.name).order_by(None)
    )
    shared = [Group(f"shared:{key}", name, counts[f"shared:{key}"]) for key, name in named]
    mine = None
    if work.actor.kind is ActorKind.USER:
        value = f"personal:{work.actor.id}"
        mine = Group(value, "", counts[value])
    return Tree(
        counts.total(),
        mine,
        sorted(shared, key=lambda group: group.name.lower()),
        _people(work, counts),
    )


def _counts(work: Work) -> Counter[str]:
    counts: Counter[str] = Counter()
    for source in SOURCES:
        for shared, owner, count in work.session.execute(source.groups(work)):
            counts[f"shared:{shared}" if shared is not None else f"personal:{owner}"] += count
    return counts


def _people(work: Work, counts: Counter[str]) -> list[Group]:
    if not work.actor.may(Permission.SEE_ALL_GROUPS):
        return []
    ids = [int(value.split(":")[1]) for value in counts if value.startswith("personal:")]
    others = [number for number in ids if number != work.actor.id]
    if not others:
        return []
    query = select(User.id, User.public_display_name).where(User.id.in_(others))
    made = [
        Group(f"personal:{key}", name, counts[f"personal:{key}"])
        for key, name in work.session.execute(query)
    ]
    return sorted(made, key=lambda group: group.name.lower())


def tags(work: Work, value: str) -> list[tuple[str, int]]:
    """Return the tags of a group with their counts, by name. value: as forms name the group."""
    group = parse(value)
    if group is None:
        return []
    counts: Counter[str] = Counter()
    for source in SOURCES:
        for tag, count in work.session.execute(source.tags(work, group)):
            counts[tag] += count
    return sorted(counts.items(), key=lambda pair: pair[0].lower())


def group_name(work: Work, value: str) -> str:
    """Return the name of a group that the actor sees; empty for none. value: as forms have it."""
    group = parse(value)
    if group is None:
        return ""
    kind, number = group
    if kind == "personal":
        user = work.session.get(User, number)
        seen = number == work.actor.id or work.actor.may(Permission.SEE_ALL_GROUPS)
        return user.public_display_name if user is not None and seen else ""
    found = groups.query(work).where(JumpGroup.id == number)
    shared = work.session.scalar(found)
    return shared.name if shared is not None else ""
