"""Tables of support sessions: who is in, what was said, what was pinned."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import NEVER_REUSE_IDS, Model


class SupportState(StrEnum):
    """OPEN: the key waits for its customer. WAITING: he is there and nobody has taken the
    session. ASKED: a technician has, and the customer did not answer yet. ACTIVE; ENDED."""

    OPEN = "open"
    WAITING = "waiting"
    ASKED = "asked"
    ACTIVE = "active"
    ENDED = "ended"


class SupportSession(Model):
    """One support session, from its key to its end. It outlives its technicians."""

    __tablename__ = "support_session"
    __table_args__ = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(primary_key=True)
    """Its negative is the number of the customer's client on its control channel."""
    key_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Of the session key, under the site's secret_key; None once the session is over."""
    state: Mapped[SupportState] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(String(1024), default="")
    wanted: Mapped[list[str]] = mapped_column(JSON)
    """What the customer is asked for: `wire.Grant` values."""
    created_at: Mapped[datetime] = mapped_column(index=True)
    created_by: Mapped[str] = mapped_column(String(255))
    expires_at: Mapped[datetime]
    """Until when a customer may come in with the key."""

    owner_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="SET NULL"), index=True
    )
    """The technician who has it; before that, the one who made the key."""
    owner: Mapped[str] = mapped_column(String(255), default="")
    taken_at: Mapped[datetime | None]

    public_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of the one customer's client that this session is for."""
    hostname: Mapped[str] = mapped_column(String(255), default="")
    operating_system: Mapped[str] = mapped_column(String(255), default="")
    console_user: Mapped[str] = mapped_column(String(255), default="")
    platform: Mapped[str] = mapped_column(String(32), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    language: Mapped[str] = mapped_column(String(8), default="")
    public_ip: Mapped[str] = mapped_column(String(64), default="")
    elevated: Mapped[bool] = mapped_column(default=False)
    """Whether the client has the rights of the administrator of its computer."""
    attended_at: Mapped[datetime | None]
    worker_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """The worker that holds the client's channel; None while the customer is away."""
    away_since: Mapped[datetime | None]

    question: Mapped[int] = mapped_column(default=0)
    """Number of the newest question to the customer."""
    raising: Mapped[bool] = mapped_column(default=False)
    """Whether the newest question is for the administrator's rights."""
    granted: Mapped[list[str]] = mapped_column(JSON)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(255), default="")
    end_code: Mapped[str] = mapped_column(String(64), default="")


class MemberState(StrEnum):
    """Where a technician stands in a support session."""

    INVITED = "invited"
    IN = "in"
    LEFT = "left"


class SupportMember(Model):
    """A technician in a support session: the one who has it, and those he shares it with."""

    __tablename__ = "support_member"

    support_id: Mapped[int] = mapped_column(
        ForeignKey("support_session.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    name: Mapped[str] = mapped_column(String(255))
    state: Mapped[MemberState] = mapped_column(String(16))
    since: Mapped[datetime]


class Author(StrEnum):
    """Who wrote a line of the chat; EVENT: it tells what happened, its text is a code."""

    CUSTOMER = "customer"
    TECHNICIAN = "technician"
    EVENT = "event"


class SupportMessage(Model):
    """One line of the chat."""

    __tablename__ = "support_message"

    id: Mapped[int] = mapped_column(primary_key=True)
    support_id: Mapped[int] = mapped_column(
        ForeignKey("support_session.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    kind: Mapped[Author] = mapped_column(String(16))
    author: Mapped[str] = mapped_column(String(255), default="")
    text: Mapped[str] = mapped_column(Text)


class SupportPin(Model):
    """One try to attach the customer's computer as a Jump Client."""

    __tablename__ = "support_pin"

    id: Mapped[int] = mapped_column(primary_key=True)
    support_id: Mapped[int] = mapped_column(
        ForeignKey("support_session.id", ondelete="CASCADE"), index=True
    )
    installer_id: Mapped[int | None] = mapped_column(
        ForeignKey("installer.id", ondelete="SET NULL")
    )
    group: Mapped[str] = mapped_column(String(255), default="")
    asked_by: Mapped[str] = mapped_column(String(255))
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """None while the customer's client has not said what became of it."""
    code: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[str] = mapped_column(String(255), default="")
    client_id: Mapped[int | None] = mapped_column(ForeignKey("jump_client.id", ondelete="SET NULL"))
