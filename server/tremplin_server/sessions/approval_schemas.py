"""What requests for approval look like in the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import marshmallow as ma
from marshmallow import fields

from tremplin_server.installers.schemas import choice, text
from tremplin_server.rest import Boolean, Integer, Query, Timestamp
from tremplin_server.sessions.approval_models import ApprovalState, JumpApproval
from tremplin_server.sessions.approvals import MAX_COMMENT, state_of

STATES = (*(state.value for state in ApprovalState), "expired")


class ApprovalQuery(Query):
    """Filters of the list of requests."""

    state = choice(*STATES)


class ApprovalBody(ma.Schema):
    """A request to start a session.

    state: `expired` when nobody decided in time, `over` when the time of an approval is up.
    """

    id = Integer()
    item_kind = choice("client", "shortcut")
    item_id = Integer()
    item_name = fields.String()
    jump_policy_id = Integer()
    policy_name = fields.String()
    requester = fields.String()
    requester_kind = choice("user", "api_account", "cli", "system")
    requester_id = Integer(minimum=0)
    reason = fields.String()
    ticket_id = fields.String()
    state = choice(*STATES, "over")
    created_at = Timestamp()
    expires_at = Timestamp()
    decided_by = fields.String()
    decided_at = Timestamp(allow_none=True)
    comment = fields.String()
    valid_until = Timestamp(allow_none=True)
    for_anyone = Boolean()


class DecisionNew(ma.Schema):
    """A decision; the comment is told to who asked."""

    comment = text(0, MAX_COMMENT, load_default="")


def shown(approval: JumpApproval, now: datetime) -> dict[str, Any]:
    """Return what `ApprovalBody` dumps of a request as of now."""
    found = {name: getattr(approval, name) for name in ApprovalBody().fields}
    return {**found, "state": state_of(approval, now)}
