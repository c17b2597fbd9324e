"""Jump Clients as people and programs handle them: look up, change, delete, uninstall."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from tremplin_agent.parameters import BY_NAME, check
from tremplin_agent.wire import CommandKind

from tremplin_server.audit import service as audit
from tremplin_server.clients import commands, listing, removal
from tremplin_server.clients.housekeeping import limit_of
from tremplin_server.clients.lifecycle import Event, State, after
from tremplin_server.clients.models import ClosedBy, JumpClient, Tombstone
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.permissions import Permission
from tremplin_server.policies import service as policies

EDITABLE = (
    "name",
    "tag",
    "comments",
    "jump_group_id",
    "jump_group_type",
    "jump_policy_id",
    "attended_session_policy_id",
    "unattended_session_policy_id",
    "external_id",
    "max_offline_minutes",
    "ephemeral",
    "pinned_forever",
    "remove_at",
    "is_quiet",
    "customer_client_start_mode",
    "public_site_address",
    "update_version",
)
_TOLD = ("name", "tag", "comments", "max_offline_minutes", "ephemeral", "pinned_forever")
"""A change of one of these is told to the agent."""


def _seen(work: Work) -> Select[JumpClient]:
    work.actor.require(Permission.CLIENTS_READ)
    return groups.visible(work, select(JumpClient), JumpClient)


def get(work: Work, client_id: int) -> JumpClient:
    """Return a Jump Client that the actor sees; NotFound (client.missing) otherwise."""
    client = work.session.scalar(_seen(work).where(JumpClient.id == client_id))
    if client is None:
        raise NotFound("client.missing", id=client_id)
    return client


def find(
    work: Work, *, external_id: str | None = None, name: str | None = None
) -> JumpClient | None:
    """Return the Jump Client with this declared key, or the only one of this name.

    Exactly one of the two is given. Raises Invalid when several have the name.
    """
    query = _seen(work)
    if external_id is not None:
        return work.session.scalar(query.where(JumpClient.external_id == external_id))
    found = work.session.scalars(query.where(same_text(JumpClient.name, name or "")).limit(2)).all()
    if len(found) > 1:
        raise Invalid({"name": ["Several Jump Clients have this name; take the id."]})
    return found[0] if found else None


def query(work: Work, **wanted: Any) -> Select[JumpClient]:
    """Return the query of the Jump Clients that the actor sees and that match.

    wanted: see `listing.narrow`.
    """
    return listing.narrow(work, _seen(work), **wanted)


# --- changing -------------------------------------------------------------------------


def update(work: Work, client_id: int, changes: Mapping[str, Any]) -> JumpClient:
    """Change properties (EDITABLE) of a Jump Client; the same values again change nothing.

    Needs clients.write, and the right to edit in its group (to add, in a new one). What
    the agent should know is ordered. Raises Invalid, Conflict (client.external_id_taken).
    """
    work.actor.require(Permission.CLIENTS_WRITE)
    client = get(work, client_id)
    groups.require_item(work, client, "edit")
    wanted = {k: v for k, v in changes.items() if k in EDITABLE}
    _take_owner(work, client, wanted)
    _check(work, client, wanted)
    changed = {k: v for k, v in wanted.items() if getattr(client, k) != v}
    if not changed:
        return client
    before = {k: getattr(client, k) for k in changed}
    for key, value in changed.items():
        setattr(client, key, value)
    client.updated_at = work.now()
    try:
        work.session.flush()
    except IntegrityError as error:
        # Another transaction gave the declared key away between our look and our write.
        raise Conflict("client.external_id_taken", id="?") from error
    audit.record(
        work,
        "client.changed",
        "client",
        client.id,
        client.name,
        changes={k: [_told_to_audit(before[k]), _told_to_audit(v)] for k, v in changed.items()},
    )
    if client.state != State.UNINSTALLED and any(k in _TOLD for k in changed):
        commands.order(work, client.id, CommandKind.PROPERTIES, told(work, client))
    work.notify("client.changed", client_id=client.id, state=str(client.state))
    return client


def _told_to_audit(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def told(work: Work, client: JumpClient) -> dict[str, Any]:
    """Return the properties that an agent knows of its record."""
    return {
        "name": client.name,
        "tag": client.tag,
        "comments": client.comments,
        "offline_limit_minutes": limit_of(work.config, client),
    }


def _take_owner(work: Work, client: JumpClient, wanted: dict[str, Any]) -> None:
    """Turn jump_group_type and _id into the owner's columns."""
    if "jump_group_id" not in wanted and "jump_group_type" not in wanted:
        return
    kind = wanted.pop("jump_group_type", "shared" if "jump_group_id" in wanted else None)
    number = wanted.pop("jump_group_id", None)
    if number is None:
        if kind != client.jump_group_type:
            raise Invalid({"jump_group_id": ["Is needed to change the type."]})
        return
    owner = groups.owner(work, kind or "shared", number)
    columns = (owner.shared_group_id, owner.owner_user_id)
    if columns != (client.shared_group_id, client.owner_user_id):
        groups.require_item(work, owner, "add")
    wanted["shared_group_id"], wanted["owner_user_id"] = columns


_CHECKED = ("name", "tag", "comments", "external_id", "max_offline_minutes")
"""Held against the table of installer parameters, as at an installation."""


def _check(work: Work, client: JumpClient, wanted: dict[str, Any]) -> None:
    if wanted.get("update_version") == "follow":
        wanted["update_version"] = ""
    for name in _CHECKED:
        if name in wanted:
            wanted[name] = _proper(name, wanted[name])
    if wanted.get("jump_policy_id") is not None:
        policies.jump_policy(work, wanted["jump_policy_id"])
    for field in ("attended_session_policy_id", "unattended_session_policy_id"):
        if wanted.get(field) is not None:
            policies.session_policy(work, wanted[field], field=field)
    removal_date = wanted.get("remove_at")
    if removal_date is not None and removal_date <= work.now():
        raise Invalid({"remove_at": ["Must be in the future."]})
    if "external_id" in wanted:
        other = work.session.scalar(
            select(JumpClient.id).where(
                JumpClient.external_id == wanted["external_id"], JumpClient.id != client.id
            )
        )
        if wanted["external_id"] and other is not None:
            raise Conflict("client.external_id_taken", id=other)


def _proper(name: str, value: Any) -> Any:
    if name == "external_id" and not value:
        return None
    text = value.replace("\r\n", "\n").strip() if isinstance(value, str) else value
    try:
        return check(BY_NAME[f"jc_{name}"], text)
    except ValueError as error:
        raise Invalid({name: [str(error)]}) from error


# --- ending ---------------------------------------------------------------------------


def delete(work: Work, client_id: int, reason: str = "") -> Tombstone:
    """Delete a record; its agent is told to uninstall itself as soon as it can be reached.

    The record leaves at once and a tombstone waits for the host, unless the host said
    before that its agent is gone. Needs clients.delete and the right to remove in its group.
    """
    client = _removable(work, client_id)
    gone = ClosedBy.UNINSTALLED if client.state == State.UNINSTALLED else None
    return removal.remove(work, client, "client.deleted", reason=reason, gone=gone)


def uninstall(work: Work, client_id: int, reason: str = "") -> JumpClient:
    """Order the agent to uninstall itself; the record stays, `removing`, until it did.

    Raises Conflict: client.removing when that is ordered already, client.uninstalled when
    there is nobody to obey.
    """
    client = _removable(work, client_id)
    if client.state == State.REMOVING:
        raise Conflict("client.removing")
    client.state = after(State(client.state), Event.UNINSTALL_ORDERED)
    client.updated_at = work.now()
    commands.order(work, client.id, CommandKind.UNINSTALL, {"reason": reason})
    audit.record(work, "client.uninstall_ordered", "client", client.id, client.name, reason=reason)
    work.notify("client.changed", client_id=client.id, state=State.REMOVING.value)
    return client


def _removable(work: Work, client_id: int) -> JumpClient:
    work.actor.require(Permission.CLIENTS_DELETE)
    client = get(work, client_id)
    groups.require_item(work, client, "remove")
    work.session.refresh(client, with_for_update=True)
    return client
