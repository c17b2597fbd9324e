"""Pushes from the console: what was ordered, and how each host is getting on. No secret."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import NEVER_REUSE_IDS, Model


class HostState(StrEnum):
    """How far one host of a push is. ASKING: a person must say whether its key is right."""

    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = (HostState.DONE, HostState.FAILED, HostState.CANCELLED)


class PushRun(Model):
    """One push. Its worker gives signs of life; without them and without an end it broke off."""

    __tablename__ = "push_run"
    __table_args__ = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(index=True)
    """The user who pushed; not a foreign key, as the record outlives the account."""
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(255))
    wanted: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the form said of the Jump Clients, to push again."""
    heartbeat_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class PushHost(Model):
    """One host of a push."""

    __tablename__ = "push_host"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("push_run.id", ondelete="CASCADE"), index=True)
    target: Mapped[str] = mapped_column(String(300))
    """As it was typed: `[user@]host[:port]`."""
    address: Mapped[str] = mapped_column(String(300), index=True)
    """`host:port`, which a host key belongs to."""
    external_id: Mapped[str] = mapped_column(String(255), index=True)
    state: Mapped[HostState] = mapped_column(String(16), default=HostState.WAITING)
    step: Mapped[str] = mapped_column(String(32), default="")
    outcome: Mapped[str] = mapped_column(String(16), default="")
    reason: Mapped[str] = mapped_column(String(255), default="")
    client_id: Mapped[int | None]
    error_code: Mapped[str] = mapped_column(String(64), default="")
    error_detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    key_kind: Mapped[str] = mapped_column(String(64), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    """Of the host key that was shown and is not known."""
    accepted: Mapped[str] = mapped_column(String(64), default="")
    """The fingerprint that a person took for the host's."""
    asked_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
