"""What the audit log looks like in the API."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.rest import MAX_ID, Query, Timestamp


class AuditQuery(Query):
    """Filters of the audit log."""

    action = fields.String(validate=validate.Length(min=1, max=64))
    actor_name = fields.String(validate=validate.Length(min=1, max=255))
    subject_kind = fields.String(validate=validate.Length(min=1, max=32))
    subject_id = fields.Integer(validate=validate.Range(min=0, max=MAX_ID))


class AuditBody(ma.Schema):
    """One event: who did what, when, from where, and why."""

    id = fields.Integer()
    at = Timestamp()
    actor_kind = fields.String()
    actor_id = fields.Integer()
    actor_name = fields.String()
    source_ip = fields.String()
    action = fields.String()
    subject_kind = fields.String()
    subject_id = fields.Integer()
    subject_name = fields.String()
    reason = fields.String()
    detail = fields.Dict()
