"""Adding, changing and deleting policies, of either kind."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, TypeVar

from sqlalchemy import Table, func, select

from tremplin_server.audit import service as audit
from tremplin_server.db import Model, Work, same_text
from tremplin_server.errors import Conflict, NotFound
from tremplin_server.permissions import Permission
from tremplin_server.policies.limits import check_jump_policy
from tremplin_server.policies.models import JumpPolicy, SessionPolicy
from tremplin_server.policies.service import FIRST_SESSION_POLICY_ID

Policy = TypeVar("Policy", JumpPolicy, SessionPolicy)

FIRST_JUMP_POLICY_ID = 1
_FIRST: dict[type[Model], int] = {
    JumpPolicy: FIRST_JUMP_POLICY_ID,
    SessionPolicy: FIRST_SESSION_POLICY_ID,
}
"""Those that a site starts with: records without another choice refer to them."""


def get(work: Work, kind: type[Policy], policy_id: int) -> Policy:
    """Return a policy; NotFound when there is none. Needs installers.read."""
    work.actor.require(Permission.INSTALLERS_READ)
    found = work.session.get(kind, policy_id)
    if found is None:
        raise NotFound("request.not_found", what="policy", id=policy_id)
    return found


def create(work: Work, kind: type[Policy], values: dict[str, Any]) -> Policy:
    """Add a policy; needs groups.write. values: columns of `kind`.

    Without a code name one is made of the name. A Jump Policy with a schedule is held to it
    unless the values say otherwise. Raises Conflict (policy.exists) when the code name is
    taken, and Invalid.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    values = {**values}
    values.setdefault("code_name", _free_code_name(work, kind, values["display_name"]))
    _require_free(work, kind, values["code_name"])
    if kind is JumpPolicy:
        values.setdefault("schedule_enabled", bool(values.get("schedule_entries")))
        check_jump_policy(_usual(kind) | values)
    made = kind(**values)
    work.session.add(made)
    work.session.flush()
    audit.record(work, "policy.created", kind.__tablename__, made.id, made.display_name, **values)
    return made


def update(work: Work, kind: type[Policy], policy_id: int, changes: dict[str, Any]) -> Policy:
    """Change columns of a policy, for all who refer to it; needs groups.write.

    Raises Conflict (policy.exists) and Invalid.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    policy = get(work, kind, policy_id)
    changed = {k: v for k, v in changes.items() if getattr(policy, k) != v}
    if isinstance(policy, JumpPolicy):
        check_jump_policy({name: getattr(policy, name) for name in _usual(kind)} | changed)
    if "code_name" in changed:
        _require_free(work, kind, changed["code_name"], but=policy.id)
    for key, value in changed.items():
        setattr(policy, key, value)
    if changed:
        work.session.flush()
        name = policy.display_name
        audit.record(work, "policy.changed", kind.__tablename__, policy.id, name, **changed)
    return policy


def delete(work: Work, kind: type[Policy], policy_id: int) -> None:
    """Delete a policy; needs groups.write.

    Raises Conflict: policy.default, or policy.in_use while something refers to it.
    """
    work.actor.require(Permission.GROUPS_WRITE)
    policy = get(work, kind, policy_id)
    if policy.id == _FIRST[kind]:
        raise Conflict("policy.default", name=policy.display_name)
    count = uses(work, kind, policy.id)
    if count:
        raise Conflict("policy.in_use", name=policy.display_name, count=count)
    audit.record(work, "policy.deleted", kind.__tablename__, policy.id, policy.display_name)
    work.session.delete(policy)
    work.session.flush()


def uses(work: Work, kind: type[Policy], policy_id: int) -> int:
    """Return how often installers and Jump Clients refer to a policy.

    Their tables are found by their foreign keys: they belong to features above this one.
    """
    table = kind.__table__
    assert isinstance(table, Table)
    count = 0
    for other in table.metadata.sorted_tables:
        for column in other.columns:
            if any(key.column.table is table for key in column.foreign_keys):
                query = select(func.count()).select_from(other).where(column == policy_id)
                count += work.session.scalar(query) or 0
    return count


def _usual(kind: type[Policy]) -> dict[str, Any]:
    """Return the columns that have a usual value, with it."""
    table = kind.__table__
    assert isinstance(table, Table)
    found: dict[str, Any] = {}
    for column in table.columns:
        usual = column.default
        if usual is not None:
            found[column.name] = [] if usual.is_callable else getattr(usual, "arg", None)
    return found


def _free_code_name(work: Work, kind: type[Policy], name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:56] or "policy"
    beginning = kind.code_name.ilike(f"{stem}%")
    taken = {code.lower() for code in work.session.scalars(select(kind.code_name).where(beginning))}
    number, code = 1, stem
    while code in taken:
        number += 1
        code = f"{stem}_{number}"
    return code


def _require_free(work: Work, kind: type[Policy], code_name: str, but: int = 0) -> None:
    taken = select(kind.id).where(same_text(kind.code_name, code_name), kind.id != but)
    if work.session.scalar(taken) is not None:
        raise Conflict("policy.exists", name=code_name)
