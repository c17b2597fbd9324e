"""The forms of the console's dialogues."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import Length, NumberRange, Optional

from tremplin_server import pages
from tremplin_server.clients.forms import POLICIES
from tremplin_server.db import Work
from tremplin_server.groups import pages as groups
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.policies import pages as policies

_SAME = "same"
_SWITCHES = ("ephemeral", "pinned_forever")


class ManyPropertiesForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What is changed of several Jump Clients at once; what is left alone stays as it is."""

    jump_group = SelectField(_l("Jump Group"))
    change_tag = BooleanField(_l("Change the tag"))
    tag = StringField(_l("New tag"), [Length(max=64)])
    change_comments = BooleanField(_l("Change the comments"))
    comments = TextAreaField(_l("New comments"), [Length(max=1024)])
    jump_policy_id = SelectField(_l("Jump Policy"))
    attended_session_policy_id = SelectField(_l("Session policy, user present"))
    unattended_session_policy_id = SelectField(_l("Session policy, nobody present"))
    connection_type = SelectField(_l("Connection"), default=_SAME)
    max_offline_minutes = IntegerField(
        _l("Remove after minutes offline"),
        [Optional(), NumberRange(0, 2_147_483_647)],
        description=_l("Empty leaves it as it is; 0 follows the site."),
    )
    ephemeral = SelectField(_l("Short-lived host"))
    pinned_forever = SelectField(_l("Keep for ever"))

    @classmethod
    def of(cls, work: Work) -> ManyPropertiesForm:
        """Return the form, filled with what was sent."""
        form = cls()
        same = [(_SAME, _("As it is"))]
        form.jump_group.choices = pages.options([*same, *groups.choices(work)])
        form.jump_policy_id.choices = pages.options([*same, *policies.jump_choices(work)])
        for name in POLICIES[1:]:
            form[name].choices = pages.options([*same, *policies.session_choices(work)])
        kinds = [("active", _("Active")), ("passive", _("Passive"))]
        form.connection_type.choices = pages.options([*same, *kinds])
        for name in _SWITCHES:
            form[name].choices = pages.options([*same, ("yes", _("Yes")), ("no", _("No"))])
        return form

    def changes(self) -> dict[str, Any]:
        """Return what to change, in the terms of the clients' service."""
        changes: dict[str, Any] = {
            name: self[name].data for name in ("tag", "comments") if self[f"change_{name}"].data
        }
        for name in POLICIES:
            if self[name].data != _SAME:
                changes[name] = int(self[name].data) or None
        if self.connection_type.data != _SAME:
            changes["connection_type"] = self.connection_type.data
        for name in _SWITCHES:
            if self[name].data != _SAME:
                changes[name] = self[name].data == "yes"
        if self.max_offline_minutes.data is not None:
            changes["max_offline_minutes"] = self.max_offline_minutes.data
        group = groups.parse(self.jump_group.data)
        if group:
            changes["jump_group_type"], changes["jump_group_id"] = group
        return changes
