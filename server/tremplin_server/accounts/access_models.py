"""Tables of how people come in: browsers that are signed in, recovery codes, providers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import NEVER_REUSE_IDS, Model


class Way(StrEnum):
    """How somebody signed in at a browser."""

    PASSWORD = "password"  # noqa: S105 - the name of a way
    OIDC = "oidc"


class WebSession(Model):
    """A browser in which somebody is signed in; without its row a cookie is worth nothing."""

    __tablename__ = "web_session"
    __table_args__ = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """Hex SHA-256 of the 256-bit random token that the cookie carries."""
    way: Mapped[Way] = mapped_column(String(16))
    source_ip: Mapped[str] = mapped_column(String(64), default="")
    browser: Mapped[str] = mapped_column(String(255), default="")
    """What the browser calls itself (User-Agent), cut."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class RecoveryCode(Model):
    """A code that stands in for the authenticator app, once; its row goes when it is used."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    """Hex HMAC-SHA-256 with a key made of the site's secret_key."""


class OldPassword(Model):
    """A password that somebody had, so that it is not taken again."""

    __tablename__ = "old_password"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    replaced_at: Mapped[datetime]


class ExternalIdentity(Model):
    """Whom an OpenID provider means by a subject. Names and addresses never decide that."""

    __tablename__ = "external_identity"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        UniqueConstraint("user_id", "issuer"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    made_account: Mapped[bool] = mapped_column(default=False)
    """Whether the account was made at the first sign-in; then the provider gives its role."""
    created_at: Mapped[datetime]
