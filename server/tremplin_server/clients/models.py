"""Tables of Jump Clients, their stored commands, tombstones and the server's workers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.accounts.models import GOES_WITH_OWNER
from tremplin_server.clients.lifecycle import State
from tremplin_server.db import Model
from tremplin_server.groups.models import Owned, one_owner


class JumpClient(Owned, Model):
    """The server's half of a Jump Client; the agent on the host is the other."""

    __tablename__ = "jump_client"
    __table_args__ = (
        one_owner(),
        Index("ix_jump_client_group_tag", "shared_group_id", "owner_user_id", "tag"),
        # Of those that are offline alone: a sign of life of all others leaves it as it is.
        Index(
            "ix_jump_client_offline",
            "last_seen",
            sqlite_where=text("state = 'offline'"),
            postgresql_where=text("state = 'offline'"),
        ),
        {"sqlite_autoincrement": True},
    )
    """An id is never given out twice: a late agent must not meet another's record."""

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[State] = mapped_column(String(16), default=State.PENDING, index=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """Raw Ed25519 public key of the agent."""
    fingerprint: Mapped[str] = mapped_column(String(64), index=True)
    external_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    installer_id: Mapped[int | None] = mapped_column(
        ForeignKey("installer.id", ondelete="SET NULL")
    )

    name: Mapped[str] = mapped_column(String(128), index=True)
    tag: Mapped[str] = mapped_column(String(64), default="", index=True)
    comments: Mapped[str] = mapped_column(String(1024), default="")
    jump_policy_id: Mapped[int | None] = mapped_column(ForeignKey("jump_policy.id"))
    attended_session_policy_id: Mapped[int | None] = mapped_column(ForeignKey("session_policy.id"))
    unattended_session_policy_id: Mapped[int | None] = mapped_column(
        ForeignKey("session_policy.id")
    )
    connection_type: Mapped[str] = mapped_column(String(16), default="active")
    max_offline_minutes: Mapped[int] = mapped_column(default=0)
    ephemeral: Mapped[bool] = mapped_column(default=False)
    pinned_forever: Mapped[bool] = mapped_column(default=False)
    """Never purged for being offline."""
    is_quiet: Mapped[bool] = mapped_column(default=False)
    customer_client_start_mode: Mapped[str] = mapped_column(String(16), default="normal")
    public_site_address: Mapped[str] = mapped_column(String(128), default="")
    update_version: Mapped[str] = mapped_column(String(32), default="", server_default="")
    """The version that this host is held at; empty: it follows the site."""

    hostname: Mapped[str] = mapped_column(String(255), default="", index=True)
    fqdn: Mapped[str] = mapped_column(String(255), default="")
    operating_system: Mapped[str] = mapped_column(String(255), default="", index=True)
    platform: Mapped[str] = mapped_column(String(32), default="")
    agent_version: Mapped[str] = mapped_column(String(32), default="", index=True)
    public_ip: Mapped[str] = mapped_column(String(64), default="", index=True)
    private_ip: Mapped[str] = mapped_column(String(64), default="", index=True)
    console_user: Mapped[str] = mapped_column(String(255), default="", index=True)
    install_mode: Mapped[str] = mapped_column(String(16), default="unknown")
    """unknown, user or service."""
    install_dir: Mapped[str] = mapped_column(Text, default="")
    run_as: Mapped[str] = mapped_column(String(255), default="")
    startup: Mapped[str] = mapped_column(String(16), default="")
    statistics: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    listening: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    """Where a passive agent can be woken: `port`, `addresses`, `fault`; see `clients.waking`."""
    networks: Mapped[list[dict[str, str]]] = mapped_column(
        JSON, default=list, server_default=text("'[]'")
    )
    """Its network cards: `{mac, network}`, by which a neighbour can wake it."""

    remove_at: Mapped[datetime | None] = mapped_column(index=True)
    """When it is removed, host and record, whatever its state; None: not by a date."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_connect: Mapped[datetime | None]
    last_disconnect: Mapped[datetime | None]
    last_seen: Mapped[datetime | None] = mapped_column(index=True)
    last_access: Mapped[datetime | None] = mapped_column(index=True)
    worker_id: Mapped[str | None] = mapped_column(String(64), index=True)
    """The worker that holds the control channel now."""


FIRST_COPY_ID = 1_000_000_001
"""Copies are counted from here, so that one id never means a Jump Client and a copy."""


class ClientCopy(Owned, Model):
    """The same host once more, in another group; see `clients.copies`."""

    __tablename__ = "client_copy"
    __table_args__ = (one_owner(), {"sqlite_autoincrement": True, "info": {GOES_WITH_OWNER: True}})

    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(
        ForeignKey("jump_client.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(128))
    tag: Mapped[str] = mapped_column(String(64), default="")
    comments: Mapped[str] = mapped_column(String(1024), default="")
    jump_policy_id: Mapped[int | None] = mapped_column(ForeignKey("jump_policy.id"))
    attended_session_policy_id: Mapped[int | None] = mapped_column(ForeignKey("session_policy.id"))
    unattended_session_policy_id: Mapped[int | None] = mapped_column(
        ForeignKey("session_policy.id")
    )
    remove_at: Mapped[datetime | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(255))


class Command(Model):
    """An order for an agent, kept until it is acknowledged."""

    __tablename__ = "command"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    client_id: Mapped[int] = mapped_column(
        ForeignKey("jump_client.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(16))
    body: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(255))
    woken_at: Mapped[datetime | None]
    """When a client that was away was looked at for a wake-up because of this order."""


class TombstoneKind(StrEnum):
    """Why a key has no record any more.

    DELETED: it may still connect, to be told to uninstall itself.
    REPLACED: it is revoked because the same machine enrolled anew.
    """

    DELETED = "deleted"
    REPLACED = "replaced"


class ClosedBy(StrEnum):
    """How a tombstone was closed: only HOST and UNINSTALLED tell that the agent is gone."""

    HOST = "host"
    UNINSTALLED = "uninstalled"
    HAND = "hand"
    REPLACED = "replaced"
    EXPIRED = "expired"


class Tombstone(Model):
    """What is left of a deleted record until the host confirmed that its half is gone."""

    __tablename__ = "tombstone"
    __table_args__ = (Index("ix_tombstone_open", "closed_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TombstoneKind] = mapped_column(String(16))
    client_id: Mapped[int] = mapped_column(index=True)
    """The id that the record had; not a foreign key, and never given out again."""
    public_key: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    command_id: Mapped[str] = mapped_column(String(36))
    external_id: Mapped[str | None] = mapped_column(String(255), index=True)
    name: Mapped[str] = mapped_column(String(128))
    hostname: Mapped[str] = mapped_column(String(255), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="", index=True)
    install_dir: Mapped[str] = mapped_column(Text, default="")
    jump_group: Mapped[str] = mapped_column(String(255), default="")
    shared_group_id: Mapped[int | None]
    owner_user_id: Mapped[int | None]
    """The owner that the record had; not foreign keys, so that groups can be deleted."""
    deleted_at: Mapped[datetime]
    deleted_by: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text, default="")
    expires_at: Mapped[datetime | None]
    """When the agent has removed itself for lack of contact; None: it never does."""
    closed_at: Mapped[datetime | None]
    listening: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    """Where the host could be woken, with its names and the address it came from."""
    woken_at: Mapped[datetime | None]
    closed_by: Mapped[str] = mapped_column(String(32), default="")
    """Empty while it is open, else a `ClosedBy`."""


class UnknownKey(Model):
    """An agent whose key no record has, as after a restore: listed, never removed."""

    __tablename__ = "unknown_key"

    client_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hostname: Mapped[str] = mapped_column(String(255), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    public_ip: Mapped[str] = mapped_column(String(64), default="")
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class Worker(Model):
    """A running gateway; without a heartbeat for a while it counts as dead."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    peer_address: Mapped[str] = mapped_column(String(512), default="", server_default="")
    """Where the other workers hand over what came to them: `unix:<path>` or `tcp:<host>:<port>`."""
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime] = mapped_column(index=True)


class UpdateState(StrEnum):
    """Where the update of a Jump Client stands."""

    WANTED = "wanted"
    ORDERED = "ordered"
    DONE = "done"
    FAILED = "failed"


class ClientUpdate(Model):
    """The last update of a Jump Client: asked for, ordered, or how it ended."""

    __tablename__ = "client_update"

    client_id: Mapped[int] = mapped_column(
        ForeignKey("jump_client.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    state: Mapped[UpdateState] = mapped_column(String(16), index=True)
    version: Mapped[str] = mapped_column(String(32))
    """The one that is meant."""
    from_version: Mapped[str] = mapped_column(String(32), default="")
    command_id: Mapped[str] = mapped_column(String(36), default="")
    attempts: Mapped[int] = mapped_column(default=0)
    """How often this version came to nothing on this host."""
    code: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[str] = mapped_column(String(512), default="")
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(255))
    retry_at: Mapped[datetime | None]
    """When the site's policy may try again; None after too many attempts."""


class ClientHistory(Model):
    """A day of a host's figures, for the chart of the console; see `clients.history`."""

    __tablename__ = "client_history"

    client_id: Mapped[int] = mapped_column(
        ForeignKey("jump_client.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    last_slot: Mapped[int]
    """The newest slot in `samples`, so that a report knows at once that it adds nothing."""
    samples: Mapped[bytes] = mapped_column(LargeBinary)


class ClientSearch(Model):
    """What is searched of a record, in small letters: by field, and all with a line each.

    A table of its own, because reading through it is some ten times quicker than reading
    the records; with the owner and the name as it is written, so that a search by name needs
    nothing else. The database's triggers (migration 0006) keep it in step, whoever writes.
    """

    __tablename__ = "client_search"
    __table_args__ = (
        # The label is there so that a list of some groups, in its usual order, needs no record.
        Index("ix_client_search_owner", "shared_group_id", "owner_user_id", "client_id", "label"),
        Index("ix_client_search_owner_user_id", "owner_user_id"),
    )

    client_id: Mapped[int] = mapped_column(
        ForeignKey("jump_client.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(Text)
    hostname: Mapped[str] = mapped_column(Text)
    tag: Mapped[str] = mapped_column(Text)
    comments: Mapped[str] = mapped_column(Text)
    console_user: Mapped[str] = mapped_column(Text)
    operating_system: Mapped[str] = mapped_column(Text)
    private_ip: Mapped[str] = mapped_column(Text)
    public_ip: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(String(128))
    """The name as it is written, which lists are ordered by."""
    shared_group_id: Mapped[int | None]
    owner_user_id: Mapped[int | None]
