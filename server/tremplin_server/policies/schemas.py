"""What Jump Policies and session policies look like in the API."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.rest import Integer, Query


class PolicyQuery(Query):
    """Filters of the lists of policies."""

    code_name = fields.String(validate=validate.Length(max=64))


class PolicyBody(ma.Schema):
    """A Jump Policy or a session policy."""

    id = Integer()
    display_name = fields.String()
    code_name = fields.String()
    description = fields.String()
