"""The API of doing one thing to many Jump Clients."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask.views import MethodView
from marshmallow import fields

from tremplin_server import rest
from tremplin_server.clients import bulk
from tremplin_server.clients.api import blp as blp
from tremplin_server.clients.schemas import ClientChange, ClientQuery
from tremplin_server.errors import Invalid
from tremplin_server.i18n import language
from tremplin_server.installers.fields import MAX_INTEGER
from tremplin_server.installers.schemas import choice, text
from tremplin_server.rest import Boolean, Integer


class Filters(ClientQuery):
    """The filters of the list, in a body; what is done to many has no order and no pages."""

    class Meta:
        exclude = ("per_page", "current_page", "sort")


class BulkNew(ma.Schema):
    """What to do to whom. dry_run: only count; it is on unless it is switched off."""

    filters = fields.Nested(Filters, required=True)
    action = choice(*(action.value for action in bulk.Action), required=True)
    changes = fields.Nested(ClientChange, load_default=dict)
    reason = text(0, 1024, load_default="")
    after = fields.Integer(load_default=0, validate=ma.validate.Range(min=0, max=MAX_INTEGER))
    dry_run = Boolean(load_default=True)


class FailureBody(ma.Schema):
    """A Jump Client that nothing was done to."""

    id = Integer()
    name = fields.String()
    code = fields.String()
    message = fields.String()


class BulkBody(ma.Schema):
    """What came of it. matched: from `after` on; remaining: send `last` as `after` for them."""

    dry_run = Boolean()
    matched = Integer()
    done = fields.List(fields.Integer())
    failed = fields.List(fields.Nested(FailureBody))
    last = Integer()
    remaining = Integer()


@blp.route("/bulk")
class Bulk(MethodView):
    """Many Jump Clients at once."""

    @blp.arguments(BulkNew)
    @blp.response(200, BulkBody)
    def post(self, values: dict[str, Any]) -> dict[str, Any]:
        """Change, delete, uninstall or wake the next 500 Jump Clients that the filters find."""
        dry = values["dry_run"]
        do = bulk.deed(bulk.Action(values["action"]), values["changes"], values["reason"])
        if bulk.Action(values["action"]).removes and not values["filters"]:
            raise Invalid({"filters": ["Missing data for required field."]})
        with rest.reading() if dry else rest.writing() as work:
            ids, total = bulk.found(work, values["filters"], values["after"])
            outcome = bulk.Outcome([]) if dry else bulk.apply(work, ids, do)
        failed = [
            {"id": f.id, "name": f.name, "code": f.error.code, "message": f.error.text(language())}
            for f in outcome.failed
        ]
        return {
            "dry_run": dry,
            "matched": total,
            "done": outcome.done,
            "failed": failed,
            "last": ids[-1] if ids else values["after"],
            "remaining": total - len(ids),
        }
