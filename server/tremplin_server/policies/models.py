"""Tables of the policies that installers and Jump Clients refer to."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model


class SimultaneousJumps(StrEnum):
    """What a second session on a Jump Client that has one is met with."""

    JOIN = "join"
    DISALLOW = "disallow"


class JumpPolicy(Model):
    """When and how a Jump Item may be used."""

    __tablename__ = "jump_policy"

    id: Mapped[int] = mapped_column(primary_key=True)
    display_name: Mapped[str] = mapped_column(String(255))
    code_name: Mapped[str] = mapped_column(String(64), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    simultaneous_jumps: Mapped[SimultaneousJumps] = mapped_column(
        String(16), default=SimultaneousJumps.JOIN, server_default=SimultaneousJumps.JOIN.value
    )


class SessionPolicy(Model):
    """What is allowed inside a session. Ids start at 2, as the field's contract has it."""

    __tablename__ = "session_policy"

    id: Mapped[int] = mapped_column(primary_key=True)
    display_name: Mapped[str] = mapped_column(String(255))
    code_name: Mapped[str] = mapped_column(String(64), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
