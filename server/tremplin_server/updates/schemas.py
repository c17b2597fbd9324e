"""What updates look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.clients.models import UpdateState
from tremplin_server.installers.schemas import choice
from tremplin_server.rest import Boolean, Integer, Query, Timestamp
from tremplin_server.updates.service import Fleet

MOST_AT_ONCE = 1000
_STATES = tuple(state.value for state in UpdateState)


class OfferedBody(ma.Schema):
    """A payload that the server carries."""

    platform = fields.String()
    version = fields.String()
    sha256 = fields.String()


class FleetBody(ma.Schema):
    """The policy of updates, and how the agents stand."""

    mode = choice("off", "this_version", "always")
    version = fields.String()
    concurrent = fields.Integer()
    bandwidth = fields.Integer()
    window_open = fields.Boolean()
    window_opens = Timestamp(allow_none=True)
    payloads = fields.List(fields.Nested(OfferedBody))
    versions = fields.Dict(keys=fields.String(), values=fields.Integer())
    states = fields.Dict(keys=fields.String(), values=fields.Integer())


def shown(fleet: Fleet, bandwidth: int) -> dict[str, Any]:
    """Return what `FleetBody` dumps."""
    rules = fleet.rules
    return {
        "mode": rules.mode.value,
        "version": rules.version,
        "concurrent": rules.concurrent,
        "bandwidth": bandwidth,
        "window_open": fleet.opens is None,
        "window_opens": fleet.opens,
        "payloads": fleet.payloads,
        "versions": fleet.versions,
        "states": fleet.states,
    }


class UpdateQuery(Query):
    """Filters of the list of updates."""

    state = choice(*_STATES)


class UpdateBody(ma.Schema):
    """The last update of a Jump Client. code: why it failed."""

    client_id = Integer()
    state = choice(*_STATES)
    version = fields.String()
    from_version = fields.String()
    attempts = fields.Integer()
    code = fields.String()
    detail = fields.String()
    changed_at = Timestamp()
    changed_by = fields.String()
    retry_at = Timestamp(allow_none=True)


class OrderNew(ma.Schema):
    """Which Jump Clients to update now: some, or all that are outdated."""

    client_ids = fields.List(Integer(), validate=validate.Length(max=MOST_AT_ONCE))
    all_outdated = Boolean(load_default=False)

    @ma.validates_schema
    def _one_of_them(self, values: dict[str, Any], **_: Any) -> None:
        if bool(values.get("client_ids")) == values["all_outdated"]:
            raise ma.ValidationError("Name some, or all_outdated.", "client_ids")


class AskedBody(ma.Schema):
    """What came of asking for one update; code and text: why it cannot be."""

    client_id = Integer()
    name = fields.String()
    version = fields.String()
    code = fields.String()
    text = fields.String()
