"""The forms of Jump Groups, their members, and Jump Item Roles."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from tremplin_server.i18n import lazy_gettext as _l


class GroupForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A shared Jump Group."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=255)])
    code_name = StringField(
        _l("Code name"),
        [
            Optional(),
            Regexp(r"^[a-zA-Z0-9_-]{1,64}$", message=_l("Letters, digits, _ and - only.")),
        ],
        description=_l("For installers and scripts; left empty, one is made of the name."),
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    comments = TextAreaField(_l("Comments"), [Length(max=4096)], render_kw={"rows": 2})

    def values(self) -> dict[str, Any]:
        """Return what was typed, as the service takes it."""
        said = {name: value for name, value in self.data.items() if name != "csrf_token"}
        if not said["code_name"]:
            del said["code_name"]
        return said


class MemberForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A user to add to a group."""

    user_id = SelectField(_l("User"), coerce=int)
    role = SelectField(_l("Jump Item Role"), coerce=int)


class RoleForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A Jump Item Role."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=255)])
    description = TextAreaField(_l("Description"), [Length(max=4096)], render_kw={"rows": 2})
    perm_start = BooleanField(_l("Start sessions"))
    perm_view_jump_item_report = BooleanField(
        _l("See the sessions of others"), description=_l("Their own they always see.")
    )
    perm_add = BooleanField(
        _l("Add Jump Items"), description=_l("And their installers; order updates of agents.")
    )
    perm_remove = BooleanField(_l("Delete Jump Items"))
    perm_assign_jump_group = BooleanField(
        _l("Move and copy to another Jump Group"),
        description=_l("Where adding is allowed, too."),
    )
    perm_edit_identity = BooleanField(
        _l("Name, address and account"),
        description=_l("Also the external id, and the Jump Client that a shortcut goes through."),
    )
    perm_edit_tag = BooleanField(_l("Tag"))
    perm_edit_comments = BooleanField(_l("Comments"))
    perm_edit_jump_policy = BooleanField(_l("Jump Policy"))
    perm_edit_session_policy = BooleanField(_l("Session policies"))
    perm_edit_behavior = BooleanField(
        _l("Connection, quality and removal"),
        description=_l("Active or passive, when it is removed by itself, how a desktop looks."),
    )
    perm_edit_public_portal = BooleanField(_l("Public portal"))
    perm_edit_support_button = BooleanField(
        _l("Support Button"), description=_l("Kept for programs; this site has none.")
    )

    def values(self) -> dict[str, Any]:
        """Return what was typed, as the service takes it."""
        return {name: value for name, value in self.data.items() if name != "csrf_token"}
