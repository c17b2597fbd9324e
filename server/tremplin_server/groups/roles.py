"""Jump Item Roles: what a member may do with the Jump Items of a group."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from tremplin_server.audit import service as audit
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, NotFound
from tremplin_server.groups.access import DEFAULT_ROLE_ID
from tremplin_server.groups.models import JumpGroupMember, JumpItemRole
from tremplin_server.permissions import ItemPermission, Permission

EDITS = tuple(p for p in ItemPermission if p.value.startswith("perm_edit_"))
"""The permissions to change properties."""


def get(work: Work, role_id: int) -> JumpItemRole:
    """Return a role; NotFound when there is none. Needs groups.read."""
    work.actor.require(Permission.GROUPS_READ)
    found = work.session.get(JumpItemRole, role_id)
    if found is None:
        raise NotFound("request.not_found", what="Jump Item Role", id=role_id)
    return found


def create(work: Work, *, name: str, **other: Any) -> JumpItemRole:
    """Add a role; needs groups.write. other: further columns of `JumpItemRole`.

    Raises Conflict (role.exists) when the name is taken.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    _require_free(work, name)
    made = JumpItemRole(name=name, **other)
    work.session.add(made)
    work.session.flush()
    audit.record(work, "role.created", "jump_item_role", made.id, made.name, **other)
    return made


def update(work: Work, role_id: int, changes: dict[str, Any]) -> JumpItemRole:
    """Change columns of a role, for all who have it, at once; needs groups.write."""
    work.actor.require(Permission.GROUPS_WRITE)
    role = get(work, role_id)
    changed = {k: v for k, v in changes.items() if getattr(role, k) != v}
    if "name" in changed:
        _require_free(work, changed["name"], but=role.id)
    for key, value in changed.items():
        setattr(role, key, value)
    if changed:
        work.session.flush()
        audit.record(work, "role.changed", "jump_item_role", role.id, role.name, **changed)
    return role


def delete(work: Work, role_id: int) -> None:
    """Delete a role; needs groups.write.

    Raises Conflict: role.default, or role.in_use while members have it: they would get the
    default one, which may allow more.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    role = get(work, role_id)
    if role.id == DEFAULT_ROLE_ID:
        raise Conflict("role.default", name=role.name)
    count = holders(work).get(role.id, 0)
    if count:
        raise Conflict("role.in_use", name=role.name, count=count)
    audit.record(work, "role.deleted", "jump_item_role", role.id, role.name)
    work.session.delete(role)
    work.session.flush()


def holders(work: Work) -> dict[int, int]:
    """Return role id → how many memberships have it, the default one included."""
    work.actor.require(Permission.GROUPS_READ)
    role = func.coalesce(JumpGroupMember.jump_item_role_id, DEFAULT_ROLE_ID)
    rows = work.session.execute(select(role, func.count()).group_by(role))
    return {int(row[0]): int(row[1]) for row in rows}


def _require_free(work: Work, name: str, but: int = 0) -> None:
    taken = select(JumpItemRole.id).where(
        same_text(JumpItemRole.name, name), JumpItemRole.id != but
    )
    if work.session.scalar(taken) is not None:
        raise Conflict("role.exists", name=name)
