"""What support sessions look like in the API."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.installers.schemas import choice, text
from tremplin_server.rest import Integer, Query, Timestamp
from tremplin_server.support import service
from tremplin_server.support.models import SupportState


class SupportNew(ma.Schema):
    """A support session to make.

    valid_minutes: how long the customer may take to come. permissions: what he will be asked
    for; everything, when not given.
    """

    valid_minutes = Integer(
        minimum=service.LEAST_MINUTES,
        maximum=service.MOST_MINUTES,
        load_default=service.DEFAULT_MINUTES,
    )
    reason = text(0, service.MAX_REASON, load_default="")
    permissions = fields.List(
        choice(*service.GRANTS),
        validate=validate.Length(min=1, max=len(service.GRANTS)),
        load_default=list(service.GRANTS),
        data_key="permissions",
        attribute="wanted",
    )


class SupportQuery(Query):
    """Filters of the list of support sessions."""

    state = choice(*(state.value for state in SupportState))


class SupportBody(ma.Schema):
    """A support session. elevated: its client has the administrator's rights."""

    id = Integer()
    state = choice(*(state.value for state in SupportState))
    reason = fields.String()
    permissions = fields.List(choice(*service.GRANTS), attribute="wanted")
    granted = fields.List(choice(*service.GRANTS))
    created_at = Timestamp()
    created_by = fields.String()
    expires_at = Timestamp()
    technician = fields.String(attribute="owner")
    taken_at = Timestamp(allow_none=True)
    hostname = fields.String()
    operating_system = fields.String()
    console_user = fields.String()
    platform = fields.String()
    public_ip = fields.String()
    elevated = fields.Boolean()
    attended_at = Timestamp(allow_none=True)
    ended_at = Timestamp(allow_none=True)
    ended_by = fields.String()
    end_code = fields.String()


class SupportCreatedBody(SupportBody):
    """A new support session with its session key and link, which are told this once."""

    session_key = fields.String()
    link = fields.String()
