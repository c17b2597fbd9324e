"""Tables of the policies that installers and Jump Clients refer to."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, String, Text, false, text, true
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model


class SimultaneousJumps(StrEnum):
    """What a second technician on a Jump Client that has a session is met with."""

    GLOBAL = "global"
    """The site's setting `simultaneous_jumps` says it."""
    JOIN = "join"
    DISALLOW = "disallow"


def _no() -> Mapped[bool]:
    return mapped_column(default=False, server_default=false())


def _yes() -> Mapped[bool]:
    return mapped_column(default=True, server_default=true())


def _list() -> Mapped[Any]:
    return mapped_column(JSON, default=list, server_default=text("'[]'"))


class JumpPolicy(Model):
    """When and how a Jump Item may be used."""

    __tablename__ = "jump_policy"

    id: Mapped[int] = mapped_column(primary_key=True)
    display_name: Mapped[str] = mapped_column(String(255))
    code_name: Mapped[str] = mapped_column(String(64), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    simultaneous_jumps: Mapped[SimultaneousJumps] = mapped_column(
        String(16), default=SimultaneousJumps.GLOBAL, server_default=SimultaneousJumps.JOIN.value
    )
    simultaneous_jumps_rdp: Mapped[str] = mapped_column(
        String(16), default="global", server_default="global"
    )
    simultaneous_jump_behavior_applies_to_copies: Mapped[bool] = _no()
    schedule_enabled: Mapped[bool] = _no()
    schedule_strict: Mapped[bool] = _no()
    """Whether the end of an opening ends the sessions that run."""
    timezone: Mapped[str] = mapped_column(String(64), default="UTC", server_default="UTC")
    schedule_entries: Mapped[list[dict[str, Any]]] = _list()
    """As the API has them: start_day, start_time, end_day, end_time."""
    reason_required: Mapped[bool] = _no()
    ticket_id_required: Mapped[bool] = _no()
    two_factor_challenge_required: Mapped[bool] = _no()
    two_factor_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    """How old a proof of the second factor may be; 0: every start wants its own."""
    approval_required: Mapped[bool] = _no()
    approver_user_ids: Mapped[list[int]] = _list()
    approver_roles: Mapped[list[str]] = _list()
    """Everybody who is this on the site, such as `administrator`."""
    approver_group_ids: Mapped[list[int]] = _list()
    """The members of these shared Jump Groups."""
    approval_request_minutes: Mapped[int] = mapped_column(default=60, server_default="60")
    """How long a request may wait for its decision."""
    approval_minutes: Mapped[int] = mapped_column(default=60, server_default="60")
    """How long sessions may start once it was approved."""
    approval_for_anyone: Mapped[bool] = _no()
    max_session_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    notify_recipients: Mapped[str] = mapped_column(Text, default="", server_default="")
    """Addresses that are told of starts and ends, with commas."""


class SessionPolicy(Model):
    """What is allowed inside a session. Ids start at 2, as the field's contract has it."""

    __tablename__ = "session_policy"

    id: Mapped[int] = mapped_column(primary_key=True)
    display_name: Mapped[str] = mapped_column(String(255))
    code_name: Mapped[str] = mapped_column(String(64), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    allow_shell: Mapped[bool] = _yes()
    allow_exec: Mapped[bool] = _yes()
    allow_upload: Mapped[bool] = _yes()
    """To write and change files over SFTP."""
    allow_download: Mapped[bool] = _yes()
    """To read files over SFTP."""
    allow_forward: Mapped[bool] = _yes()
    record: Mapped[bool] = _yes()
    """Whether terminals are recorded, where the site records at all."""
    idle_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    """Without a byte for that long a session ends; 0: as the site has it."""
