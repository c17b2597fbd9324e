"""What a policy may say, and what of it does not go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tremplin_server.errors import Invalid
from tremplin_server.mail import service as mail
from tremplin_server.policies.models import SimultaneousJumps
from tremplin_server.policies.schedule import MAX_ENTRIES, entry_of, zone_named

MAX_FACTOR_MINUTES = 24 * 60
MAX_SESSION_MINUTES = 7 * 24 * 60
MAX_IDLE_MINUTES = 24 * 60
MAX_APPROVAL_MINUTES = 7 * 24 * 60
MAX_APPROVERS = 100
MAX_RECIPIENTS_LENGTH = 2000

APPROVERS = ("approver_user_ids", "approver_roles", "approver_group_ids")
_NUMBERS = (
    ("two_factor_minutes", 0, MAX_FACTOR_MINUTES),
    ("max_session_minutes", 0, MAX_SESSION_MINUTES),
    ("approval_request_minutes", 1, MAX_APPROVAL_MINUTES),
    ("approval_minutes", 1, MAX_APPROVAL_MINUTES),
)


def check_jump_policy(values: Mapping[str, Any]) -> None:
    """Raise Invalid, field by field, unless `values` make a Jump Policy.

    values: all columns that rules depend on, as they are to be.
    """
    wrong: dict[str, list[str]] = {}
    if values["schedule_strict"] and not values["schedule_enabled"]:
        wrong["schedule_strict"] = ["Needs schedule_enabled."]
    if (
        values["simultaneous_jump_behavior_applies_to_copies"]
        and values["simultaneous_jumps"] != SimultaneousJumps.JOIN
    ):
        wrong["simultaneous_jump_behavior_applies_to_copies"] = [
            "Goes with simultaneous_jumps join only."
        ]
    if zone_named(values["timezone"]) is None:
        wrong["timezone"] = ["There is no such time zone on this server."]
    wrong |= _wrong_entries(values["schedule_entries"])
    if values["approval_required"] and not any(values[name] for name in APPROVERS):
        wrong["approval_required"] = ["Somebody has to decide: name approvers."]
    for name, least, most in _NUMBERS:
        if not least <= values[name] <= most:
            wrong[name] = [
                f"Must be greater than or equal to {least} and less than or equal to {most}."
            ]
    if wrong:
        raise Invalid(wrong)
    if values["notify_recipients"]:
        _check_recipients(values["notify_recipients"])


def _wrong_entries(entries: Any) -> dict[str, list[str]]:
    if len(entries) > MAX_ENTRIES:
        return {"schedule_entries": [f"Longer than maximum length {MAX_ENTRIES}."]}
    for entry in entries:
        try:
            entry_of(entry)
        except ValueError:
            return {"schedule_entries": ["Not a span of days and times of the week."]}
    return {}


def _check_recipients(text: str) -> None:
    try:
        mail.addresses(text)
    except Invalid as error:
        raise Invalid({"notify_recipients": error.fields["recipients"]}) from None
