"""Who is in which shared Jump Group, and with which Jump Item Role.

By a membership of one's own, or by a group policy; `group_policies.effective` says what counts.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, select, union

from tremplin_server.accounts.models import User
from tremplin_server.db import Work
from tremplin_server.group_policies import reading
from tremplin_server.group_policies.effective import Effective
from tremplin_server.group_policies.models import GroupPolicyGroup, GroupPolicyMember
from tremplin_server.groups.models import JumpGroupMember, JumpItemRole
from tremplin_server.permissions import ItemPermission

DEFAULT_ROLE_ID = 1
"""The role of a member who was given none."""


def group_ids(user_id: int) -> CompoundSelect[Any]:
    """Return the query of the ids of the shared groups that a user is in."""
    role = select(User.role).where(User.id == user_id).scalar_subquery()
    by_policy = (
        select(GroupPolicyGroup.jump_group_id)
        .join(GroupPolicyMember, GroupPolicyMember.policy_id == GroupPolicyGroup.policy_id)
        .where(reading.applies_to(user_id, role))
    )
    own = select(JumpGroupMember.jump_group_id).where(JumpGroupMember.user_id == user_id)
    return union(own, by_policy)


def user_ids(group_id: int) -> CompoundSelect[Any]:
    """Return the query of the ids of the users that are in a shared group."""
    by_policy = (
        select(User.id)
        .join(GroupPolicyMember, reading.applies_to(User.id, User.role))
        .join(GroupPolicyGroup, GroupPolicyGroup.policy_id == GroupPolicyMember.policy_id)
        .where(GroupPolicyGroup.jump_group_id == group_id)
    )
    own = select(JumpGroupMember.user_id).where(JumpGroupMember.jump_group_id == group_id)
    return union(own, by_policy)


def effective_of(work: Work, user: User) -> Effective:
    """Return all that a user has, and why."""
    own = select(JumpGroupMember).where(JumpGroupMember.user_id == user.id)
    groups = {one.jump_group_id: one.jump_item_role_id for one in work.session.scalars(own)}
    return reading.of(work, user.id, user.role, groups)


def roles_of(work: Work, user_id: int) -> dict[int, JumpItemRole]:
    """Return the shared groups that a user is in, with the role that he has in each."""
    user = work.session.get(User, user_id)
    if user is None:
        return {}
    found = {}
    for number, held in effective_of(work, user).groups.items():
        role = work.session.get(JumpItemRole, held.value or DEFAULT_ROLE_ID)
        if role is not None:
            found[number] = role
    return found


def role_permissions(work: Work, group_id: int | None, user_id: int) -> frozenset[ItemPermission]:
    """Return what a user may do with the Jump Items of a shared group; nothing outside of it."""
    role = roles_of(work, user_id).get(group_id or 0)
    return frozenset() if role is None else role.permissions


def group_ids_with(work: Work, user_id: int, permission: ItemPermission) -> list[int]:
    """Return the ids of the shared groups in which a user holds a permission."""
    roles = roles_of(work, user_id)
    return [number for number, role in roles.items() if permission in role.permissions]


def session_policy_of(work: Work, user_id: int) -> int | None:
    """Return the session policy that group policies give a user, if any does."""
    user = work.session.get(User, user_id)
    return None if user is None else effective_of(work, user).session_policy.value
