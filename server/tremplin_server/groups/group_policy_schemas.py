"""What group policies look like in the API."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.rest import Boolean, Integer, Query

_NAME = validate.Length(min=1, max=255)
MOST = 1000
"""Members and Jump Groups of one policy."""


class GroupPolicyQuery(Query):
    """Filters of the list of group policies."""

    name = fields.String(validate=_NAME)


class PermissionSaid(ma.Schema):
    """What a policy says of a permission. final: no later policy may say otherwise."""

    allowed = Boolean(required=True)
    final = Boolean(load_default=False)


class PlaceSaid(ma.Schema):
    """A Jump Group that members are in. Without a role they have the default one."""

    jump_group_id = Integer(required=True)
    jump_item_role_id = Integer(allow_none=True, load_default=None)
    final = Boolean(load_default=False)


class GroupPolicyChange(ma.Schema):
    """What can be changed about a group policy; a list replaces the one that was."""

    name = fields.String(validate=_NAME)
    description = fields.String(validate=validate.Length(max=4096))
    priority = Integer()
    permissions = fields.Dict(keys=fields.String(), values=fields.Nested(PermissionSaid))
    session_policy_id = Integer(allow_none=True)
    session_policy_final = Boolean()
    user_ids = fields.List(Integer(), validate=validate.Length(max=MOST))
    site_roles = fields.List(fields.String(), validate=validate.Length(max=3))
    jump_groups = fields.List(fields.Nested(PlaceSaid), validate=validate.Length(max=MOST))


class GroupPolicyNew(GroupPolicyChange):
    """A new group policy, the last one unless it has a priority."""

    name = fields.String(required=True, validate=_NAME)


class GroupPolicyBody(GroupPolicyChange):
    """A group policy."""

    id = Integer(dump_only=True)


class ReasonBody(ma.Schema):
    """Why: `site_role`, `membership`, `group_policy` (with its id and name) or `nothing`."""

    source = fields.String()
    id = fields.Integer()
    name = fields.String()
    final = fields.Boolean()


class _Held(ma.Schema):
    reason = fields.Nested(ReasonBody)
    replaced = fields.List(fields.Nested(ReasonBody))


class PermissionHeld(_Held):
    """Whether a user may, and why."""

    permission = fields.String()
    allowed = fields.Boolean()


class PlaceHeld(_Held):
    """A Jump Group that a user is in, with which role, and why."""

    jump_group_id = fields.Integer()
    jump_item_role_id = fields.Integer(allow_none=True)


class SessionPolicyHeld(_Held):
    """The session policy of a user, where a Jump Item has none, and why."""

    session_policy_id = fields.Integer(allow_none=True)


class EffectiveBody(ma.Schema):
    """All that a user has in the end."""

    permissions = fields.List(fields.Nested(PermissionHeld))
    jump_groups = fields.List(fields.Nested(PlaceHeld))
    session_policy = fields.Nested(SessionPolicyHeld)
