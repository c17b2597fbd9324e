"""Tables of people, API accounts and access tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import NEVER_REUSE_IDS, Model
from tremplin_server.permissions import Role

GOES_WITH_OWNER = "goes_with_owner"
"""Key of a table's `info`: its rows are deleted with their owner instead of keeping it."""


class User(Model):
    """A person who signs in. password_hash is argon2id, never anything reversible."""

    __tablename__ = "user"
    __table_args__ = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    public_display_name: Mapped[str] = mapped_column(String(64))
    private_display_name: Mapped[str] = mapped_column(String(64))
    email_address: Mapped[str] = mapped_column(String(255), default="")
    preferred_email_language: Mapped[str] = mapped_column(String(10), default="en-us")
    role: Mapped[Role] = mapped_column(String(16), default=Role.TECHNICIAN)
    enabled: Mapped[bool] = mapped_column(default=True)
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    password_expiration: Mapped[datetime | None]
    password_reset_next_login: Mapped[bool] = mapped_column(default=False)
    two_factor_required: Mapped[bool] = mapped_column(default=False)
    two_factor_enabled: Mapped[bool] = mapped_column(default=False)
    last_authentication: Mapped[datetime | None]
    created_at: Mapped[datetime]
    session_epoch: Mapped[int] = mapped_column(default=0)
    """Part of every sign-in cookie: raising it signs the person out everywhere."""
    theme: Mapped[str] = mapped_column(String(8), default="", server_default="")
    """light, dark, or empty: what the system of the reader prefers."""
    console_columns: Mapped[str] = mapped_column(Text, default="", server_default="")
    """Names of the columns of the console's list, with commas; empty: the usual ones."""


class ApiAccount(Model):
    """A program that calls the API with OAuth2 client credentials."""

    __tablename__ = "api_account"
    __table_args__ = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    comments: Mapped[str] = mapped_column(Text, default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    client_id: Mapped[str] = mapped_column(String(40), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    """Hex SHA-256 of the 256-bit random secret; such a secret needs no slow hash."""
    ip_addresses: Mapped[str] = mapped_column(Text, default="")
    failed_login_attempts: Mapped[int] = mapped_column(default=0)
    failed_login_expiration: Mapped[datetime | None]
    perm_configuration: Mapped[bool] = mapped_column(default=True)
    perm_command: Mapped[str] = mapped_column(String(16), default="full_access")
    """deny, read_only or full_access: read_only may only GET."""
    created_at: Mapped[datetime]


class ApiToken(Model):
    """A Bearer token; only its hash is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(
        ForeignKey("api_account.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SshKey(Model):
    """A public key with which a person or a program signs in to the bastion and to hosts."""

    __tablename__ = "ssh_key"
    __table_args__ = (
        CheckConstraint("(user_id IS NULL) <> (account_id IS NULL)", name="one_owner"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), index=True
    )
    account_id: Mapped[int | None] = mapped_column(
        ForeignKey("api_account.id", ondelete="CASCADE"), index=True
    )
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    """`SHA256:` and unpadded base64, as ssh-keygen -l shows it."""
    public_key: Mapped[str] = mapped_column(Text)
    """Algorithm and base64, without the comment."""
    comment: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime]
    last_used: Mapped[datetime | None]


class Totp(Model):
    """An RFC 6238 secret that a person's authenticator app holds too.

    It counts once a first code was typed: then `User.two_factor_enabled` is set.
    """

    __tablename__ = "totp"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    """Readable only with the site's secret_key."""
    last_step: Mapped[int] = mapped_column(default=0)
    """The time step of the last code that was accepted; none at or before it is again."""
    proved_at: Mapped[datetime | None]
    """When a code was last accepted, to sign in or to start a session."""
