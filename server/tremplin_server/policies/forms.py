"""The forms of policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp
from wtforms.widgets import TimeInput

from tremplin_server import pages
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.policies.limits import (
    MAX_APPROVAL_MINUTES,
    MAX_FACTOR_MINUTES,
    MAX_IDLE_MINUTES,
    MAX_RECIPIENTS_LENGTH,
    MAX_SESSION_MINUTES,
)
from tremplin_server.policies.models import JumpPolicy, SimultaneousJumps
from tremplin_server.policies.schedule import MAX_ENTRIES

_ROWS = 7
_SPARE = 2
"""Empty rows of the schedule below those that are filled."""


class PolicyForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A policy of either kind."""

    display_name = StringField(_l("Name"), [InputRequired(), Length(max=255)])
    code_name = StringField(
        _l("Code name"),
        [
            InputRequired(),
            Regexp(r"^[a-zA-Z0-9_-]{1,64}$", message=_l("Letters, digits, _ and - only.")),
        ],
        description=_l("For installers and scripts."),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    description = TextAreaField(_l("Description"), [Length(max=4096)], render_kw={"rows": 3})

    def values(self) -> dict[str, Any]:
        """Return what was typed, as the service takes it."""
        return {name: value for name, value in self.data.items() if name != "csrf_token"}


class SessionPolicyForm(PolicyForm):
    """A session policy."""

    allow_shell = BooleanField(_l("Open shells"), default=True)
    allow_exec = BooleanField(
        _l("Run commands"),
        default=True,
        description=_l("A shell or a command can move files, too."),
    )
    allow_download = BooleanField(_l("Download files"), default=True)
    allow_upload = BooleanField(_l("Upload and change files"), default=True)
    allow_forward = BooleanField(_l("Forward to ports of the host"), default=True)
    record = BooleanField(_l("Record terminals"), default=True)
    idle_minutes = IntegerField(
        _l("End after so many minutes without a byte"),
        [Optional(), NumberRange(0, MAX_IDLE_MINUTES)],
        default=0,
        description=_l("0: as the site has it."),
    )

    def values(self) -> dict[str, Any]:
        values = super().values()
        return {**values, "idle_minutes": values["idle_minutes"] or 0}


class EntryForm(Form):  # type: ignore[misc] # the package has no types
    """A row of the schedule; without a first day it counts for nothing."""

    # The service says what is wrong with a row: one sentence for all of them.
    start_day = SelectField(_l("From"), validate_choice=False)
    start_time = StringField(_l("From, time"), widget=TimeInput())
    end_day = SelectField(_l("To"), validate_choice=False)
    end_time = StringField(_l("To, time"), widget=TimeInput())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        choices = pages.options((("", "–"), *((str(n), day) for n, day in enumerate(_days()))))
        self.start_day.choices = choices
        self.end_day.choices = choices

    def entry(self) -> dict[str, Any] | None:
        """Return the entry as the service takes it; None for an empty row."""
        if not self.start_day.data:
            return None
        end_day = self.end_day.data or self.start_day.data
        return {
            "start_day": _day(self.start_day.data),
            "start_time": (self.start_time.data or "")[:5],
            "end_day": _day(end_day),
            "end_time": (self.end_time.data or "")[:5],
        }


class JumpPolicyForm(PolicyForm):
    """A Jump Policy."""

    simultaneous_jumps = SelectField(_l("A second technician on the same Jump Client"))
    schedule_enabled = BooleanField(
        _l("Sessions start within the schedule only"),
        description=_l("Without any row nobody gets in."),
    )
    schedule_strict = BooleanField(
        _l("The end of an opening ends the sessions that run"),
        description=_l("Technicians are warned in the terminal before."),
    )
    timezone = StringField(
        _l("Time zone"),
        [Length(max=64)],
        description=_l("A name of the IANA database, such as Europe/Paris."),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    entries = FieldList(FormField(EntryForm), max_entries=MAX_ENTRIES)
    schedule_entries = HiddenField()
    """Carries what is wrong with the rows; see `values`."""
    reason_required = BooleanField(_l("A reason is required"))
    ticket_id_required = BooleanField(_l("A ticket id is required"))
    two_factor_challenge_required = BooleanField(
        _l("The second factor is asked again"),
        description=_l("Whoever has none cannot start a session, nor can programs."),
    )
    two_factor_minutes = IntegerField(
        _l("How long one code counts, in minutes"),
        [Optional(), NumberRange(0, MAX_FACTOR_MINUTES)],
        description=_l("0: every session wants a code of its own."),
    )
    approval_required = BooleanField(_l("An approval is required"))
    approver_user_ids = SelectMultipleField(_l("Approvers: users"), coerce=int)
    approver_roles = SelectMultipleField(_l("Approvers: everybody who is"))
    approver_group_ids = SelectMultipleField(_l("Approvers: members of Jump Groups"), coerce=int)
    approval_request_minutes = IntegerField(
        _l("How long a request may wait, in minutes"),
        [Optional(), NumberRange(1, MAX_APPROVAL_MINUTES)],
        default=60,
    )
    approval_minutes = IntegerField(
        _l("How long sessions may start once it is approved, in minutes"),
        [Optional(), NumberRange(1, MAX_APPROVAL_MINUTES)],
        default=60,
    )
    approval_for_anyone = BooleanField(_l("An approval counts for every technician"))
    max_session_minutes = IntegerField(
        _l("Longest session, in minutes"),
        [Optional(), NumberRange(0, MAX_SESSION_MINUTES)],
        description=_l("0: as long as the site allows."),
    )
    notify_recipients = StringField(
        _l("E-mail addresses that are told when a session starts and ends"),
        [Length(max=MAX_RECIPIENTS_LENGTH)],
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        policy: JumpPolicy | None = options.get("obj")
        if policy is not None:
            options["entries"] = [_row(entry) for entry in policy.schedule_entries]
        super().__init__(*args, **options)
        if policy is None and not self.is_submitted():
            self.timezone.data = "UTC"
        self.simultaneous_jumps.choices = pages.options(
            (
                (SimultaneousJumps.GLOBAL.value, _("As the site has it")),
                (SimultaneousJumps.JOIN.value, _("Is allowed")),
                (SimultaneousJumps.DISALLOW.value, _("Is refused")),
            )
        )
        if not self.is_submitted():
            wanted = min(MAX_ENTRIES, max(_ROWS, len(self.entries) + _SPARE))
            while len(self.entries) < wanted:
                self.entries.append_entry({})

    def offer(
        self,
        users: Sequence[tuple[int, str]],
        roles: Sequence[tuple[str, str]],
        groups: Sequence[tuple[int, str]],
    ) -> None:
        """Say whom the form may name as approvers."""
        self.approver_user_ids.choices = pages.options(users)
        self.approver_roles.choices = pages.options(roles)
        self.approver_group_ids.choices = pages.options(groups)
        for field, offered in (
            (self.approver_user_ids, {number for number, _name in users}),
            (self.approver_group_ids, {number for number, _name in groups}),
        ):
            # Whoever is gone since cannot be ticked, and must not stand in the way.
            field.data = [number for number in field.data or () if number in offered]

    def values(self) -> dict[str, Any]:
        values = super().values()
        del values["entries"]
        found = (row.form.entry() for row in self.entries)
        values["schedule_entries"] = [entry for entry in found if entry is not None]
        for name in ("two_factor_minutes", "max_session_minutes"):
            values[name] = values[name] or 0
        for name in ("approval_request_minutes", "approval_minutes"):
            values[name] = values[name] or 60
        values["timezone"] = (values["timezone"] or "UTC").strip()
        values["notify_recipients"] = (values["notify_recipients"] or "").strip()
        return values


def _day(chosen: str) -> int:
    return int(chosen) if chosen in "0123456" else -1


def _row(entry: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in entry.items()}


def _days() -> tuple[str, ...]:
    return (
        _("Monday"),
        _("Tuesday"),
        _("Wednesday"),
        _("Thursday"),
        _("Friday"),
        _("Saturday"),
        _("Sunday"),
    )
