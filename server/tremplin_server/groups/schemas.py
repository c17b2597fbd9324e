"""What Jump Groups look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.rest import Boolean, FullMatch, Integer, Query

_NAME = validate.Length(min=1, max=255)
_CODE_NAME = FullMatch(r"^[a-zA-Z0-9_-]{1,64}$")


class GroupQuery(Query):
    """Filters of the list of Jump Groups."""

    name = fields.String(validate=_NAME)
    code_name = fields.String(validate=validate.Length(max=64))


class GroupChange(ma.Schema):
    """What can be changed about a Jump Group."""

    name = fields.String(validate=_NAME)
    code_name = fields.String(validate=_CODE_NAME)
    comments = fields.String(allow_none=True, validate=validate.Length(max=4096))


class GroupNew(GroupChange):
    """A new Jump Group; without a code name one is made of the name."""

    name = fields.String(required=True, validate=_NAME)


class GroupBody(GroupChange):
    """A Jump Group."""

    id = Integer(dump_only=True)


class MemberChange(ma.Schema):
    """Another Jump Item Role for a member; null means the user's default one."""

    jump_item_role_id = Integer(allow_none=True)


class MemberNew(MemberChange):
    """A user to add to a Jump Group."""

    user_id = Integer(required=True)


class MemberBody(ma.Schema):
    """A member of a Jump Group; without a role of its own when that is left out."""

    user_id = Integer()
    jump_item_role_id = Integer()

    @ma.post_dump
    def _leave_out(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {k: v for k, v in body.items() if v is not None}


class RoleQuery(Query):
    """Filters of the list of Jump Item Roles."""

    name = fields.String(validate=_NAME)


class RoleChange(ma.Schema):
    """What can be changed about a Jump Item Role."""

    name = fields.String(validate=_NAME)
    description = fields.String(validate=validate.Length(max=4096))
    perm_add = Boolean()
    perm_assign_jump_group = Boolean()
    perm_remove = Boolean()
    perm_start = Boolean()
    perm_edit_tag = Boolean()
    perm_edit_comments = Boolean()
    perm_edit_jump_policy = Boolean()
    perm_edit_session_policy = Boolean()
    perm_edit_identity = Boolean()
    perm_edit_behavior = Boolean()
    perm_edit_public_portal = Boolean()
    perm_edit_support_button = Boolean()
    perm_view_jump_item_report = Boolean()


class RoleNew(RoleChange):
    """A new Jump Item Role; what is left out is not allowed."""

    name = fields.String(required=True, validate=_NAME)


class RoleBody(ma.Schema):
    """What a member may do with the Jump Items of a group."""

    id = Integer()
    name = fields.String()
    description = fields.String()
    perm_add = fields.Boolean()
    perm_assign_jump_group = fields.Boolean()
    perm_remove = fields.Boolean()
    perm_start = fields.Boolean()
    perm_edit_tag = fields.Boolean()
    perm_edit_comments = fields.Boolean()
    perm_edit_jump_policy = fields.Boolean()
    perm_edit_session_policy = fields.Boolean()
    perm_edit_identity = fields.Boolean()
    perm_edit_behavior = fields.Boolean()
    perm_edit_public_portal = fields.Boolean()
    perm_edit_support_button = fields.Boolean()
    perm_view_jump_item_report = fields.Boolean()
