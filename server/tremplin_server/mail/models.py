"""The table of messages that are sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model


class Mail(Model):
    """A message to one recipient: waiting, sent or given up."""

    __tablename__ = "mail"
    __table_args__ = (
        Index("ix_mail_subject", "subject_kind", "subject_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(String(320))
    subject_kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[int]
    """What it is about, as in the audit log."""
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Its text, which may hold a link that lets hosts enrol; wiped when it is over."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(255))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(index=True)
    """When it is tried next; None when it is over."""
    sent_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(Text, default="")
    """What the last attempt met, as the mail server said it."""

    @property
    def state(self) -> str:
        """`sent`, `failed`, `retrying` or `waiting`."""
        if self.sent_at is not None:
            return "sent"
        if self.next_at is None:
            return "failed"
        return "retrying" if self.error else "waiting"
