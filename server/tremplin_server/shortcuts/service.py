"""RDP Jump Shortcuts: look up, make, change, copy, delete.

A shortcut is a Jump Item: who may see, add, change or remove one is decided as for Jump
Clients, by permissions and by the member's role in the Jump Group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, false, select

from tremplin_server.audit import service as audit
from tremplin_server.clients import service as clients
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ItemPermission, Permission
from tremplin_server.policies import service as policies
from tremplin_server.shortcuts.models import RdpShortcut

QUALITIES = (
    "low",
    "performance",
    "performance_quality",
    "quality",
    "best_performance",
    "lossless",
)
EDITABLE = (
    "name",
    "hostname",
    "jumpoint_id",
    "quality",
    "console",
    "ignore_untrusted",
    "tag",
    "comments",
    "rdp_username",
    "domain",
    "jump_policy_id",
    "session_policy_id",
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:[0-9]{1,5})?|[0-9A-Fa-f:.]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def query(
    work: Work,
    *,
    name: str | None = None,
    hostname: str | None = None,
    tag: str | None = None,
    jump_group_id: int | None = None,
    jump_group_type: str | None = None,
    jumpoint_id: int | None = None,
    endpoint_id: int | None = None,
) -> Select[RdpShortcut]:
    """Return the shortcuts that the actor sees and that match, by id; needs clients.read.

    jump_group_id: of a shared group, unless jump_group_type is `personal`. endpoint_id:
    no shortcut of this site has one, so any finds nothing.
    """
    work.actor.require(Permission.CLIENTS_READ)
    found = groups.visible(work, select(RdpShortcut), RdpShortcut)
    texts = ((RdpShortcut.name, name), (RdpShortcut.hostname, hostname), (RdpShortcut.tag, tag))
    for column, text in texts:
        if text is not None:
            found = found.where(same_text(column, text))
    personal = jump_group_type == "personal"
    owner = RdpShortcut.owner_user_id if personal else RdpShortcut.shared_group_id
    if jump_group_id is not None:
        found = found.where(owner == jump_group_id)
    elif jump_group_type is not None:
        found = found.where(owner.is_not(None))
    if jumpoint_id is not None:
        found = found.where(RdpShortcut.jumpoint_id == jumpoint_id)
    if endpoint_id is not None:
        found = found.where(false())
    return found.order_by(RdpShortcut.id)


def get(work: Work, number: int) -> RdpShortcut:
    """Return a shortcut that the actor sees; NotFound otherwise."""
    found = work.session.scalar(query(work).where(RdpShortcut.id == number))
    if found is None:
        raise NotFound("request.not_found", what="Jump Shortcut", id=number)
    return found


def create(work: Work, values: Mapping[str, Any]) -> RdpShortcut:
    """Add a shortcut; needs clients.write and the right to add to that Jump Group.

    values: EDITABLE, jump_group_id and jump_group_type (`shared` without one). Raises
    Invalid when a value is wrong, or the group, client or policy it names does not exist.
    """
    work.actor.require(Permission.CLIENTS_WRITE)
    _require_good(work, values)
    owner = _owner(work, values)
    now = work.now()
    made = RdpShortcut(
        shared_group_id=owner.shared_group_id,
        owner_user_id=owner.owner_user_id,
        through_client=values.get("jumpoint_id") is not None,
        vetted=work.actor.may(Permission.GROUPS_WRITE),
        created_at=now,
        updated_at=now,
        **{name: values[name] for name in EDITABLE if name in values},
    )
    work.session.add(made)
    work.session.flush()
    audit.record(work, "shortcut.created", "shortcut", made.id, made.name, hostname=made.hostname)
    return made


def update(work: Work, number: int, changes: Mapping[str, Any]) -> RdpShortcut:
    """Change properties of a shortcut; needs clients.write and the permission of each.

    Moving it to another group also needs the right to add there. The same values again
    change nothing. Raises NotFound, Denied (role.<permission>) and Invalid.
    """
    work.actor.require(Permission.CLIENTS_WRITE)
    shortcut = get(work, number)
    changed = {
        name: changes[name]
        for name in EDITABLE
        if name in changes and changes[name] != getattr(shortcut, name)
    }
    groups.require_changes(work, shortcut, changed)
    _require_good(work, changed)
    moved = _move(work, shortcut, changes)
    if "jumpoint_id" in changes:
        shortcut.through_client = changes["jumpoint_id"] is not None
    if {"hostname", "jumpoint_id"} & changed.keys() or work.actor.may(Permission.GROUPS_WRITE):
        shortcut.vetted = work.actor.may(Permission.GROUPS_WRITE)
    for name, value in changed.items():
        setattr(shortcut, name, value)
    if changed or moved:
        shortcut.updated_at = work.now()
        told = {**changed, **({"jump_group": moved} if moved else {})}
        audit.record(work, "shortcut.changed", "shortcut", shortcut.id, shortcut.name, **told)
    work.session.flush()
    return shortcut


def copy(work: Work, number: int, values: Mapping[str, Any]) -> RdpShortcut:
    """Add a shortcut like another one, with the name and the group of `values`.

    Needs clients.write, the right to add where it goes, and to assign a Jump Group where the
    other one is, when that is elsewhere.
    """
    like = get(work, number)
    kind = values.get("jump_group_type") or "shared"
    if (kind, values["jump_group_id"]) != (like.jump_group_type, like.jump_group_id):
        groups.require_item(work, like, ItemPermission.ASSIGN_JUMP_GROUP)
    return create(work, {name: getattr(like, name) for name in EDITABLE} | dict(values))


def delete(work: Work, number: int, reason: str = "") -> None:
    """Delete a shortcut; needs clients.delete and the right to remove it."""
    work.actor.require(Permission.CLIENTS_DELETE)
    shortcut = get(work, number)
    groups.require_item(work, shortcut, ItemPermission.REMOVE)
    audit.record(work, "shortcut.deleted", "shortcut", shortcut.id, shortcut.name, reason=reason)
    work.session.delete(shortcut)
    work.session.flush()


def _owner(work: Work, values: Mapping[str, Any]) -> groups.Owner:
    kind = values.get("jump_group_type") or "shared"
    owner = groups.owner(work, kind, values["jump_group_id"])
    groups.require_item(work, owner, ItemPermission.ADD)
    return owner


def _move(work: Work, shortcut: RdpShortcut, changes: Mapping[str, Any]) -> str:
    """Move a shortcut to the group that `changes` name; return its label, empty if it stays."""
    asked = {
        "jump_group_type": changes.get("jump_group_type", shortcut.jump_group_type),
        "jump_group_id": changes.get("jump_group_id", shortcut.jump_group_id),
    }
    if all(getattr(shortcut, name) == value for name, value in asked.items()):
        return ""
    groups.require_item(work, shortcut, ItemPermission.ASSIGN_JUMP_GROUP)
    owner = _owner(work, asked)
    shortcut.shared_group_id = owner.shared_group_id
    shortcut.owner_user_id = owner.owner_user_id
    return owner.label


def _require_good(work: Work, values: Mapping[str, Any]) -> None:
    wrong: dict[str, list[str]] = {}
    if "hostname" in values and not _is_host(values["hostname"]):
        wrong["hostname"] = ["Must be a host name or an IP address."]
    # These words end up as lines of a file, where a line break would be another setting.
    for name in ("name", "rdp_username", "domain"):
        if _CONTROL.search(values.get(name) or ""):
            wrong[name] = ["Not a valid string."]
    if wrong:
        raise Invalid(wrong)
    if values.get("jumpoint_id") is not None:
        _require_client(work, values["jumpoint_id"])
    if values.get("jump_policy_id") is not None:
        policies.jump_policy(work, values["jump_policy_id"])
    if values.get("session_policy_id") is not None:
        policies.session_policy(work, values["session_policy_id"], field="session_policy_id")


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and (found[2] is None or 0 < int(found[2][1:]) < 65536)


def _require_client(work: Work, client_id: int) -> None:
    try:
        clients.get(work, client_id)
    except NotFound as error:
        raise Invalid({"jumpoint_id": ["There is no such Jump Client."]}) from error
