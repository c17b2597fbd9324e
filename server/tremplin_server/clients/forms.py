"""The forms of Jump Clients."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateTimeLocalField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from tremplin_server import pages
from tremplin_server.clients import copies, service
from tremplin_server.clients.models import ClientCopy, JumpClient
from tremplin_server.db import Work
from tremplin_server.groups import pages as groups
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.policies import pages as policies

POLICIES = ("jump_policy_id", "attended_session_policy_id", "unattended_session_policy_id")


def utc(moment: datetime | None) -> datetime | None:
    """Return what a form has, which knows no zone, as a time in UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def unlocked(form: FlaskForm, values: dict[str, Any]) -> dict[str, Any]:
    """Return what a form of an item says in the service's terms, without locked fields.

    values: its data as far as the form itself turned it into those terms.
    """
    said = {**values, "remove_at": utc(values["remove_at"])}
    said["jump_group_type"], said["jump_group_id"] = groups.parse(form.jump_group.data) or ("", 0)
    kept_back = set(form.locked)
    if "jump_group" in kept_back:
        kept_back |= {"jump_group_type", "jump_group_id"}
    return {k: v for k, v in said.items() if k not in kept_back}


class ReasonForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """Why something is removed: kept in the audit log."""

    reason = StringField(
        _l("Reason"),
        [Length(max=500)],
        description=_l("Kept in the audit log."),
        render_kw={"autocomplete": "off"},
    )


class PropertiesForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What can be changed of a Jump Client."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=128)])
    jump_group = SelectField(_l("Jump Group"))
    tag = StringField(_l("Tag"), [Length(max=64)])
    comments = TextAreaField(_l("Comments"), [Length(max=1024)])
    external_id = StringField(
        _l("External id"),
        [Length(max=255)],
        description=_l("The machine's name in Ansible or Salt."),
    )
    jump_policy_id = SelectField(_l("Jump Policy"), coerce=int)
    attended_session_policy_id = SelectField(_l("Session policy, user present"), coerce=int)
    unattended_session_policy_id = SelectField(_l("Session policy, nobody present"), coerce=int)
    connection_type = SelectField(
        _l("Connection"),
        choices=pages.options([("active", _l("Active")), ("passive", _l("Passive"))]),
        description=_l("A passive one checks in at intervals and is woken for a session."),
    )
    max_offline_minutes = IntegerField(
        _l("Remove after minutes offline"),
        [InputRequired(), NumberRange(0, 2_147_483_647)],
        description=_l("0 follows the site."),
    )
    ephemeral = BooleanField(
        _l("Short-lived host"), description=_l("Removed after 5 minutes offline.")
    )
    pinned_forever = BooleanField(
        _l("Keep for ever"), description=_l("Never removed for being offline.")
    )

    remove_at = DateTimeLocalField(
        _l("Remove on (UTC)"),
        [Optional()],
        format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        description=_l("Host and record are removed then; empty for no date."),
    )

    @classmethod
    def of(cls, work: Work, client: JumpClient) -> PropertiesForm:
        """Return the form, filled with what was sent, else with the client's values."""
        form = cls(obj=client, data={"jump_group": groups.value_of(client)})
        form.client_id = client.id
        form.jump_group.choices = pages.options(groups.choices(work, client))
        form.jump_policy_id.choices = pages.options(policies.jump_choices(work))
        for name in POLICIES[1:]:
            form[name].choices = pages.options(policies.session_choices(work))
        groups.lock(work, form, client)
        return form

    def save(self, work: Work) -> None:
        """Change the client to what the form says; needs a form that is valid."""
        service.update(work, self.client_id, self.changes())

    def changes(self) -> dict[str, Any]:
        """Return the properties in the service's terms."""
        values = {k: v for k, v in self.data.items() if k not in ("csrf_token", "jump_group")}
        for name in POLICIES:
            values[name] = values[name] or None
        values["external_id"] = values["external_id"] or None
        return unlocked(self, values)


class CopyForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What can be changed of a copy of a Jump Client, or stated of a new one."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=128)])
    jump_group = SelectField(_l("Jump Group"))
    tag = StringField(_l("Tag"), [Length(max=64)])
    comments = TextAreaField(_l("Comments"), [Length(max=1024)])
    jump_policy_id = SelectField(_l("Jump Policy"), coerce=int)
    attended_session_policy_id = SelectField(_l("Session policy, user present"), coerce=int)
    unattended_session_policy_id = SelectField(_l("Session policy, nobody present"), coerce=int)
    remove_at = DateTimeLocalField(
        _l("Remove on (UTC)"),
        [Optional()],
        format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        description=_l("The copy is removed then; empty for no date."),
    )

    @classmethod
    def of(cls, work: Work, place: JumpClient | ClientCopy, *, new: bool = False) -> CopyForm:
        """Return the form, filled with what was sent, else with the values of `place`.

        new: it makes a copy of `place`, and does not change one.
        """
        form = cls(obj=place, data={"jump_group": groups.value_of(place)})
        form.place = place
        form.jump_group.choices = pages.options(groups.choices(work, place))
        form.jump_policy_id.choices = pages.options(policies.jump_choices(work))
        for name in POLICIES[1:]:
            form[name].choices = pages.options(policies.session_choices(work))
        groups.lock(work, form, place, POLICIES if new else ())
        return form

    def save(self, work: Work) -> None:
        """Change the copy to what the form says; needs a form that is valid."""
        copies.update(work, self.place.id, self.values())

    def make(self, work: Work) -> ClientCopy:
        """Add a copy as the form says; needs a form that is valid."""
        return copies.make(work, self.place, self.values())

    def values(self) -> dict[str, Any]:
        """Return the properties in the service's terms."""
        values = {k: v for k, v in self.data.items() if k not in ("csrf_token", "jump_group")}
        for name in POLICIES:
            values[name] = values[name] or None
        return unlocked(self, values)
