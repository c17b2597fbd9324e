"""The form of an RDP Jump Shortcut."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from tremplin_server import pages
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, NotFound
from tremplin_server.groups import pages as groups
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.policies import pages as policies
from tremplin_server.sessions import naming
from tremplin_server.shortcuts.models import RdpShortcut

_POLICIES = ("jump_policy_id", "session_policy_id")


class RdpForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """Where a shortcut leads, and how it connects."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=128)])
    hostname = StringField(
        _l("Host name or IP address"),
        [InputRequired(), Length(max=128)],
        description=_l("With :port when it is not 3389."),
    )
    jump_group = SelectField(_l("Jump Group"))
    through = StringField(
        _l("Jump Client to go through"),
        [Length(max=255)],
        description=_l(
            "Its name or number; it finds the computer in its own network. Empty: directly."
        ),
    )
    rdp_username = StringField(_l("User name"), [Length(max=128)])
    domain = StringField(_l("Domain"), [Length(max=64)])
    quality = SelectField(
        _l("Quality"),
        default="best_performance",
        choices=pages.options(
            [
                ("low", _l("Low: for slow lines")),
                ("performance", _l("Performance")),
                ("performance_quality", _l("Performance and quality")),
                ("quality", _l("Quality")),
                ("best_performance", _l("As the line allows")),
                ("lossless", _l("Lossless")),
            ]
        ),
    )
    console = BooleanField(_l("Console session"))
    ignore_untrusted = BooleanField(
        _l("Connect even if the certificate cannot be verified"),
        description=_l("Somebody in between could then read and type along."),
    )
    tag = StringField(_l("Tag"), [Length(max=64)])
    comments = TextAreaField(_l("Comments"), [Length(max=1024)])
    jump_policy_id = SelectField(_l("Jump Policy"), coerce=int)
    session_policy_id = SelectField(_l("Session policy"), coerce=int)

    @classmethod
    def of(cls, work: Work, shortcut: RdpShortcut | None = None) -> RdpForm:
        """Return the form: what was sent, else the values of a shortcut, else usual ones."""
        data = None
        if shortcut:
            client = shortcut.jumpoint_id
            through = f"id-{client}" if client else ""
            data = {"jump_group": groups.value_of(shortcut), "through": through}
        form = cls(obj=shortcut, data=data)
        form.jump_group.choices = pages.options(groups.choices(work, shortcut))
        form.jump_policy_id.choices = pages.options(policies.jump_choices(work))
        form.session_policy_id.choices = pages.options(policies.session_choices(work))
        form.locked, form.closed = set(), False
        if shortcut:
            groups.lock(work, form, shortcut)
        return form

    def values(self, work: Work) -> dict[str, Any]:
        """Return the values in the service's terms; needs a form that is valid.

        Raises Invalid (through) and Conflict (bastion.ambiguous) for a Jump Client that the
        actor does not see, or that is not the only one of its name.
        """
        own = {"csrf_token", "jump_group", "through", *self.locked}
        values = {k: v for k, v in self.data.items() if k not in own}
        for name in values.keys() & set(_POLICIES):
            values[name] = values[name] or None
        for name in values.keys() & {"tag", "comments", "rdp_username", "domain"}:
            values[name] = (values[name] or "").strip()
        if "through" not in self.locked:
            values["jumpoint_id"] = _client(work, (self.through.data or "").strip())
        if "jump_group" not in self.locked:
            group = groups.parse(self.jump_group.data) or ("", 0)
            values["jump_group_type"], values["jump_group_id"] = group
        return values


def _client(work: Work, word: str) -> int | None:
    if not word:
        return None
    try:
        return naming.resolve(work, word).id
    except NotFound as error:
        raise Invalid({"through": ["There is no such Jump Client."]}) from error
