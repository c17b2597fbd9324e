"""The table of RDP Jump Shortcuts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.accounts.models import GOES_WITH_OWNER
from tremplin_server.db import Model
from tremplin_server.groups.models import Owned, one_owner


class RdpShortcut(Owned, Model):
    """A computer that is reached over RDP, directly or through a Jump Client."""

    __tablename__ = "rdp_shortcut"
    __table_args__ = (one_owner(), {"sqlite_autoincrement": True, "info": {GOES_WITH_OWNER: True}})

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128), index=True)
    hostname: Mapped[str] = mapped_column(String(128))
    jumpoint_id: Mapped[int | None] = mapped_column(
        ForeignKey("jump_client.id", ondelete="SET NULL"), index=True
    )
    """The Jump Client that the connection goes through; see `through_client`."""
    through_client: Mapped[bool] = mapped_column(default=False)
    """Whether one was chosen: when it is deleted, the shortcut does not become a direct one."""
    vetted: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether an administrator wrote the host name: it may then be a special address."""
    quality: Mapped[str] = mapped_column(String(32), default="best_performance")
    console: Mapped[bool] = mapped_column(default=False)
    ignore_untrusted: Mapped[bool] = mapped_column(default=False)
    tag: Mapped[str] = mapped_column(String(64), default="")
    comments: Mapped[str] = mapped_column(String(1024), default="")
    rdp_username: Mapped[str] = mapped_column(String(128), default="")
    domain: Mapped[str] = mapped_column(String(64), default="")
    jump_policy_id: Mapped[int | None] = mapped_column(ForeignKey("jump_policy.id"))
    session_policy_id: Mapped[int | None] = mapped_column(ForeignKey("session_policy.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
