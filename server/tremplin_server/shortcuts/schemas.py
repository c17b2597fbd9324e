"""What RDP Jump Shortcuts look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.rest import MAX_ID, Boolean, Integer, Query
from tremplin_server.shortcuts.service import QUALITIES

GROUP_TYPES = ("shared", "personal")


def _text(least: int, most: int, **options: Any) -> fields.String:
    return fields.String(validate=validate.Length(min=least, max=most), **options)


def _group_type(**options: Any) -> fields.String:
    return fields.String(validate=validate.OneOf(GROUP_TYPES), **options)


def _id() -> fields.Integer:
    return fields.Integer(validate=validate.Range(min=1, max=MAX_ID))


class RdpQuery(Query):
    """Filters of the list of RDP Jump Shortcuts."""

    name = _text(1, 255)
    hostname = _text(3, 255)
    tag = _text(1, 64)
    jump_group_id = _id()
    jump_group_type = _group_type()
    jumpoint_id = _id()
    endpoint_id = _id()


class RdpChange(ma.Schema):
    """What can be changed about a shortcut.

    jumpoint_id: the Jump Client that the connection goes through; null connects directly.
    """

    name = _text(1, 128)
    jumpoint_id = Integer(allow_none=True)
    hostname = _text(1, 128)
    jump_group_id = Integer()
    jump_group_type = _group_type()
    quality = fields.String(validate=validate.OneOf(QUALITIES))
    console = Boolean()
    ignore_untrusted = Boolean()
    tag = _text(0, 64)
    comments = _text(0, 1024)
    rdp_username = _text(0, 128)
    domain = _text(0, 64)
    jump_policy_id = Integer(allow_none=True)
    session_policy_id = Integer(minimum=2, allow_none=True)


class RdpNew(RdpChange):
    """A new shortcut. jumpoint_id has to be told; null is told, too."""

    name = _text(1, 128, required=True)
    jumpoint_id = Integer(required=True, allow_none=True)
    hostname = _text(1, 128, required=True)
    jump_group_id = Integer(required=True)


class RdpBody(RdpChange):
    """An RDP Jump Shortcut."""

    id = Integer(dump_only=True)
    endpoint_id = Integer(allow_none=True, dump_only=True, dump_default=None)
