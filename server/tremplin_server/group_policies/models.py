"""Tables of group policies: what they set, for whom, and in which Jump Groups."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model


class GroupPolicy(Model):
    """What its members are given. Policies apply by priority, 1 first."""

    __tablename__ = "group_policy"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    priority: Mapped[int]
    permissions: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Name of a site's permission → `{"allowed": bool, "final": bool}`."""
    session_policy_id: Mapped[int | None] = mapped_column(ForeignKey("session_policy.id"))
    session_policy_final: Mapped[bool] = mapped_column(default=False)


class GroupPolicyMember(Model):
    """Whom a policy is for: a user, or everybody who has a role on the site."""

    __tablename__ = "group_policy_member"
    __table_args__ = (
        CheckConstraint("(user_id IS NULL) <> (site_role IS NULL)", name="one_member"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    policy_id: Mapped[int] = mapped_column(
        ForeignKey("group_policy.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), index=True
    )
    site_role: Mapped[str | None] = mapped_column(String(16))


class GroupPolicyGroup(Model):
    """A Jump Group that a policy's members are in, and with which role; none: the default."""

    __tablename__ = "group_policy_group"

    policy_id: Mapped[int] = mapped_column(
        ForeignKey("group_policy.id", ondelete="CASCADE"), primary_key=True
    )
    jump_group_id: Mapped[int] = mapped_column(
        ForeignKey("jump_group.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    jump_item_role_id: Mapped[int | None] = mapped_column(ForeignKey("jump_item_role.id"))
    final: Mapped[bool] = mapped_column(default=False)
