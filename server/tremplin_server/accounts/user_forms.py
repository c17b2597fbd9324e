"""The forms of users and API accounts."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from tremplin_server import pages
from tremplin_server.accounts import passwords
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.permissions import Role


class UserForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What an administrator says of a user."""

    username = StringField(
        _l("User name"),
        [InputRequired(), Length(max=64)],
        render_kw={"autocomplete": "off", "autocapitalize": "none"},
    )
    private_display_name = StringField(
        _l("Name"), [Length(max=64)], description=_l("As colleagues see it.")
    )
    public_display_name = StringField(
        _l("Public name"), [Length(max=64)], description=_l("As users of hosts see it.")
    )
    email_address = StringField(
        _l("E-mail address"), [Length(max=255)], render_kw={"type": "email", "autocomplete": "off"}
    )
    role = SelectField(_l("Role"))
    enabled = BooleanField(_l("May sign in"))
    two_factor_required = BooleanField(
        _l("Must have a second factor"), description=_l("Asked for at the next page.")
    )
    password_reset_next_login = BooleanField(
        _l("Must choose another password"), description=_l("Asked for at the next sign-in.")
    )
    password = PasswordField(
        _l("New password"),
        [Length(max=passwords.MAX_LENGTH)],
        description=_l("Left empty, it stays as it is."),
        render_kw={"autocomplete": "new-password"},
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.role.choices = pages.options(
            (
                (Role.ADMINISTRATOR.value, _("Administrator")),
                (Role.TECHNICIAN.value, _("Technician")),
                (Role.AUDITOR.value, _("Auditor")),
            )
        )

    def values(self) -> dict[str, Any]:
        """Return what was typed, as the service takes it; names left empty are the user's."""
        said = {name: value for name, value in self.data.items() if name != "csrf_token"}
        said["role"] = Role(said["role"])
        for name in ("private_display_name", "public_display_name"):
            said[name] = said[name] or said["username"]
        if not said["password"]:
            del said["password"]
        return said


class NewUserForm(UserForm):
    """What an administrator says of a new user."""

    password = PasswordField(
        _l("Password"),
        [Length(max=passwords.MAX_LENGTH)],
        description=_l("Left empty, one is made and shown once."),
        render_kw={"autocomplete": "new-password"},
    )


class ProgramForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What an administrator says of an API account."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=255)])
    comments = TextAreaField(_l("Comments"), [Length(max=4096)], render_kw={"rows": 2})
    perm_command = SelectField(_l("Rights"))
    ip_addresses = TextAreaField(
        _l("Addresses it may call from"),
        [Length(max=4096)],
        description=_l("Addresses or networks, one per line; empty for all."),
        render_kw={"rows": 3, "spellcheck": "false"},
    )
    enabled = BooleanField(_l("May call the API"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.perm_command.choices = pages.options(
            (
                ("full_access", _("Read and change")),
                ("read_only", _("Read only")),
                ("deny", _("Nothing")),
            )
        )

    def values(self) -> dict[str, Any]:
        """Return what was typed, as the service takes it."""
        return {name: value for name, value in self.data.items() if name != "csrf_token"}
