"""The table of requests to start sessions, and what became of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import NEVER_REUSE_IDS, Model


class ApprovalState(StrEnum):
    """What was decided; whether it is too late is told by the clock."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"


class JumpApproval(Model):
    """One request. It outlives its requester and its Jump Item, whose names it keeps."""

    __tablename__ = "jump_approval"
    __table_args__ = (Index("ix_jump_approval_item", "item_kind", "item_id"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    item_kind: Mapped[str] = mapped_column(String(16))
    """`client` or `shortcut`."""
    item_id: Mapped[int]
    item_name: Mapped[str] = mapped_column(String(128))
    jump_policy_id: Mapped[int] = mapped_column(index=True)
    policy_name: Mapped[str] = mapped_column(String(255))
    requester_kind: Mapped[str] = mapped_column(String(16))
    requester_id: Mapped[int]
    requester: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String(1024), default="")
    ticket_id: Mapped[str] = mapped_column(String(255), default="")
    state: Mapped[ApprovalState] = mapped_column(String(16), default=ApprovalState.PENDING)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """Until when it may be decided."""
    decided_by: Mapped[str] = mapped_column(String(255), default="")
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(String(1024), default="")
    """Of whoever decided."""
    valid_until: Mapped[datetime | None]
    """Until when sessions may start on the strength of it."""
    for_anyone: Mapped[bool] = mapped_column(default=False)
    """Whether that counts for everybody, not just the requester."""
