"""Tables of sessions and of what was recorded in them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, String, true
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model


class Front(StrEnum):
    """The way by which a technician came."""

    TERMINAL = "terminal"
    FILES = "files"
    BASTION = "bastion"
    STREAM = "stream"


class SessionState(StrEnum):
    """STARTING until the host's end has arrived, then OPEN; ENDED for good."""

    STARTING = "starting"
    OPEN = "open"
    ENDED = "ended"


class JumpSession(Model):
    """One session. It outlives its technician and its Jump Client, whose names it keeps."""

    __tablename__ = "jump_session"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """32 lower-case hexadecimal characters, random: the id tells nothing and is not guessed."""
    client_id: Mapped[int | None] = mapped_column(
        ForeignKey("jump_client.id", ondelete="SET NULL"), index=True
    )
    guest_id: Mapped[int | None] = mapped_column(index=True)
    """Of the support session whose customer's computer it is on, instead of a Jump Client."""
    client_name: Mapped[str] = mapped_column(String(128))
    client_external_id: Mapped[str | None] = mapped_column(String(255))
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="SET NULL"), index=True
    )
    """The technician, when it is a person with an account."""
    actor: Mapped[str] = mapped_column(String(255), index=True)
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[int] = mapped_column(default=0)
    front: Mapped[Front] = mapped_column(String(16))
    state: Mapped[SessionState] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(String(1024), default="")
    technician_ip: Mapped[str] = mapped_column(String(64), default="")
    worker_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """The worker where the technician's end is; None before the ticket is redeemed."""

    capabilities: Mapped[list[str]] = mapped_column(JSON)
    ports: Mapped[list[int]] = mapped_column(JSON)
    targets: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Ports of other machines, as `tremplin_agent.targets` writes them."""
    keys: Mapped[list[str]] = mapped_column(JSON)
    """OpenSSH public keys that may sign in on the host in this session."""
    vouched: Mapped[bool] = mapped_column(default=False)
    """Whether the host lets in without a key whoever comes through this session's tunnel."""

    ticket_hash: Mapped[str] = mapped_column(String(64), default="")
    """Hex SHA-256 of the ticket; empty once it was used."""
    ticket_expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(index=True)
    opened_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_code: Mapped[str] = mapped_column(String(64), default="")
    bytes_to_host: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_from_host: Mapped[int] = mapped_column(BigInteger, default=0)
    expires_at: Mapped[datetime]
    """When the session ends whatever happens in it."""
    limit_code: Mapped[str] = mapped_column(
        String(64), default="session.time_up", server_default="session.time_up"
    )
    """Why it ends then."""
    ticket_id: Mapped[str] = mapped_column(String(255), default="", server_default="")
    """Of the request or incident that the technician works on, in a system of the site's own."""
    jump_policy_id: Mapped[int | None]
    """The Jump Policy that let it start, which may be gone since."""
    session_policy_id: Mapped[int | None]
    """The session policy that says what it was granted, which may be gone since."""
    recorded: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether its terminals are recorded, where the site records at all."""
    idle_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    """After how long without a byte it ends; 0 is never."""


class SessionRecording(Model):
    """What one terminal of a session showed; the asciicast itself is a file (gzip)."""

    __tablename__ = "session_recording"

    session_id: Mapped[str] = mapped_column(
        ForeignKey("jump_session.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Of the terminal in its session, from 1."""
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes of the file as it is kept."""
    duration_seconds: Mapped[float] = mapped_column(Float)
    columns: Mapped[int]
    rows: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the file as it is kept, which is what the agent signed."""
    stored_at: Mapped[datetime] = mapped_column(index=True)
