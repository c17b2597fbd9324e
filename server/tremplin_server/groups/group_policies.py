"""Group policies as administrators handle them: look up, add, change, order, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select

from tremplin_server.accounts.models import User
from tremplin_server.audit import service as audit
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Invalid, NotFound
from tremplin_server.group_policies.models import (
    GroupPolicy,
    GroupPolicyGroup,
    GroupPolicyMember,
)
from tremplin_server.group_policies.reading import GRANTABLE
from tremplin_server.groups.models import JumpGroup, JumpItemRole
from tremplin_server.permissions import Permission, Role
from tremplin_server.policies import service as policies

COLUMNS = ("name", "description", "permissions", "session_policy_id", "session_policy_final")
LISTS = ("user_ids", "site_roles", "jump_groups")


@dataclass(frozen=True, slots=True)
class Whole:
    """A policy with its lists, as the API and the page have it."""

    id: int
    name: str
    description: str
    priority: int
    permissions: dict[str, Any]
    session_policy_id: int | None
    session_policy_final: bool
    user_ids: list[int]
    site_roles: list[str]
    jump_groups: list[dict[str, Any]]


def query(work: Work, *, name: str | None = None) -> Select[GroupPolicy]:
    """Return the policies by priority; needs accounts.read."""
    work.actor.require(Permission.ACCOUNTS_READ)
    found = select(GroupPolicy).order_by(GroupPolicy.priority, GroupPolicy.id)
    return found if name is None else found.where(same_text(GroupPolicy.name, name))


def get(work: Work, policy_id: int) -> GroupPolicy:
    """Return a policy; NotFound when there is none. Needs accounts.read."""
    found = work.session.scalar(query(work).where(GroupPolicy.id == policy_id))
    if found is None:
        raise NotFound("request.not_found", what="group policy", id=policy_id)
    return found


def whole(work: Work, policy: GroupPolicy) -> Whole:
    """Return a policy with its lists."""
    members = work.session.scalars(
        select(GroupPolicyMember)
        .where(GroupPolicyMember.policy_id == policy.id)
        .order_by(GroupPolicyMember.id)
    ).all()
    places = work.session.scalars(
        select(GroupPolicyGroup)
        .where(GroupPolicyGroup.policy_id == policy.id)
        .order_by(GroupPolicyGroup.jump_group_id)
    )
    return Whole(
        id=policy.id,
        priority=policy.priority,
        **{name: getattr(policy, name) for name in COLUMNS},
        user_ids=[one.user_id for one in members if one.user_id is not None],
        site_roles=[one.site_role for one in members if one.site_role is not None],
        jump_groups=[
            {
                "jump_group_id": one.jump_group_id,
                "jump_item_role_id": one.jump_item_role_id,
                "final": one.final,
            }
            for one in places
        ],
    )


def create(work: Work, values: Mapping[str, Any]) -> GroupPolicy:
    """Add a policy, the last one unless `priority` says otherwise; needs accounts.write.

    values: COLUMNS, LISTS and `priority`. Raises Conflict (group_policy.exists) and Invalid.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    _check(work, values)
    _require_free(work, values["name"])
    columns = {k: v for k, v in values.items() if k in COLUMNS}
    made = GroupPolicy(**{"permissions": {}, **columns}, priority=1_000_000)
    work.session.add(made)
    work.session.flush()
    _write_lists(work, made, values)
    _order(work, made, values.get("priority"))
    audit.record(work, "group_policy.created", "group_policy", made.id, made.name, **_told(values))
    return made


def update(work: Work, policy_id: int, changes: Mapping[str, Any]) -> GroupPolicy:
    """Change a policy, for all its members, at once; a list replaces the one that was.

    Needs accounts.write. Raises Conflict (group_policy.exists) and Invalid.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    policy = get(work, policy_id)
    _check(work, changes)
    before = whole(work, policy)
    changed = {k: v for k, v in changes.items() if getattr(before, k) != v}
    if "name" in changed:
        _require_free(work, changed["name"], but=policy.id)
    for name in COLUMNS:
        if name in changed:
            setattr(policy, name, changed[name])
    _write_lists(work, policy, changed)
    if "priority" in changed:
        _order(work, policy, changed["priority"])
    if changed:
        work.session.flush()
        audit.record(
            work, "group_policy.changed", "group_policy", policy.id, policy.name, **_told(changed)
        )
    return policy


def remove(work: Work, policy_id: int) -> None:
    """Delete a policy: its members lose what it gave them. Needs accounts.write."""
    work.actor.require(Permission.ACCOUNTS_WRITE)
    policy = get(work, policy_id)
    gave = _told(_as_dict(work, policy))
    audit.record(work, "group_policy.deleted", "group_policy", policy.id, policy.name, **gave)
    work.session.delete(policy)
    work.session.flush()
    _order(work, None, None)


def _as_dict(work: Work, policy: GroupPolicy) -> dict[str, Any]:
    full = whole(work, policy)
    return {name: getattr(full, name) for name in (*COLUMNS, *LISTS)}


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit log says of values; the name stands in its own column."""
    return {k: v for k, v in values.items() if k != "name"}


def _order(work: Work, moved: GroupPolicy | None, wanted: int | None) -> None:
    """Count priorities from 1 without a gap, with `moved` at place `wanted` (None: the end)."""
    by_priority = select(GroupPolicy).order_by(GroupPolicy.priority, GroupPolicy.id)
    rows = [row for row in work.session.scalars(by_priority) if row is not moved]
    if moved is not None:
        rows.insert(len(rows) if wanted is None else wanted - 1, moved)
    for number, row in enumerate(rows, 1):
        row.priority = number
    work.session.flush()


def _write_lists(work: Work, policy: GroupPolicy, values: Mapping[str, Any]) -> None:
    member = GroupPolicyMember
    if "user_ids" in values:
        old = member.policy_id == policy.id, member.user_id.is_not(None)
        work.session.execute(delete(member).where(*old))
        for number in dict.fromkeys(values["user_ids"]):
            work.session.add(member(policy_id=policy.id, user_id=number))
    if "site_roles" in values:
        old = member.policy_id == policy.id, member.site_role.is_not(None)
        work.session.execute(delete(member).where(*old))
        for role in dict.fromkeys(values["site_roles"]):
            work.session.add(member(policy_id=policy.id, site_role=role))
    if "jump_groups" in values:
        place = GroupPolicyGroup
        work.session.execute(delete(place).where(place.policy_id == policy.id))
        work.session.expire_all()
        for one in values["jump_groups"]:
            work.session.add(place(policy_id=policy.id, **one))
    work.session.flush()


def _check(work: Work, values: Mapping[str, Any]) -> None:
    wrong: dict[str, list[str]] = {}
    known = {permission.value for permission in GRANTABLE}
    if values.get("permissions", {}).keys() - known:
        wrong["permissions"] = [f"Must be one or more of: {', '.join(sorted(known))}."]
    if _unknown(work, User, values.get("user_ids", ())):
        wrong["user_ids"] = ["There is no such user."]
    roles = {role.value for role in Role}
    if set(values.get("site_roles", ())) - roles:
        wrong["site_roles"] = [f"Must be one or more of: {', '.join(sorted(roles))}."]
    places = values.get("jump_groups", ())
    numbers = [one["jump_group_id"] for one in places]
    if _unknown(work, JumpGroup, numbers) or len(set(numbers)) < len(numbers):
        wrong["jump_groups"] = ["There is no such Jump Group."]
    if _unknown(work, JumpItemRole, [n for one in places if (n := one["jump_item_role_id"])]):
        wrong["jump_groups"] = ["There is no such Jump Item Role."]
    if wrong:
        raise Invalid(wrong)
    if values.get("session_policy_id") is not None:
        policies.session_policy(work, values["session_policy_id"], field="session_policy_id")


def _unknown(work: Work, model: Any, ids: Any) -> bool:
    wanted = set(ids)
    known = set(work.session.scalars(select(model.id).where(model.id.in_(wanted))))
    return bool(wanted - known)


def _require_free(work: Work, name: str, but: int = 0) -> None:
    taken = select(GroupPolicy.id).where(same_text(GroupPolicy.name, name), GroupPolicy.id != but)
    if work.session.scalar(taken) is not None:
        raise Conflict("group_policy.exists", name=name)
