"""Copies of a Jump Client: the same host once more, in another group, with policies of its own.

A copy has an id like a Jump Client and is reached by it in the same way. What the host is and
does stands in the Jump Client alone; a copy says where it is listed, under which name, and what
is allowed from there. It ends with the Jump Client, and its own end touches no host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, delete, func, select

from tremplin_server.audit import service as audit
from tremplin_server.clients.models import FIRST_COPY_ID, ClientCopy, JumpClient
from tremplin_server.clients.properties import checked, take_owner
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import Belonging
from tremplin_server.permissions import ItemPermission, Permission

EDITABLE = (
    "name",
    "tag",
    "comments",
    "jump_group_id",
    "jump_group_type",
    "jump_policy_id",
    "attended_session_policy_id",
    "unattended_session_policy_id",
    "remove_at",
)


def is_copy(number: int) -> bool:
    """Whether an id is that of a copy, not of a Jump Client."""
    return number >= FIRST_COPY_ID


def query(work: Work) -> Select[ClientCopy]:
    """Return the copies that the actor sees, by id; needs clients.read."""
    work.actor.require(Permission.CLIENTS_READ)
    return groups.visible(work, select(ClientCopy), ClientCopy).order_by(ClientCopy.id)


def get(work: Work, number: int) -> ClientCopy:
    """Return a copy that the actor sees; NotFound (client.missing) otherwise."""
    found = work.session.scalar(query(work).where(ClientCopy.id == number))
    if found is None:
        raise NotFound("client.missing", id=number)
    return found


class AsListed(Belonging):
    """A Jump Client as a copy of it lists it: under the copy's id, name and group."""

    def __init__(self, client: JumpClient, copy: ClientCopy) -> None:
        self._client, self._copy = client, copy

    @property
    def host_id(self) -> int:
        """The id of the Jump Client itself."""
        return self._copy.client_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._copy if name in _LISTED else self._client, name)


_LISTED = frozenset({*EDITABLE, "id", "created_at", "shared_group_id", "owner_user_id"})


def make(work: Work, client: JumpClient | ClientCopy, values: Mapping[str, Any]) -> ClientCopy:
    """Add a copy of a Jump Client, or of a copy, that the actor sees.

    values: `jump_group_id` and `jump_group_type`, and any of EDITABLE; the rest is as in
    `client`. Needs clients.write, the right to assign a Jump Group where it is (and to change
    a policy there, for another one), and to add where the copy goes. Raises Denied, and
    Invalid also for a group in which the host is listed already.
    """
    work.actor.require(Permission.CLIENTS_WRITE)
    groups.require_item(work, client, ItemPermission.ASSIGN_JUMP_GROUP)
    wanted = {k: v for k, v in values.items() if k in EDITABLE}
    guarded = {k for k in _GUARDS if k in wanted and wanted[k] != getattr(client, k)}
    groups.require_changes(work, client, guarded)
    kind, number = wanted.pop("jump_group_type", "shared"), wanted.pop("jump_group_id")
    owner = groups.owner(work, kind, number)
    groups.require_item(work, owner, ItemPermission.ADD)
    host_id = client.client_id if isinstance(client, ClientCopy) else client.id
    _require_elsewhere(work, host_id, owner)
    like = {name: getattr(client, name) for name in _TAKEN_ALONG}
    made = ClientCopy(
        client_id=host_id,
        shared_group_id=owner.shared_group_id,
        owner_user_id=owner.owner_user_id,
        created_at=work.now(),
        created_by=work.actor.name,
        **{**like, **checked(work, wanted)},
    )
    work.session.add(made)
    work.session.flush()
    audit.record(
        work,
        "client.copied",
        "client",
        made.id,
        made.name,
        original=host_id,
        jump_group=owner.label,
    )
    work.notify("client.changed", client_id=host_id, state="")
    return made


_GUARDS = ("jump_policy_id", "attended_session_policy_id", "unattended_session_policy_id")
"""What a copy must not be a way around."""
_TAKEN_ALONG = ("name", "tag", "comments", *_GUARDS)


def update(work: Work, number: int, changes: Mapping[str, Any]) -> ClientCopy:
    """Change a copy (EDITABLE); the same values again change nothing.

    Needs clients.write, and in its group the permission of each property that changes
    (`item_fields`; in another group, to add there).
    """
    work.actor.require(Permission.CLIENTS_WRITE)
    copy = get(work, number)
    wanted = {k: v for k, v in changes.items() if k in EDITABLE}
    take_owner(work, copy, wanted)
    wanted = checked(work, wanted)
    changed = {k: v for k, v in wanted.items() if getattr(copy, k) != v}
    if not changed:
        return copy
    groups.require_changes(work, copy, changed)
    if "shared_group_id" in changed or "owner_user_id" in changed:
        owner = groups.Owner(wanted["shared_group_id"], wanted["owner_user_id"], "")
        _require_elsewhere(work, copy.client_id, owner)
    for key, value in changed.items():
        setattr(copy, key, value)
    work.session.flush()
    audit.record(work, "client.copy_changed", "client", copy.id, copy.name, changes=sorted(changed))
    work.notify("client.changed", client_id=copy.client_id, state="")
    return copy


def remove(work: Work, number: int, reason: str = "") -> None:
    """Take a copy out of its group; the host and its Jump Client stay.

    Needs clients.delete and the right to remove in its group.
    """
    work.actor.require(Permission.CLIENTS_DELETE)
    copy = get(work, number)
    groups.require_item(work, copy, ItemPermission.REMOVE)
    audit.record(work, "client.copy_deleted", "client", copy.id, copy.name, reason=reason)
    work.session.delete(copy)
    work.session.flush()
    work.notify("client.changed", client_id=copy.client_id, state="")


def count(work: Work, client_id: int) -> int:
    """Return how many copies a Jump Client has, seen or not."""
    counted = select(func.count()).where(ClientCopy.client_id == client_id)
    return work.session.scalar(counted) or 0


def remove_dated(work: Work) -> None:
    """Delete the copies whose date has come."""
    due = ClientCopy.remove_at <= work.now()
    for copy in work.session.scalars(select(ClientCopy).where(due).order_by(ClientCopy.id)):
        audit.record(work, "client.copy_expired", "client", copy.id, copy.name)
        work.notify("client.changed", client_id=copy.client_id, state="")
    work.session.execute(delete(ClientCopy).where(due))


def _require_elsewhere(work: Work, client_id: int, owner: groups.Owner) -> None:
    columns = (owner.shared_group_id, owner.owner_user_id)
    original = work.session.get_one(JumpClient, client_id)
    places = {(original.shared_group_id, original.owner_user_id)}
    others = select(ClientCopy.shared_group_id, ClientCopy.owner_user_id)
    for row in work.session.execute(others.where(ClientCopy.client_id == client_id)):
        places.add((row.shared_group_id, row.owner_user_id))
    if columns in places:
        raise Invalid({"jump_group_id": ["This host is listed in that Jump Group already."]})
