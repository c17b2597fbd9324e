"""Tables of installers and of every use that was made or tried of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.accounts.models import GOES_WITH_OWNER
from tremplin_server.db import Model
from tremplin_server.groups.models import Owned, one_owner


class OnDuplicate(StrEnum):
    """What happens when a machine that has a record enrols again."""

    REPLACE = "replace"
    KEEP_BOTH = "keep_both"
    REFUSE = "refuse"


class Installer(Owned, Model):
    """One installer. It keeps working when its creator is gone: created_by is a name."""

    __tablename__ = "installer"
    __table_args__ = (one_owner(), {"sqlite_autoincrement": True, "info": {GOES_WITH_OWNER: True}})

    id: Mapped[int] = mapped_column(primary_key=True)
    installer_id: Mapped[str] = mapped_column(String(32), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    """Hex SHA-256 of the key info's secret."""
    sealed_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The secret under a key of the site, for downloads; wiped at expiry and revocation."""
    all_groups: Mapped[bool] = mapped_column(default=False)
    """Whether its maker saw every Jump Group; if not, it reaches records of its own group only."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime] = mapped_column(index=True)
    valid_duration: Mapped[int]
    """Minutes, 10 to 525600."""
    max_uses: Mapped[int | None]
    uses: Mapped[int] = mapped_column(default=0)
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str] = mapped_column(String(255), default="")
    platform: Mapped[str] = mapped_column(String(32), default="linux-64")

    name: Mapped[str] = mapped_column(String(128), default="")
    tag: Mapped[str] = mapped_column(String(64), default="")
    comments: Mapped[str] = mapped_column(String(1024), default="")
    external_id: Mapped[str | None] = mapped_column(String(255))
    """The machine that this installer was made for, when it was made for one."""
    jump_policy_id: Mapped[int | None] = mapped_column(ForeignKey("jump_policy.id"))
    attended_session_policy_id: Mapped[int | None] = mapped_column(ForeignKey("session_policy.id"))
    unattended_session_policy_id: Mapped[int | None] = mapped_column(
        ForeignKey("session_policy.id")
    )
    connection_type: Mapped[str] = mapped_column(String(16), default="active")
    max_offline_minutes: Mapped[int] = mapped_column(default=0)
    ephemeral: Mapped[bool] = mapped_column(default=False)
    on_duplicate: Mapped[OnDuplicate] = mapped_column(String(16), default=OnDuplicate.REPLACE)
    allow_takeover: Mapped[bool] = mapped_column(default=False)
    """Whether a machine may take over a record by a declared key that it states itself."""
    recipients: Mapped[str] = mapped_column(Text, default="")
    elevate_install: Mapped[bool] = mapped_column(default=True)
    elevate_prompt: Mapped[bool] = mapped_column(default=True)
    is_quiet: Mapped[bool] = mapped_column(default=False)
    customer_client_start_mode: Mapped[str] = mapped_column(String(16), default="normal")
    public_site_address: Mapped[str] = mapped_column(String(128), default="")

    allow_override_jump_group: Mapped[bool] = mapped_column(default=False)
    allow_override_jump_policy: Mapped[bool] = mapped_column(default=False)
    allow_override_name: Mapped[bool] = mapped_column(default=False)
    allow_override_tag: Mapped[bool] = mapped_column(default=False)
    allow_override_comments: Mapped[bool] = mapped_column(default=False)
    allow_override_external_id: Mapped[bool] = mapped_column(default=False)
    allow_override_session_policy: Mapped[bool] = mapped_column(default=False)
    allow_override_attended_session_policy: Mapped[bool] = mapped_column(default=False)
    allow_override_unattended_session_policy: Mapped[bool] = mapped_column(default=False)
    allow_override_max_offline_minutes: Mapped[bool] = mapped_column(default=False)


class InstallerUse(Model):
    """One enrolment that was made (`code` empty) or refused (`code`) with an installer."""

    __tablename__ = "installer_use"

    id: Mapped[int] = mapped_column(primary_key=True)
    installer_id: Mapped[int] = mapped_column(
        ForeignKey("installer.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    code: Mapped[str] = mapped_column(String(64), default="")
    client_id: Mapped[int | None]
    """Not a foreign key: the history stays when the Jump Client is gone."""
    hostname: Mapped[str] = mapped_column(String(255), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    public_ip: Mapped[str] = mapped_column(String(64), default="")
    overrides: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
