"""What Jump Clients, tombstones and drift look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.clients import copies, service
from tremplin_server.clients.housekeeping import expires_at
from tremplin_server.clients.lifecycle import State, is_lost
from tremplin_server.clients.listing import CONNECTION_TYPES, STATES
from tremplin_server.clients.models import ClientCopy, JumpClient
from tremplin_server.clients.versions import expected
from tremplin_server.db import Work
from tremplin_server.installers.fields import CONNECTION_TYPES as CHANGEABLE_TYPES
from tremplin_server.installers.fields import MAX_INTEGER, START_MODES
from tremplin_server.installers.schemas import GROUP_TYPES, choice, text
from tremplin_server.rest import Boolean, FullMatch, Integer, Query, Timestamp


class ClientQuery(Query):
    """Filters of the list of Jump Clients."""

    name = text(1, 128)
    hostname = text(1, 255)
    fqdn = text(1, 255)
    tag = text(1, 64)
    jump_group_id = fields.Integer(validate=validate.Range(min=1, max=MAX_INTEGER))
    jump_group_type = choice(*GROUP_TYPES)
    console_user = text(1, 255)
    public_ip = text(1, 64)
    private_ip = text(1, 64)
    connection_type = choice(*CONNECTION_TYPES)
    external_id = text(1, 255)
    operating_system = text(1, 255)
    state = choice(*STATES)
    search = text(1, 255)
    sort = text(1, 255)


class CopyQuery(Query):
    """Copies have no filters."""


class ClientChange(ma.Schema):
    """What can be changed of a Jump Client."""

    jump_group_id = Integer()
    jump_group_type = choice(*GROUP_TYPES)
    name = text(1, 128)
    tag = text(0, 64)
    comments = text(0, 1024)
    jump_policy_id = Integer(allow_none=True)
    attended_session_policy_id = Integer(minimum=2, allow_none=True)
    unattended_session_policy_id = Integer(minimum=2, allow_none=True)
    public_site_address = text(1, 128)
    customer_client_start_mode = choice(*START_MODES)
    is_quiet = Boolean()
    connection_type = choice(*CHANGEABLE_TYPES)
    max_offline_minutes = Integer(minimum=0)
    external_id = text(0, 255, allow_none=True)
    ephemeral = Boolean()
    pinned_forever = Boolean()
    update_version = ma.fields.String(
        validate=FullMatch(r"^(follow|[0-9A-Za-z][0-9A-Za-z.+-]{0,31})?$"),
        metadata={"description": "The version that the host is held at; `follow`: the site's."},
    )
    remove_at = Timestamp(allow_none=True)


_MAY_BE_NULL = ("jump_policy_id", "attended_session_policy_id", "unattended_session_policy_id")
_MAY_BE_EMPTY = ("tag", "comments")


class NetworkCard(ma.Schema):
    """A network card of a host, and the IPv4 network that it stands in."""

    mac = fields.String()
    network = fields.String()


class ClientBody(ClientChange):
    """A Jump Client. What has no value is left out, except policies, tag and comments."""

    id = Integer()
    copy_of = Integer(metadata={"description": "Of a copy: the id of the host's Jump Client."})
    hostname = fields.String()
    fqdn = fields.String()
    install_mode = choice("unknown", "user", "service")
    connection_type = choice(*CONNECTION_TYPES)
    last_connect_timestamp = Timestamp(attribute="last_connect")
    last_disconnect_timestamp = Timestamp(attribute="last_disconnect")
    last_access_timestamp = Timestamp(attribute="last_access")
    expiration_timestamp = Timestamp()
    is_lost = Boolean()
    needs_update = Boolean()
    unavailable_reason = choice("none", "disabled")
    operating_system = fields.String()
    public_ip = fields.String()
    private_ip = fields.String()
    console_user = fields.String()
    state = choice(*(state.value for state in State))
    agent_version = fields.String()
    install_dir = fields.String()
    run_as = fields.String()
    startup = fields.String()
    platform = fields.String()
    statistics = fields.Dict(keys=fields.String())
    listening = fields.Dict(keys=fields.String())
    networks = fields.List(fields.Nested(NetworkCard))
    created_at = Timestamp()
    last_seen = Timestamp()

    @ma.post_dump
    def _leave_out(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {
            name: value
            for name, value in body.items()
            if (value is not None or name in _MAY_BE_NULL)
            and (value != "" or name in _MAY_BE_EMPTY)
        }


_PLAIN = [
    field.attribute or name
    for name, field in ClientBody._declared_fields.items()
    if hasattr(JumpClient, field.attribute or name)
]


def shown(work: Work, client: JumpClient | copies.AsListed) -> dict[str, Any]:
    """Return what `ClientBody` dumps of a record, with what follows from it and the time."""
    state = State(client.state)
    gone = state is State.UNINSTALLED
    return {
        **{name: getattr(client, name) for name in _PLAIN},
        "connection_type": "uninstalled" if gone else client.connection_type,
        "update_version": client.update_version or "follow",
        "is_lost": is_lost(state, client.last_seen, work.now(), work.config.lost_days),
        "needs_update": client.agent_version not in ("", expected(work, client)),
        "unavailable_reason": "disabled" if state is State.DISABLED else "none",
        "expiration_timestamp": expires_at(work.config, client),
    }


class CopyNew(ma.Schema):
    """The name and the Jump Group of a copy."""

    name = text(1, 128, required=True)
    jump_group_id = Integer(required=True)
    jump_group_type = choice(*GROUP_TYPES, required=True)


class CopyAnswer(ma.Schema):
    """What became of a copy. success: `1`. destId: its id."""

    action = fields.String()
    success = fields.String()
    destId = Integer()  # noqa: N815 - the field's name in the contract


class NeighbourBody(ma.Schema):
    """A Jump Client that was asked to wake another."""

    id = Integer()
    name = fields.String()


class WokenBody(ma.Schema):
    """The neighbours that were asked to wake a host."""

    through = fields.List(fields.Nested(NeighbourBody))


def shown_copy(work: Work, copy: ClientCopy) -> dict[str, Any]:
    """Return what `ClientBody` dumps of a copy: the host's Jump Client, as it is listed there."""
    listed = copies.AsListed(work.session.get_one(JumpClient, copy.client_id), copy)
    return {**shown(work, listed), "copy_of": copy.client_id, "external_id": None}


def shown_by_id(work: Work, number: int) -> dict[str, Any]:
    """Return what `ClientBody` dumps of the Jump Client, or of the copy, with that id."""
    place = service.place(work, number)
    return shown_copy(work, place) if isinstance(place, ClientCopy) else shown(work, place)


class DeleteQuery(Query):
    """Why a record is deleted: kept in the audit log and with the tombstone."""

    reason = text(0, 1024, load_default="")


class TombstoneQuery(Query):
    """Filters of the list of tombstones."""

    open = fields.Boolean()


class TombstoneBody(ma.Schema):
    """What is left of a deleted record; open while its host has not confirmed."""

    id = Integer()
    kind = choice("deleted", "replaced")
    client_id = Integer()
    external_id = fields.String(allow_none=True)
    name = fields.String()
    hostname = fields.String()
    jump_group = fields.String()
    deleted_at = Timestamp()
    deleted_by = fields.String()
    reason = fields.String()
    expires_at = Timestamp(allow_none=True)
    closed_at = Timestamp(allow_none=True)
    closed_by = choice("", "host", "uninstalled", "hand", "replaced", "expired")


class UnknownKeyBody(ma.Schema):
    """An agent whose id nothing here knows, as after a restore."""

    client_id = Integer()
    fingerprint = fields.String()
    public_ip = fields.String()
    first_seen = Timestamp()
    last_seen = Timestamp()


class DriftNew(ma.Schema):
    """An inventory to compare: its declared keys, and which part of the site it covers."""

    external_ids = fields.List(text(1, 255), required=True)
    jump_group_id = Integer()
    jump_group_type = choice(*GROUP_TYPES)
    tag = text(1, 64)


class DriftBody(ma.Schema):
    """Every difference between an inventory and the server."""

    missing = fields.List(fields.String())
    unexpected = fields.List(fields.Nested(ClientBody))
    not_online = fields.List(fields.Nested(ClientBody))
    uninstalled = fields.List(fields.Nested(ClientBody))
    waiting_removal = fields.List(fields.Nested(TombstoneBody))
    unknown_keys = fields.List(fields.Nested(UnknownKeyBody))


class PurgeNew(ma.Schema):
    """A purge; a dry one, which only tells, unless `dry_run` is false."""

    dry_run = Boolean(load_default=True)


class PurgedBody(ma.Schema):
    """A record that was, or would be, purged."""

    id = Integer()
    name = fields.String()
    external_id = fields.String(allow_none=True)
    last_seen = Timestamp()
    limit_minutes = Integer()


class PurgeBody(ma.Schema):
    """What a purge did, or would do."""

    dry_run = Boolean()
    purged = fields.List(fields.Nested(PurgedBody))
