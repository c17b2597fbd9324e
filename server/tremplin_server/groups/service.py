"""Jump Groups: shared ones with their members, and the personal one of every user.

Technicians see the shared groups that they are members of and their own personal group;
whoever holds `groups.see_all` sees them all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, Table, and_, false, func, or_, select

from tremplin_server.accounts import ownership
from tremplin_server.accounts.models import User
from tremplin_server.audit import service as audit
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound
from tremplin_server.groups import access, item_fields
from tremplin_server.groups.models import Belonging, JumpGroup, JumpGroupMember, JumpItemRole, Owned
from tremplin_server.permissions import ActorKind, ItemPermission, Permission

Q = TypeVar("Q", bound=Select[Any])
_KEPT = "shared groups of the actor"


@dataclass(frozen=True, slots=True)
class Owner(Belonging):
    """To whom a Jump Item belongs: a shared group or a user, never both.

    label: for people and the audit log.
    """

    shared_group_id: int | None
    owner_user_id: int | None
    label: str


# --- shared groups --------------------------------------------------------------------


def query(
    work: Work, *, name: str | None = None, code_name: str | None = None
) -> Select[JumpGroup]:
    """Return the shared groups that the actor sees, by id; needs groups.read."""
    work.actor.require(Permission.GROUPS_READ)
    found = select(JumpGroup).order_by(JumpGroup.id)
    if not work.actor.may(Permission.SEE_ALL_GROUPS):
        found = found.where(JumpGroup.id.in_(_memberships(work)))
    if name is not None:
        found = found.where(same_text(JumpGroup.name, name))
    if code_name is not None:
        found = found.where(same_text(JumpGroup.code_name, code_name))
    return found


def get(work: Work, group_id: int) -> JumpGroup:
    """Return a shared group that the actor sees; NotFound otherwise."""
    group = work.session.scalar(query(work).where(JumpGroup.id == group_id))
    if group is None:
        raise NotFound("request.not_found", what="Jump Group", id=group_id)
    return group


def create(
    work: Work, *, name: str, code_name: str | None = None, comments: str | None = None
) -> JumpGroup:
    """Add a shared group; needs groups.write. Without a code name one is made of the name.

    Raises Conflict (group.exists) when the name or the code name is taken.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    code = code_name or _free_code_name(work, name)
    _require_free(work, name=name, code_name=code)
    group = JumpGroup(name=name, code_name=code, comments=comments, created_at=work.now())
    work.session.add(group)
    work.session.flush()
    audit.record(work, "group.created", "group", group.id, group.name, code_name=code)
    return group


def update(work: Work, group_id: int, changes: dict[str, Any]) -> JumpGroup:
    """Change name, code_name or comments of a shared group; needs groups.write."""
    work.actor.require(Permission.GROUPS_WRITE)
    group = get(work, group_id)
    changed = {k: v for k, v in changes.items() if getattr(group, k) != v}
    _require_free(work, name=changed.get("name"), code_name=changed.get("code_name"), but=group.id)
    for key, value in changed.items():
        setattr(group, key, value)
    if changed:
        work.session.flush()
        audit.record(work, "group.changed", "group", group.id, group.name, **changed)
    return group


def delete(work: Work, group_id: int) -> None:
    """Delete a shared group and its installers; needs groups.write.

    Raises Conflict (group.not_empty) while Jump Clients belong to it.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    group = get(work, group_id)
    ownership.settle(work, _table(JumpGroup), group.id, group.name)
    audit.record(work, "group.deleted", "group", group.id, group.name)
    work.session.delete(group)
    work.session.flush()


def _table(model: type[JumpGroup]) -> Table:
    assert isinstance(model.__table__, Table)
    return model.__table__


def _require_free(
    work: Work, *, name: str | None, code_name: str | None, but: int | None = None
) -> None:
    for column, value in ((JumpGroup.name, name), (JumpGroup.code_name, code_name)):
        if value is None:
            continue
        taken = select(JumpGroup.id).where(same_text(column, value))
        if work.session.scalar(taken.where(JumpGroup.id != (but or 0))) is not None:
            raise Conflict("group.exists", name=value)


def _free_code_name(work: Work, name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:56] or "group"
    taken = {
        code.lower()
        for code in work.session.scalars(
            select(JumpGroup.code_name).where(JumpGroup.code_name.ilike(f"{stem}%"))
        )
    }
    number, code = 1, stem
    while code in taken:
        number += 1
        code = f"{stem}_{number}"
    return code


# --- members --------------------------------------------------------------------------


def members(work: Work, group_id: int) -> Select[JumpGroupMember]:
    """Return the members of a shared group that the actor sees, by user id."""
    group = get(work, group_id)
    return (
        select(JumpGroupMember)
        .where(JumpGroupMember.jump_group_id == group.id)
        .order_by(JumpGroupMember.user_id)
    )


def member_counts(work: Work, group_ids: Sequence[int]) -> dict[int, int]:
    """Return group id → how many members it has, for those that have any; needs groups.read."""
    work.actor.require(Permission.GROUPS_READ)
    column = JumpGroupMember.jump_group_id
    counted = select(column, func.count()).where(column.in_(group_ids)).group_by(column)
    return {int(row[0]): int(row[1]) for row in work.session.execute(counted)}


def memberships(work: Work, user_id: int) -> list[int]:
    """Return the ids of the shared groups that a user is in, by a group policy as well."""
    return list(work.session.scalars(access.group_ids(user_id)))


def member_ids(work: Work, group_id: int) -> list[int]:
    """Return the ids of the users that are in a shared group, by a group policy as well."""
    return list(work.session.scalars(access.user_ids(group_id)))


def member(work: Work, group_id: int, user_id: int) -> JumpGroupMember:
    """Return one member; NotFound when the user is none or the group is not seen."""
    found = work.session.scalar(members(work, group_id).where(JumpGroupMember.user_id == user_id))
    if found is None:
        raise NotFound("request.not_found", what="Jump Group user", id=user_id)
    return found


def add_member(
    work: Work, group_id: int, user_id: int, role_id: int | None = None
) -> JumpGroupMember:
    """Add a user to a shared group; needs groups.write.

    Raises Invalid when the user or the role does not exist, or is a member already.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    group = get(work, group_id)
    user = work.session.get(User, user_id)
    if user is None:
        raise Invalid({"user_id": ["There is no such user."]})
    if work.session.get(JumpGroupMember, (group_id, user_id)) is not None:
        raise Invalid({"user_id": ["This user is a member already."]})
    _require_role(work, role_id)
    made = JumpGroupMember(jump_group_id=group_id, user_id=user_id, jump_item_role_id=role_id)
    work.session.add(made)
    work.session.flush()
    audit.record(
        work, "group.member_added", "group", group.id, group.name, user=user.username, role=role_id
    )
    return made


def change_member(work: Work, group_id: int, user_id: int, role_id: int | None) -> JumpGroupMember:
    """Give a member another role (None: the default one); needs groups.write."""
    work.actor.require(Permission.GROUPS_WRITE)
    found = member(work, group_id, user_id)
    _require_role(work, role_id)
    if found.jump_item_role_id != role_id:
        found.jump_item_role_id = role_id
        work.session.flush()
        name = get(work, group_id).name
        audit.record(
            work, "group.member_changed", "group", group_id, name, user_id=user_id, role=role_id
        )
    return found


def remove_member(work: Work, group_id: int, user_id: int) -> None:
    """Take a user out of a shared group; needs groups.write."""
    work.actor.require(Permission.GROUPS_WRITE)
    work.session.delete(member(work, group_id, user_id))
    work.session.flush()
    name = get(work, group_id).name
    audit.record(work, "group.member_removed", "group", group_id, name, user_id=user_id)


def roles(work: Work, *, name: str | None = None) -> Select[JumpItemRole]:
    """Return the roles that a member can have, by id; needs groups.read."""
    work.actor.require(Permission.GROUPS_READ)
    query = select(JumpItemRole).order_by(JumpItemRole.id)
    return query if name is None else query.where(same_text(JumpItemRole.name, name))


def _require_role(work: Work, role_id: int | None) -> None:
    if role_id is not None and work.session.get(JumpItemRole, role_id) is None:
        raise Invalid({"jump_item_role_id": ["There is no such Jump Item Role."]})


# --- who owns a Jump Item, and who may touch it ---------------------------------------


def owner(work: Work, jump_group_type: str, jump_group_id: int) -> Owner:
    """Return the owner that the API names by type and id; Invalid when it does not exist."""
    if jump_group_type == "personal":
        user = work.session.get(User, jump_group_id)
        if user is not None:
            return Owner(None, user.id, f"user:{user.username}")
    else:
        group = work.session.get(JumpGroup, jump_group_id)
        if group is not None:
            return Owner(group.id, None, group.name)
    raise Invalid({"jump_group_id": ["There is no such Jump Group."]})


def resolve(work: Work, text: str) -> Owner:
    """Return the owner that `user:<name>`, `jumpgroup:<code>` or a group's name means.

    Raises Invalid when there is none; the case of letters does not matter.
    """
    kind, _, rest = text.partition(":")
    if kind == "user" and rest:
        user = work.session.scalar(select(User).where(same_text(User.username, rest)))
        if user is not None:
            return Owner(None, user.id, f"user:{user.username}")
    else:
        column, value = (
            (JumpGroup.code_name, rest) if kind == "jumpgroup" and rest else (JumpGroup.name, text)
        )
        group = work.session.scalar(select(JumpGroup).where(same_text(column, value)))
        if group is not None:
            return Owner(group.id, None, group.name)
    raise Invalid({"jump_group": ["There is no such Jump Group."]})


def visible(work: Work, query: Q, owned: type[Owned]) -> Q:
    """Narrow a query over `owned` to the Jump Items of groups that the actor sees."""
    return seen(work, query, owned.shared_group_id, owned.owner_user_id)


def reported(work: Work, query: Q, owned: type[Owned]) -> Q:
    """Narrow a query over `owned` to the Jump Items whose reports the actor may see."""
    if work.actor.may(Permission.SEE_ALL_GROUPS) or work.actor.kind is not ActorKind.USER:
        return visible(work, query, owned)
    wanted = ItemPermission.VIEW_JUMP_ITEM_REPORT
    ids = access.group_ids_with(work, work.actor.id, wanted)
    mine = owned.owner_user_id == work.actor.id
    return query.where(or_(owned.shared_group_id.in_(ids), mine))


def seen(work: Work, query: Q, shared_group_id: Any, owner_user_id: Any) -> Q:
    """Narrow a query to the rows whose owner, given as its two columns, the actor sees."""
    if work.actor.may(Permission.SEE_ALL_GROUPS):
        return query
    if work.actor.kind is not ActorKind.USER:
        return query.where(false())
    # Every item has one owner; said here, each half is looked up in an index of both columns.
    shared = and_(shared_group_id.in_(_memberships(work)), owner_user_id.is_(None))
    own = and_(owner_user_id == work.actor.id, shared_group_id.is_(None))
    return query.where(or_(shared, own))


def require_item(work: Work, owned: Belonging, permission: ItemPermission) -> None:
    """Raise Denied (role.<permission>) unless the actor holds `permission` where `owned` is.

    See `allowed`.
    """
    if permission not in allowed(work, owned):
        raise Denied(f"role.{permission.value}")


def require_changes(work: Work, owned: Belonging, fields: Iterable[str]) -> None:
    """Raise Denied (role.<permission>) unless the actor may change all of these properties."""
    needed = item_fields.needed(fields)
    held = allowed(work, owned) if needed else frozenset()
    for permission in needed:
        if permission not in held:
            raise Denied(f"role.{permission.value}")


def allowed(work: Work, owned: Belonging) -> frozenset[ItemPermission]:
    """Return what the actor may do with the Jump Items of the group that `owned` names.

    Users without groups.write are held to their role in the group; in their personal group
    they may do all. Programs, the command line and the server itself are held to their
    permissions only, by the services.
    """
    if work.actor.kind is not ActorKind.USER or work.actor.may(Permission.GROUPS_WRITE):
        return frozenset(ItemPermission)
    if owned.owner_user_id is not None:
        return frozenset(ItemPermission if owned.owner_user_id == work.actor.id else ())
    return access.role_permissions(work, owned.shared_group_id, work.actor.id)


def _memberships(work: Work) -> Sequence[int]:
    """Return the ids of the shared groups that the actor is in.

    As numbers, not as a query within others: a database that knows how few they are takes an
    index of the groups where it would else read every row.
    """
    known: Sequence[int] | None = work.session.info.get(_KEPT)
    if known is None:
        actor_id = work.actor.id if work.actor.kind is ActorKind.USER else 0
        known = work.session.scalars(access.group_ids(actor_id)).all()
        if work.read_only:
            work.session.info[_KEPT] = known
    return known
