"""What the status of the site looks like in the API."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from tremplin_server.rest import Timestamp


class WorkerBody(ma.Schema):
    """A server process that runs."""

    id = fields.String()
    host = fields.String()
    pid = fields.Integer()
    started_at = Timestamp()
    heartbeat_at = Timestamp()


class CertificateBody(ma.Schema):
    """The certificate of the server."""

    subject = fields.String()
    expires_at = Timestamp()
    is_own = fields.Boolean()
    is_soon = fields.Boolean()


class LimitBody(ma.Schema):
    """How much of something is used; `most` 0 is no limit."""

    name = fields.String()
    used = fields.Integer()
    most = fields.Integer()


class StatusBody(ma.Schema):
    """How the site is. Who does not administer gets no workers, certificate and limits."""

    version = fields.String()
    clients = fields.Dict(keys=fields.String(), values=fields.Integer())
    outdated = fields.Integer()
    sessions = fields.Integer()
    workers = fields.List(fields.Nested(WorkerBody))
    certificate = fields.Nested(CertificateBody, allow_none=True)
    limits = fields.List(fields.Nested(LimitBody))
