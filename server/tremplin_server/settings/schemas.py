"""What settings look like in the API; their names, types and bounds are the service's."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server import rest
from tremplin_server.config import least, most
from tremplin_server.settings.service import CHOICES, NAMES, NUMBERS, Shown

_LONGEST = 255
SOURCES = ("default", "file", "environment", "database")


class SettingBody(ma.Schema):
    """One setting. `fixed` ones are stated in the server's configuration and change there only."""

    name = fields.String()
    type = fields.String(validate=validate.OneOf(("integer", "choice", "string")))
    value = fields.Raw()
    default = fields.Raw()
    minimum = fields.Integer(allow_none=True)
    maximum = fields.Integer(allow_none=True)
    choices = fields.List(fields.String(), allow_none=True)
    source = fields.String(validate=validate.OneOf(SOURCES))
    fixed = fields.Boolean()


def body_of(shown: Shown) -> dict[str, object]:
    """Return what `SettingBody` dumps."""
    number, choices = shown.name in NUMBERS, CHOICES.get(shown.name)
    return {
        "name": shown.name,
        "type": "integer" if number else "choice" if choices else "string",
        "value": shown.value,
        "default": shown.default,
        "minimum": least(shown.name) if number else None,
        "maximum": most(shown.name) if number else None,
        "choices": list(choices) if choices else None,
        "source": shown.source,
        "fixed": shown.fixed,
    }


def _field(name: str) -> fields.Field[Any]:
    if name in NUMBERS:
        return rest.Integer(minimum=least(name), maximum=most(name))
    if name in CHOICES:
        return fields.String(validate=validate.OneOf(CHOICES[name]))
    return fields.String(validate=validate.Length(max=_LONGEST))


SettingChanges = ma.Schema.from_dict({name: _field(name) for name in NAMES}, name="SettingChanges")
"""Name → value of the settings to change; those that are left out stay."""
