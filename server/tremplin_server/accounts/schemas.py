"""What accounts look like in the API."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from tremplin_server.accounts import passwords, ssh_keys
from tremplin_server.accounts.service import LOCAL_PROVIDER_ID
from tremplin_server.permissions import ROLE_PERMISSIONS, Permission, Role
from tremplin_server.rest import Boolean, Integer, Query, Timestamp

_ROLE = validate.OneOf([role.value for role in Role])
_COMMAND = validate.OneOf(["deny", "read_only", "full_access"])


def _text(least: int, most: int, **options: Any) -> fields.String:
    return fields.String(validate=validate.Length(min=least, max=most), **options)


class UserQuery(Query):
    """Filters of the list of users."""

    username = _text(1, 255)
    email_address = _text(3, 255)
    security_provider_id = fields.Integer(validate=validate.Range(min=1, max=2**31 - 1))


class UserChange(ma.Schema):
    """What can be changed about a user; `failed_logins` 0 unlocks the account."""

    username = _text(1, 64)
    password = fields.String(
        load_only=True,
        validate=validate.Length(min=1, max=passwords.MAX_LENGTH),
    )
    public_display_name = _text(1, 64)
    private_display_name = _text(1, 64)
    email_address = _text(3, 255)
    preferred_email_language = _text(2, 10)
    role = fields.String(validate=_ROLE)
    enabled = Boolean()
    two_factor_required = Boolean()
    failed_logins = Integer(validate=validate.Equal(0))
    password_reset_next_login = Boolean()
    password_expiration = Timestamp(allow_none=True)


class UserNew(UserChange):
    """A new user. `failed_logins` is read and ignored, as the field's contract has it."""

    username = _text(1, 64, required=True)
    password = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(min=1, max=passwords.MAX_LENGTH),
    )
    public_display_name = _text(1, 64, required=True)
    private_display_name = _text(1, 64, required=True)


def _may(permission: Permission) -> fields.Function:
    return fields.Function(
        lambda user: permission in ROLE_PERMISSIONS[Role(user.role)],
        metadata={"type": "boolean"},
    )


class UserBody(ma.Schema):
    """A user. What has no value is left out, except a password that never expires."""

    id = Integer(dump_only=True)
    security_provider_id = fields.Constant(LOCAL_PROVIDER_ID, metadata={"type": "integer"})
    display_number = fields.Integer(attribute="id")
    username = fields.String()
    public_display_name = fields.String()
    private_display_name = fields.String()
    password_expiration = Timestamp(allow_none=True)
    email_address = fields.String()
    preferred_email_language = fields.String()
    role = fields.String(validate=_ROLE)
    enabled = fields.Boolean()
    two_factor_required = fields.Boolean()
    two_factor_enabled = fields.Boolean()
    last_authentication = Timestamp()
    failed_logins = fields.Integer()
    password_reset_next_login = fields.Boolean()
    created_at = Timestamp()
    perm_admin = fields.Function(
        lambda user: user.role == Role.ADMINISTRATOR, metadata={"type": "boolean"}
    )
    perm_set_passwords = _may(Permission.ACCOUNTS_WRITE)
    perm_edit_jump_groups = _may(Permission.GROUPS_WRITE)
    perm_jump_client = _may(Permission.CLIENTS_WRITE)

    @ma.post_dump
    def _leave_out(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        empty = {k for k in ("email_address", "last_authentication") if not body.get(k)}
        return {k: v for k, v in body.items() if k not in empty}


class SshKeyNew(ma.Schema):
    """A public key to register: a line such as that of `id_ed25519.pub`."""

    public_key = _text(1, ssh_keys.MAX_LENGTH, required=True)
    comment = _text(0, 255, load_default="")


class SshKeyBody(ma.Schema):
    """A registered public key."""

    id = Integer(dump_only=True)
    fingerprint = fields.String()
    public_key = fields.String()
    comment = fields.String()
    created_at = Timestamp()
    last_used = Timestamp(allow_none=True)


class WebSessionBody(ma.Schema):
    """A browser in which a user is signed in. browser: what it calls itself."""

    id = Integer(dump_only=True)
    way = fields.String()
    source_ip = fields.String()
    browser = fields.String()
    created_at = Timestamp()
    seen_at = Timestamp()
    expires_at = Timestamp()


class ApiAccountQuery(Query):
    """Filters of the list of API accounts."""

    name = _text(1, 255)


class ApiAccountChange(ma.Schema):
    """What can be changed about an API account; 0 failed attempts end a lock."""

    name = _text(1, 255)
    comments = _text(0, 4096)
    enabled = Boolean()
    ip_addresses = _text(0, 4096)
    perm_configuration = Boolean()
    perm_command = fields.String(validate=_COMMAND)
    failed_login_attempts = Integer(validate=validate.Equal(0))


class ApiAccountNew(ApiAccountChange):
    """A new API account."""

    name = _text(1, 255, required=True)


class ApiAccountBody(ma.Schema):
    """An API account. Rights to APIs that this server does not have are never given."""

    id = Integer(dump_only=True)
    name = fields.String()
    comments = fields.String()
    enabled = fields.Boolean()
    ip_addresses = fields.String()
    client_id = fields.String()
    failed_login_attempts = fields.Integer()
    failed_login_expiration = Timestamp()
    perm_configuration = fields.Boolean()
    perm_command = fields.String(validate=_COMMAND)
    created_at = Timestamp()

    @ma.post_dump
    def _leave_out(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        if body.get("failed_login_expiration") is None:
            body.pop("failed_login_expiration", None)
        return body


class ApiAccountSecret(ApiAccountBody):
    """An API account together with its secret, which is told only this once."""

    client_secret = fields.String()
