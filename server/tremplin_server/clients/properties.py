"""What properties of a Jump Client or of a copy may be, held against the installers' table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tremplin_agent.parameters import BY_NAME, check

from tremplin_server.db import Work
from tremplin_server.errors import Invalid
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import Owned
from tremplin_server.permissions import ItemPermission
from tremplin_server.policies import service as policies

_CHECKED = ("name", "tag", "comments", "external_id", "max_offline_minutes")
"""Held against the table of installer parameters, as at an installation."""


def checked(work: Work, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties as they are kept; Invalid, by field, when one is not proper."""
    kept = {k: _proper(k, v) if k in _CHECKED else v for k, v in wanted.items()}
    if kept.get("update_version") == "follow":
        kept["update_version"] = ""
    if kept.get("jump_policy_id") is not None:
        policies.jump_policy(work, kept["jump_policy_id"])
    for field in ("attended_session_policy_id", "unattended_session_policy_id"):
        if kept.get(field) is not None:
            policies.session_policy(work, kept[field], field=field)
    removal_date = kept.get("remove_at")
    if removal_date is not None and removal_date <= work.now():
        raise Invalid({"remove_at": ["Must be in the future."]})
    return kept


def take_owner(work: Work, owned: Owned, wanted: dict[str, Any]) -> None:
    """Turn jump_group_type and _id in `wanted` into the owner's columns.

    Moving needs the right to assign a Jump Group in the present one, and to add in the other.
    Raises Denied and Invalid.
    """
    if "jump_group_id" not in wanted and "jump_group_type" not in wanted:
        return
    kind = wanted.pop("jump_group_type", "shared" if "jump_group_id" in wanted else None)
    number = wanted.pop("jump_group_id", None)
    if number is None:
        if kind != owned.jump_group_type:
            raise Invalid({"jump_group_id": ["Is needed to change the type."]})
        return
    owner = groups.owner(work, kind or "shared", number)
    columns = (owner.shared_group_id, owner.owner_user_id)
    if columns != (owned.shared_group_id, owned.owner_user_id):
        groups.require_item(work, owned, ItemPermission.ASSIGN_JUMP_GROUP)
        groups.require_item(work, owner, ItemPermission.ADD)
    wanted["shared_group_id"], wanted["owner_user_id"] = columns


def _proper(name: str, value: Any) -> Any:
    if name == "external_id" and not value:
        return None
    text = value.replace("\r\n", "\n").strip() if isinstance(value, str) else value
    try:
        return check(BY_NAME[f"jc_{name}"], text)
    except ValueError as error:
        raise Invalid({name: [str(error)]}) from error
