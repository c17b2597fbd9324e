"""The group policies of one user, read as `effective` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from tremplin_server.db import Work
from tremplin_server.group_policies.effective import Effective, PolicyFacts, Setting, effective
from tremplin_server.group_policies.models import (
    GroupPolicy,
    GroupPolicyGroup,
    GroupPolicyMember,
)
from tremplin_server.permissions import ROLE_PERMISSIONS, Permission, Role

GRANTABLE = (
    Permission.SESSIONS_START,
    Permission.CLIENTS_WRITE,
    Permission.CLIENTS_DELETE,
    Permission.INSTALLERS_WRITE,
    Permission.SEE_ALL_GROUPS,
    Permission.AUDIT_READ,
    Permission.ACCOUNTS_READ,
)
"""What a policy may allow or refuse. To change accounts and groups is the administrator's."""


def applies_to(user_id: Any, site_role: Any) -> ColumnElement[bool]:
    """Return the condition that a row of `GroupPolicyMember` means this user."""
    return or_(GroupPolicyMember.user_id == user_id, GroupPolicyMember.site_role == site_role)


def policies_of(work: Work, user_id: int, site_role: str) -> list[PolicyFacts]:
    """Return the policies that a user is a member of, by priority."""
    mine = select(GroupPolicyMember.policy_id).where(applies_to(user_id, site_role))
    query: Select[Any] = select(GroupPolicy).where(GroupPolicy.id.in_(mine))
    found = work.session.scalars(query.order_by(GroupPolicy.priority, GroupPolicy.id)).all()
    if not found:
        return []
    ids = [policy.id for policy in found]
    rows = work.session.scalars(
        select(GroupPolicyGroup).where(GroupPolicyGroup.policy_id.in_(ids))
    ).all()
    return [_facts(policy, [row for row in rows if row.policy_id == policy.id]) for policy in found]


def permissions_of(work: Work, user_id: int, site_role: str) -> frozenset[Permission]:
    """Return what a user may do on the site. Nothing is taken from administrators: a site
    whose last one shuts himself out could not be opened again."""
    own = ROLE_PERMISSIONS[Role(site_role)]
    if site_role == Role.ADMINISTRATOR:
        return own
    policies = policies_of(work, user_id, site_role)
    if not policies:
        return own
    held = of(work, user_id, site_role, {}).permissions
    return (own - set(GRANTABLE)) | {p for p in GRANTABLE if held[p.value].value}


def of(work: Work, user_id: int, site_role: str, own_groups: Mapping[int, int | None]) -> Effective:
    """Return what a user has in the end and why. own_groups: his memberships."""
    own = {p.value: p in ROLE_PERMISSIONS[Role(site_role)] for p in GRANTABLE}
    policies = policies_of(work, user_id, site_role)
    if site_role == Role.ADMINISTRATOR:
        policies = [PolicyFacts(p.id, p.name, {}, p.session_policy, p.groups) for p in policies]
    return effective(site_role, own, own_groups, policies)


def _facts(policy: GroupPolicy, groups: list[GroupPolicyGroup]) -> PolicyFacts:
    said = policy.session_policy_id
    return PolicyFacts(
        policy.id,
        policy.name,
        {
            name: Setting(bool(one["allowed"]), bool(one.get("final")))
            for name, one in policy.permissions.items()
        },
        None if said is None else Setting(said, policy.session_policy_final),
        {row.jump_group_id: Setting(row.jump_item_role_id, row.final) for row in groups},
    )
