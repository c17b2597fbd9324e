"""The form of a group policy."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms import Form as PlainForm
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from tremplin_server import pages
from tremplin_server.group_policies.reading import GRANTABLE
from tremplin_server.groups.group_policies import Whole
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.permissions import Permission

_SAID = {
    "allow": {"allowed": True, "final": False},
    "allow_final": {"allowed": True, "final": True},
    "deny": {"allowed": False, "final": False},
    "deny_final": {"allowed": False, "final": True},
}


def permission_labels() -> dict[str, str]:
    """Return the permissions that policies can set, with their words."""
    words = {
        Permission.SESSIONS_START: _("Start sessions"),
        Permission.CLIENTS_WRITE: _("Change Jump Items"),
        Permission.CLIENTS_DELETE: _("Delete Jump Items"),
        Permission.INSTALLERS_WRITE: _("Make installers and push"),
        Permission.SEE_ALL_GROUPS: _("See all Jump Groups"),
        Permission.AUDIT_READ: _("Read the audit log"),
        Permission.ACCOUNTS_READ: _("Look at users and settings"),
    }
    return {permission.value: words[permission] for permission in GRANTABLE}


def _field(permission: str) -> str:
    return "says_" + permission.replace(".", "_")


class PlaceForm(PlainForm):  # type: ignore[misc] # the package has no types
    """A Jump Group that members are in. An empty group is no row."""

    jump_group_id = SelectField(_l("Jump Group"), coerce=int)
    jump_item_role_id = SelectField(_l("Jump Item Role"), coerce=int)
    final = BooleanField(_l("Final"))


class GroupPolicyForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A group policy; `offer` gives it what can be chosen."""

    name = StringField(_l("Name"), [InputRequired(), Length(max=255)])
    description = TextAreaField(_l("Description"), [Length(max=4096)], render_kw={"rows": 2})
    priority = IntegerField(
        _l("Priority"),
        [Optional(), NumberRange(1, 1_000_000)],
        description=_l("1 applies first; a later policy replaces what is not final."),
    )
    user_ids = SelectMultipleField(_l("Users"), coerce=int)
    site_roles = SelectMultipleField(_l("Everybody who is"))
    session_policy_id = SelectField(
        _l("Session policy"),
        coerce=int,
        description=_l("In support sessions, and with Jump Items that have none of their own."),
    )
    session_policy_final = BooleanField(_l("The session policy is final"))
    jump_groups = FieldList(FormField(PlaceForm))

    def offer(
        self,
        users: list[tuple[int, str]],
        roles: list[tuple[str, str]],
        groups: list[tuple[int, str]],
        item_roles: list[tuple[int, str]],
        session_policies: list[tuple[int, str]],
    ) -> None:
        """Fill in what can be chosen, and have one empty row for another Jump Group."""
        self.user_ids.choices = pages.options(users)
        self.site_roles.choices = pages.options(roles)
        self.session_policy_id.choices = pages.options(session_policies)
        if not self.is_submitted():
            self.jump_groups.append_entry()
        for row in self.jump_groups:
            row.form.jump_group_id.choices = pages.options([(0, "–"), *groups])
            row.form.jump_item_role_id.choices = pages.options(item_roles)
        for permission in GRANTABLE:
            self[_field(permission.value)].choices = pages.options(
                (
                    ("", _("Says nothing")),
                    ("allow", _("Allowed")),
                    ("allow_final", _("Allowed, final")),
                    ("deny", _("Refused")),
                    ("deny_final", _("Refused, final")),
                )
            )
            self[_field(permission.value)].label.text = permission_labels()[permission.value]

    @property
    def says(self) -> list[Any]:
        """The fields of the permissions, in their order."""
        return [self[_field(permission.value)] for permission in GRANTABLE]

    def values(self) -> dict[str, Any]:
        """Return what was typed, as the service takes it."""
        said = {
            name: self[name].data
            for name in ("name", "description", "user_ids", "site_roles", "session_policy_final")
        }
        if self.priority.data:
            said["priority"] = self.priority.data
        return {
            **said,
            "session_policy_id": self.session_policy_id.data or None,
            "permissions": {
                permission.value: _SAID[chosen]
                for permission in GRANTABLE
                if (chosen := self[_field(permission.value)].data)
            },
            "jump_groups": [
                {
                    "jump_group_id": row.form.jump_group_id.data,
                    "jump_item_role_id": row.form.jump_item_role_id.data or None,
                    "final": row.form.final.data,
                }
                for row in self.jump_groups
                if row.form.jump_group_id.data
            ],
        }


for _permission in GRANTABLE:
    setattr(GroupPolicyForm, _field(_permission.value), SelectField(_permission.value, default=""))


def data_of(policy: Whole) -> dict[str, Any]:
    """Return a policy as the form is filled with it."""
    words = {tuple(sorted(one.items())): word for word, one in _SAID.items()}
    return {
        **{name: getattr(policy, name) for name in policy.__dataclass_fields__},
        "session_policy_id": policy.session_policy_id or 0,
        "jump_groups": [
            {**one, "jump_item_role_id": one["jump_item_role_id"] or 0}
            for one in policy.jump_groups
        ],
        **{
            _field(name): words[tuple(sorted(one.items()))]
            for name, one in policy.permissions.items()
        },
    }
