"""The form that makes an installer: every field of one."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from tremplin_server import pages
from tremplin_server.db import Work
from tremplin_server.groups import pages as groups
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.installers.fields import (
    LONGEST_MINUTES,
    MAX_INTEGER,
    SHORTEST_MINUTES,
    USUAL_MINUTES,
)
from tremplin_server.installers.models import Installer
from tremplin_server.policies import pages as policies

OVERRIDES = ("allow_override_",)
POLICIES = ("jump_policy_id", "attended_session_policy_id", "unattended_session_policy_id")


class InstallerForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """Properties of the Jump Clients to come, and how far the installer reaches."""

    jump_group = SelectField(_l("Jump Group"))
    name = StringField(
        _l("Name"), [Length(max=128)], description=_l("The host name when it is left empty.")
    )
    tag = StringField(_l("Tag"), [Length(max=64)])
    external_id = StringField(
        _l("External id"),
        [Length(max=255)],
        description=_l("For one machine only: its name in Ansible or Salt."),
    )
    comments = TextAreaField(_l("Comments"), [Length(max=1024)])
    jump_policy_id = SelectField(_l("Jump Policy"), coerce=int)
    attended_session_policy_id = SelectField(_l("Session policy, user present"), coerce=int)
    unattended_session_policy_id = SelectField(_l("Session policy, nobody present"), coerce=int)
    connection_type = SelectField(
        _l("Connection"),
        choices=pages.options([("active", _l("Active")), ("passive", _l("Passive"))]),
    )
    max_offline_minutes = IntegerField(
        _l("Remove after minutes offline"),
        [InputRequired(), NumberRange(0, MAX_INTEGER)],
        default=0,
        description=_l("0 follows the site."),
    )
    customer_client_start_mode = SelectField(
        _l("Customer client starts"),
        choices=pages.options(
            [
                ("normal", _l("Normal")),
                ("minimized", _l("Minimised")),
                ("hidden", _l("Hidden")),
            ]
        ),
    )
    public_site_address = StringField(_l("Public address of the site"), [Length(max=128)])
    ephemeral = BooleanField(
        _l("Short-lived hosts"), description=_l("Removed after 5 minutes offline.")
    )
    is_quiet = BooleanField(_l("Quiet"), description=_l("Sessions start minimised."))

    platform = SelectField(
        _l("Platform"),
        choices=pages.options(
            [
                ("linux-64", "Linux x86-64"),
                ("linux-arm64", "Linux ARM64"),
                ("macos-arm64", "macOS, Apple"),
                ("macos-64", "macOS, Intel"),
                ("windows-64", "Windows x64, EXE"),
                ("windows-64-msi", "Windows x64, MSI"),
            ]
        ),
    )
    valid_duration = IntegerField(
        _l("Validity in minutes"),
        [InputRequired(), NumberRange(SHORTEST_MINUTES, LONGEST_MINUTES)],
        default=USUAL_MINUTES,
        description=_l("10 minutes to one year; 1440 is a day."),
    )
    max_uses = IntegerField(
        _l("Number of uses"),
        [Optional(), NumberRange(1, MAX_INTEGER)],
        description=_l("Without a limit when it is left empty."),
    )
    on_duplicate = SelectField(
        _l("When a machine enrols again"),
        choices=pages.options(
            [
                ("replace", _l("Replace its Jump Client")),
                ("keep_both", _l("Keep both")),
                ("refuse", _l("Refuse")),
            ]
        ),
    )
    recipients = StringField(
        _l("E-mail recipients"),
        [Length(max=2000)],
        description=_l("Addresses, separated by commas."),
    )
    allow_takeover = BooleanField(
        _l("May take over a Jump Client by its external id"),
        description=_l("Any machine with this installer can then stand in for another."),
    )
    elevate_install = BooleanField(_l("Install for the whole machine (Windows)"), default=True)
    elevate_prompt = BooleanField(_l("Ask for elevation (Windows)"), default=True)

    allow_override_jump_group = BooleanField(_l("Jump Group"))
    allow_override_name = BooleanField(_l("Name"))
    allow_override_tag = BooleanField(_l("Tag"))
    allow_override_comments = BooleanField(_l("Comments"))
    allow_override_external_id = BooleanField(_l("External id"))
    allow_override_jump_policy = BooleanField(_l("Jump Policy"))
    allow_override_session_policy = BooleanField(_l("Session policies"))
    allow_override_attended_session_policy = BooleanField(_l("Session policy, user present"))
    allow_override_unattended_session_policy = BooleanField(_l("Session policy, nobody present"))
    allow_override_max_offline_minutes = BooleanField(_l("Time offline"))

    @classmethod
    def of(cls, work: Work) -> InstallerForm:
        """Return the form, filled with what was sent, else with the usual values."""
        form = cls()
        form.offer(work, None)
        return form

    @classmethod
    def showing(cls, work: Work, installer: Installer) -> InstallerForm:
        """Return the form with the values of an installer, only to be read."""
        form = cls(formdata=None, obj=installer, data={"jump_group": groups.value_of(installer)})
        form.offer(work, installer)
        return form

    def offer(self, work: Work, installer: Installer | None) -> None:
        """Fill in what can be chosen."""
        self.jump_group.choices = pages.options(groups.choices(work, installer))
        self.jump_policy_id.choices = pages.options(policies.jump_choices(work))
        for name in POLICIES[1:]:
            self[name].choices = pages.options(policies.session_choices(work))

    def values(self) -> dict[str, Any]:
        """Return the installer's fields in the service's terms; needs a form that is valid."""
        left_out = ("csrf_token", "jump_group")
        values = {k: v for k, v in self.data.items() if k not in left_out}
        values["public_site_address"] = values["public_site_address"] or ""
        for name in (*POLICIES, "external_id"):
            values[name] = values[name] or None
        kind, number = groups.parse(self.jump_group.data) or ("", 0)
        return {**values, "jump_group_type": kind, "jump_group_id": number}

    def facts(self) -> list[tuple[str, Any]]:
        """Return label and value of what was stated, in the reader's words."""
        shown = [
            (field.label.text, _said(field))
            for field in self
            if field.data and not field.name.startswith((*OVERRIDES, "csrf_token"))
        ]
        chosen = [f.label.text for f in self if f.name.startswith(OVERRIDES) and f.data]
        return [*shown, (_("Chosen at installation"), ", ".join(chosen) or _("Nothing"))]


class ExtendForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """How much longer an installer lasts, and for how many machines."""

    valid_duration = IntegerField(
        _l("Validity in minutes, from now"),
        [Optional(), NumberRange(SHORTEST_MINUTES, LONGEST_MINUTES)],
        description=_l("10 minutes to one year; 1440 is a day."),
    )
    max_uses = IntegerField(
        _l("Number of uses"),
        [Optional(), NumberRange(1, MAX_INTEGER)],
        description=_l("In all, with those that were made already."),
    )


class SendForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """To whom an installer's link goes, and in which language."""

    recipients = TextAreaField(
        _l("E-mail recipients"),
        [Length(max=8000)],
        description=_l("Addresses, separated by commas. Each gets a message of his own."),
    )
    language = SelectField(
        _l("Language"), choices=pages.options([("en", "English"), ("fr", "Français")])
    )
    note = TextAreaField(_l("A word from you"), [Length(max=1000)])


def _said(field: Any) -> str:
    if isinstance(field, BooleanField):
        return str(_("Yes") if field.data else _("No"))
    if isinstance(field, SelectField):
        return str({c.value: c.label for c in field.choices}.get(field.data, field.data))
    return "" if field.data is None else str(field.data)
