"""What Jump Policies and session policies look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.permissions import Role
from tremplin_server.policies.limits import (
    MAX_APPROVAL_MINUTES,
    MAX_APPROVERS,
    MAX_FACTOR_MINUTES,
    MAX_IDLE_MINUTES,
    MAX_RECIPIENTS_LENGTH,
    MAX_SESSION_MINUTES,
)
from tremplin_server.policies.models import JumpPolicy, SimultaneousJumps
from tremplin_server.policies.schedule import MAX_ENTRIES
from tremplin_server.rest import Boolean, FullMatch, Integer, Query

_NAME = validate.Length(min=1, max=255)
_CODE_NAME = FullMatch(r"^[a-zA-Z0-9_-]{1,64}$")
_TIME = FullMatch(r"([01]\d|2[0-3]):[0-5]\d")
_SCHEDULE = {
    "type": "object",
    "properties": {
        "timezone": {"type": "string"},
        "entries": {"type": "array", "items": {"type": "object"}},
    },
}
_SIMULTANEOUS = validate.OneOf([choice.value for choice in SimultaneousJumps])


class PolicyQuery(Query):
    """Filters of the lists of policies."""

    code_name = fields.String(validate=validate.Length(max=64))


class PolicyBody(ma.Schema):
    """What policies of both kinds have."""

    id = Integer()
    display_name = fields.String()
    code_name = fields.String()
    description = fields.String()


class ScheduleEntryBody(ma.Schema):
    """A span of the week; 0 is Monday. An end that is not after the start is in the next week."""

    start_day = Integer(required=True, minimum=0, maximum=6)
    start_time = fields.String(required=True, validate=_TIME)
    end_day = Integer(required=True, minimum=0, maximum=6)
    end_time = fields.String(required=True, validate=_TIME)


class ScheduleBody(ma.Schema):
    """When a Jump Policy is open. timezone: an IANA name, such as Europe/Paris."""

    timezone = fields.String(validate=validate.Length(min=1, max=64))
    entries = fields.List(
        fields.Nested(ScheduleEntryBody), validate=validate.Length(max=MAX_ENTRIES)
    )


class SessionPolicyRules(ma.Schema):
    """What a session policy allows inside a session. idle_minutes: 0 is what the site has."""

    allow_shell = Boolean()
    allow_exec = Boolean()
    allow_upload = Boolean()
    allow_download = Boolean()
    allow_forward = Boolean()
    record = Boolean()
    idle_minutes = Integer(minimum=0, maximum=MAX_IDLE_MINUTES)


class SessionPolicyBody(PolicyBody, SessionPolicyRules):
    """A session policy."""


class JumpPolicyRules(ma.Schema):
    """What a Jump Policy asks of a session."""

    simultaneous_jumps = fields.String(validate=_SIMULTANEOUS)
    simultaneous_jumps_rdp = fields.String(
        validate=validate.OneOf(["global", "new_session", "disallow"])
    )
    simultaneous_jump_behavior_applies_to_copies = Boolean()
    schedule_enabled = Boolean()
    schedule_strict = Boolean()
    reason_required = Boolean()
    ticket_id_required = Boolean()
    two_factor_challenge_required = Boolean()
    two_factor_minutes = Integer(minimum=0, maximum=MAX_FACTOR_MINUTES)
    approval_required = Boolean()
    approver_user_ids = fields.List(Integer(), validate=validate.Length(max=MAX_APPROVERS))
    approver_roles = fields.List(
        fields.String(validate=validate.OneOf([role.value for role in Role])),
        validate=validate.Length(max=len(Role)),
    )
    approver_group_ids = fields.List(Integer(), validate=validate.Length(max=MAX_APPROVERS))
    approval_request_minutes = Integer(minimum=1, maximum=MAX_APPROVAL_MINUTES)
    approval_minutes = Integer(minimum=1, maximum=MAX_APPROVAL_MINUTES)
    approval_for_anyone = Boolean()
    max_session_minutes = Integer(minimum=0, maximum=MAX_SESSION_MINUTES)
    notify_recipients = fields.String(validate=validate.Length(max=MAX_RECIPIENTS_LENGTH))


class JumpPolicyBody(PolicyBody, JumpPolicyRules):
    """A Jump Policy. simultaneous_jumps: what a second technician on a Jump Client meets with.

    two_factor_minutes: how old the proof of the second factor may be; 0 wants a code at every
    start. max_session_minutes: 0 for no limit of the policy's own. notify_recipients:
    addresses that are written to when a session starts and ends. approver_…: who decides
    requests: users, everybody in a role of the site, members of Jump Groups.
    approval_request_minutes: how long a request may wait; approval_minutes: how long sessions
    may start once it is approved.
    """

    schedule = fields.Function(lambda policy: schedule_body(policy), metadata=_SCHEDULE)


class PolicyChange(ma.Schema):
    """What can be changed about a policy of either kind."""

    display_name = fields.String(validate=_NAME)
    code_name = fields.String(validate=_CODE_NAME)
    description = fields.String(validate=validate.Length(max=4096))


class PolicyNew(PolicyChange):
    """A new policy of either kind. Without a code name one is made of the name."""

    display_name = fields.String(required=True, validate=_NAME)
    code_name = fields.String(validate=_CODE_NAME)


class JumpPolicyChange(PolicyChange, JumpPolicyRules):
    """What can be changed about a Jump Policy."""

    schedule = fields.Nested(ScheduleBody)

    @ma.post_load
    def _flat(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return columns of the policy."""
        schedule = values.pop("schedule", {})
        names = {"timezone": "timezone", "entries": "schedule_entries"}
        return values | {names[name]: value for name, value in schedule.items()}


class JumpPolicyNew(JumpPolicyChange, PolicyNew):
    """A new Jump Policy.

    schedule_enabled: when it is not given, whether the schedule has entries.
    """


def schedule_body(policy: JumpPolicy) -> dict[str, Any]:
    """Return the schedule of a policy as the API has it."""
    return {"timezone": policy.timezone, "entries": policy.schedule_entries}


class SessionPolicyChange(PolicyChange, SessionPolicyRules):
    """What can be changed about a session policy."""


class SessionPolicyNew(PolicyNew, SessionPolicyRules):
    """A new session policy."""
