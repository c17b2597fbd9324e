"""What Jump Policies and session policies look like in the API."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.policies.models import SimultaneousJumps
from tremplin_server.rest import FullMatch, Integer, Query

_NAME = validate.Length(min=1, max=255)
_CODE_NAME = FullMatch(r"^[a-zA-Z0-9_-]{1,64}$")
_SIMULTANEOUS = validate.OneOf([choice.value for choice in SimultaneousJumps])


class PolicyQuery(Query):
    """Filters of the lists of policies."""

    code_name = fields.String(validate=validate.Length(max=64))


class PolicyBody(ma.Schema):
    """A Jump Policy or a session policy."""

    id = Integer()
    display_name = fields.String()
    code_name = fields.String()
    description = fields.String()


class JumpPolicyBody(PolicyBody):
    """A Jump Policy. simultaneous_jumps: what a second session on a Jump Client meets with."""

    simultaneous_jumps = fields.String(validate=_SIMULTANEOUS)


class PolicyChange(ma.Schema):
    """What can be changed about a session policy."""

    display_name = fields.String(validate=_NAME)
    code_name = fields.String(validate=_CODE_NAME)
    description = fields.String(validate=validate.Length(max=4096))


class PolicyNew(PolicyChange):
    """A new session policy."""

    display_name = fields.String(required=True, validate=_NAME)
    code_name = fields.String(required=True, validate=_CODE_NAME)


class JumpPolicyChange(PolicyChange):
    """What can be changed about a Jump Policy."""

    simultaneous_jumps = fields.String(validate=_SIMULTANEOUS)


class JumpPolicyNew(PolicyNew):
    """A new Jump Policy."""

    simultaneous_jumps = fields.String(validate=_SIMULTANEOUS)
