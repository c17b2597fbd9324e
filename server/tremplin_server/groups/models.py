"""Tables of shared Jump Groups, their members, and the ownership of Jump Items."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from tremplin_server.db import NEVER_REUSE_IDS, Model
from tremplin_server.permissions import ItemPermission


class JumpGroup(Model):
    """A shared Jump Group. Personal groups have no row: their id is that of their user."""

    __tablename__ = "jump_group"
    __table_args__ = NEVER_REUSE_IDS

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    code_name: Mapped[str] = mapped_column(String(64), unique=True)
    comments: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class JumpItemRole(Model):
    """What a member may do with the Jump Items of a group."""

    __tablename__ = "jump_item_role"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    perm_add: Mapped[bool] = mapped_column(default=False)
    perm_assign_jump_group: Mapped[bool] = mapped_column(default=False)
    perm_remove: Mapped[bool] = mapped_column(default=False)
    perm_start: Mapped[bool] = mapped_column(default=False)
    perm_edit_tag: Mapped[bool] = mapped_column(default=False)
    perm_edit_comments: Mapped[bool] = mapped_column(default=False)
    perm_edit_jump_policy: Mapped[bool] = mapped_column(default=False)
    perm_edit_session_policy: Mapped[bool] = mapped_column(default=False)
    perm_edit_identity: Mapped[bool] = mapped_column(default=False)
    perm_edit_behavior: Mapped[bool] = mapped_column(default=False)
    perm_edit_public_portal: Mapped[bool] = mapped_column(default=False)
    perm_edit_support_button: Mapped[bool] = mapped_column(default=False)
    perm_view_jump_item_report: Mapped[bool] = mapped_column(default=False)

    @property
    def permissions(self) -> frozenset[ItemPermission]:
        """What the role allows."""
        return frozenset(p for p in ItemPermission if getattr(self, p.value))


class JumpGroupMember(Model):
    """A user's place in a shared group; no role means the user's default one."""

    __tablename__ = "jump_group_member"

    jump_group_id: Mapped[int] = mapped_column(
        ForeignKey("jump_group.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    jump_item_role_id: Mapped[int | None] = mapped_column(
        ForeignKey("jump_item_role.id", ondelete="SET NULL")
    )


def one_owner() -> CheckConstraint:
    """Return the constraint that every `Owned` table states among its table arguments."""
    return CheckConstraint("(shared_group_id IS NULL) <> (owner_user_id IS NULL)", name="one_owner")


class Belonging:
    """What belongs to exactly one group: a shared one or a user's personal one."""

    if TYPE_CHECKING:
        shared_group_id: Any
        owner_user_id: Any

    @property
    def jump_group_type(self) -> str:
        """`shared` or `personal`, as the API names it."""
        return "shared" if self.shared_group_id is not None else "personal"

    @property
    def jump_group_id(self) -> int:
        """The id of the shared group, or of the user whose personal group it is."""
        owner = self.shared_group_id if self.shared_group_id is not None else self.owner_user_id
        assert owner is not None, "the one_owner constraint holds"
        return int(owner)


class Owned(Belonging):
    """Mixin of the tables of what belongs to a group."""

    @declared_attr
    def shared_group_id(self) -> Mapped[int | None]:
        return mapped_column(ForeignKey("jump_group.id"), index=True)

    @declared_attr
    def owner_user_id(self) -> Mapped[int | None]:
        return mapped_column(ForeignKey("user.id"), index=True)
