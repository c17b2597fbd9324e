"""Who is in which shared Jump Group, and with which Jump Item Role."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from tremplin_server.db import Work
from tremplin_server.groups.models import JumpGroupMember, JumpItemRole
from tremplin_server.permissions import ItemPermission

DEFAULT_ROLE_ID = 1
"""The role of a member who was given none."""


def group_ids(user_id: int) -> Select[Any]:
    """Return the query of the ids of the shared groups that a user is in."""
    return select(JumpGroupMember.jump_group_id).where(JumpGroupMember.user_id == user_id)


def role_permissions(work: Work, group_id: int | None, user_id: int) -> frozenset[ItemPermission]:
    """Return what a user may do with the Jump Items of a shared group; nothing outside of it."""
    found = work.session.get(JumpGroupMember, (group_id, user_id))
    if found is None:
        return frozenset()
    role = work.session.get(JumpItemRole, found.jump_item_role_id or DEFAULT_ROLE_ID)
    return frozenset() if role is None else role.permissions


def group_ids_with(work: Work, user_id: int, permission: ItemPermission) -> list[int]:
    """Return the ids of the shared groups in which a user holds a permission."""
    inside = work.session.scalars(group_ids(user_id))
    return [one for one in inside if permission in role_permissions(work, one, user_id)]
