"""Jump Clients as people and programs handle them: look up, change, delete, uninstall."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from tremplin_agent.wire import CommandKind

from tremplin_server.audit import service as audit
from tremplin_server.clients import commands, copies, listing, records, removal
from tremplin_server.clients.housekeeping import limit_of
from tremplin_server.clients.lifecycle import Event, State, after, check_in_seconds
from tremplin_server.clients.models import ClientCopy, ClosedBy, JumpClient, Tombstone
from tremplin_server.clients.properties import checked, take_owner
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.installers.fields import CONNECTION_TYPES
from tremplin_server.permissions import ItemPermission, Permission

EDITABLE = (
    *copies.EDITABLE,
    "external_id",
    "connection_type",
    "max_offline_minutes",
    "ephemeral",
    "pinned_forever",
    "is_quiet",
    "customer_client_start_mode",
    "public_site_address",
    "update_version",
)
_TOLD = (
    "name",
    "tag",
    "comments",
    "connection_type",
    "max_offline_minutes",
    "ephemeral",
    "pinned_forever",
)
"""A change of one of these is told to the agent."""


def _seen(work: Work) -> Select[JumpClient]:
    work.actor.require(Permission.CLIENTS_READ)
    return groups.visible(work, select(JumpClient), JumpClient)


def get(work: Work, client_id: int) -> JumpClient:
    """Return a Jump Client that the actor sees; NotFound (client.missing) otherwise.

    By the id of a copy that the actor sees it is the host's own Jump Client, in whatever
    group that is; `place` returns what is seen of it.
    """
    if copies.is_copy(client_id):
        return work.session.get_one(JumpClient, copies.get(work, client_id).client_id)
    client = work.session.scalar(_seen(work).where(JumpClient.id == client_id))
    if client is None:
        raise NotFound("client.missing", id=client_id)
    return client


def place(work: Work, client_id: int) -> JumpClient | ClientCopy:
    """Return the Jump Client, or the copy, that an id means: its group and its policies."""
    return copies.get(work, client_id) if copies.is_copy(client_id) else get(work, client_id)


def _own(work: Work, client_id: int) -> JumpClient:
    """Return the Jump Client with this very id; Conflict (client.is_copy) for that of a copy."""
    client = get(work, client_id)
    if client.id != client_id:
        raise Conflict("client.is_copy", name=client.name, id=client.id)
    return client


def listed(work: Work, client_id: int) -> JumpClient | copies.AsListed:
    """Return what an id shows: a Jump Client, under the name and group that it has there."""
    found = place(work, client_id)
    if isinstance(found, ClientCopy):
        return copies.AsListed(work.session.get_one(JumpClient, found.client_id), found)
    return found


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

    Needs clients.write, and in its group the permission of each property that changes
    (`item_fields`; in another group, to add there). What the agent should know is ordered.
    Raises Denied (role.<permission>), Invalid, Conflict (client.external_id_taken;
    limit.activate when it would be one active Jump Client too many).
    """
    work.actor.require(Permission.CLIENTS_WRITE)
    client = _own(work, client_id)
    wanted = {k: v for k, v in changes.items() if k in EDITABLE}
    take_owner(work, client, wanted)
    wanted = checked(work, wanted)
    changed = {k: v for k, v in wanted.items() if getattr(client, k) != v}
    # Before anything is said about other clients.
    groups.require_changes(work, client, changed)
    _require_own_key(work, client, wanted)
    _check_connection_type(work, client, wanted.get("connection_type"))
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
    limit = limit_of(work.config, client)
    return {
        "name": client.name,
        "tag": client.tag,
        "comments": client.comments,
        "offline_limit_minutes": limit,
        "connection_type": client.connection_type,
        "check_in_seconds": check_in_seconds(work.config.check_in_seconds, limit),
        "wake_port": work.config.wake_port,
    }


def _require_own_key(work: Work, client: JumpClient, wanted: Mapping[str, Any]) -> None:
    if not wanted.get("external_id"):
        return
    other = work.session.scalar(
        select(JumpClient.id).where(
            JumpClient.external_id == wanted["external_id"], JumpClient.id != client.id
        )
    )
    if other is not None:
        raise Conflict("client.external_id_taken", id=other)


def _check_connection_type(work: Work, client: JumpClient, wanted: str | None) -> None:
    if wanted not in (None, *CONNECTION_TYPES):
        choices = ", ".join(CONNECTION_TYPES)
        raise Invalid({"connection_type": [f"Must be one of: {choices}."]})
    if wanted == "active" != client.connection_type and client.state != State.UNINSTALLED:
        records.one_at_a_time(work)
        records.require_active_room(work, "limit.activate")


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
    client = _own(work, client_id)
    groups.require_item(work, client, ItemPermission.REMOVE)
    work.session.refresh(client, with_for_update=True)
    return client
