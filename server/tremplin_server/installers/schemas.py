"""What installers look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.installers.fields import (
    CONNECTION_TYPES,
    LONGEST_MINUTES,
    MAX_INTEGER,
    OVERRIDES,
    SHORTEST_MINUTES,
    START_MODES,
    USUAL_MINUTES,
)
from tremplin_server.installers.models import OnDuplicate
from tremplin_server.installers.payload import PLATFORMS
from tremplin_server.rest import Boolean, Integer, Query, Timestamp

GROUP_TYPES = ("shared", "personal")


def text(least: int, most: int, **options: Any) -> fields.String:
    """Return a text field of `least` to `most` characters."""
    return fields.String(validate=validate.Length(min=least, max=most), **options)


def choice(*values: str, **options: Any) -> fields.String:
    """Return a text field that takes one of `values`."""
    return fields.String(validate=validate.OneOf(values), **options)


class InstallerQuery(Query):
    """Filters of the list of installers."""

    name = text(1, 128)
    hostname = text(1, 255, metadata={"description": "No installer has one: finds nothing."})
    fqdn = text(1, 255, metadata={"description": "No installer has one: finds nothing."})
    tag = text(1, 64)
    external_id = text(1, 255)
    jump_group_id = fields.Integer(validate=validate.Range(min=1, max=MAX_INTEGER))
    jump_group_type = choice(*GROUP_TYPES)
    connection_type = choice(*CONNECTION_TYPES)
    usable = fields.Boolean()


class _Common(ma.Schema):
    """What is given at creation and told ever after."""

    jump_group_type = choice(*GROUP_TYPES, dump_default="shared")
    name = text(0, 128)
    tag = text(0, 64)
    comments = text(0, 1024)
    external_id = text(0, 255, allow_none=True)
    jump_policy_id = Integer(allow_none=True)
    attended_session_policy_id = Integer(minimum=2, allow_none=True)
    unattended_session_policy_id = Integer(minimum=2, allow_none=True)
    public_site_address = text(1, 128)
    connection_type = choice(*CONNECTION_TYPES)
    max_uses = Integer(allow_none=True)
    max_offline_minutes = Integer(minimum=0)
    ephemeral = Boolean()
    on_duplicate = choice(*(mode.value for mode in OnDuplicate))
    allow_takeover = Boolean()
    platform = choice(*PLATFORMS)
    recipients = text(0, 2000)
    elevate_install = Boolean()
    elevate_prompt = Boolean()
    customer_client_start_mode = choice(*START_MODES)
    is_quiet = Boolean()


for _name in OVERRIDES:
    _Common._declared_fields[_name] = Boolean()


class InstallerNew(_Common):
    """A new installer."""

    jump_group_id = Integer(required=True)
    valid_duration = Integer(
        minimum=SHORTEST_MINUTES,
        maximum=LONGEST_MINUTES,
        metadata={"default": USUAL_MINUTES, "description": "Minutes from now."},
    )


class KeyInfoBody(ma.Schema):
    """The key info of a new installer, told this once."""

    encodedInfo = fields.String()  # noqa: N815 - the field's contract names it so
    filename = fields.String()
    installerPath = fields.String()  # noqa: N815 - the field's contract names it so


class InstallerBody(_Common):
    """An installer. What has no value is left out."""

    id = Integer()
    jump_group_id = Integer()
    installer_id = text(32, 32)
    expiration_timestamp = Timestamp(attribute="expires_at")
    valid_duration = Integer()
    uses = Integer(minimum=0)
    created_at = Timestamp()
    created_by = fields.String()
    revoked_at = Timestamp()
    revoked_by = fields.String()

    @ma.post_dump
    def _leave_out(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        may_be_empty = ("tag", "comments", "recipients")
        return {k: v for k, v in body.items() if v not in (None, "") or k in may_be_empty}


class InstallerCreated(InstallerBody):
    """A new installer with its key info."""

    key_info = fields.Nested(KeyInfoBody)


class InstallerChange(ma.Schema):
    """A longer validity (minutes from now), or another number of uses."""

    valid_duration = Integer(minimum=SHORTEST_MINUTES, maximum=LONGEST_MINUTES)
    max_uses = Integer()


class Reason(ma.Schema):
    """Why something is done: kept in the audit log."""

    reason = text(0, 1024, load_default="")


class UseBody(ma.Schema):
    """One enrolment with an installer: made (`code` empty) or refused."""

    id = Integer()
    at = Timestamp()
    code = fields.String()
    client_id = Integer(allow_none=True)
    hostname = fields.String()
    fingerprint = fields.String()
    public_ip = fields.String()
    overrides = fields.Dict(keys=fields.String())


class PayloadBody(ma.Schema):
    """A generic payload of the server."""

    platform = fields.String()
    version = fields.String()
    size = Integer(minimum=0)
    sha256 = fields.String()
