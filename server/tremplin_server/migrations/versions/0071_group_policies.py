"""Group policies: members, permissions, Jump Groups with roles, session policies, priority.

Revision: 0071; follows: 0070
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "group_policy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("session_policy_id", sa.Integer()),
        sa.Column("session_policy_final", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_policy_id"], ["session_policy.id"],
            name=op.f("fk_group_policy_session_policy_id_session_policy"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_policy")),
        sa.UniqueConstraint("name", name=op.f("uq_group_policy_name")),
    )  # fmt: skip
    op.create_table(
        "group_policy_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("policy_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("site_role", sa.String(length=16)),
        sa.CheckConstraint(
            "(user_id IS NULL) <> (site_role IS NULL)",
            name=op.f("ck_group_policy_member_one_member"),
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["group_policy.id"], ondelete="CASCADE",
            name=op.f("fk_group_policy_member_policy_id_group_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], ondelete="CASCADE",
            name=op.f("fk_group_policy_member_user_id_user"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_policy_member")),
    )  # fmt: skip
    for column in ("policy_id", "user_id"):
        op.create_index(op.f(f"ix_group_policy_member_{column}"), "group_policy_member", [column])
    op.create_table(
        "group_policy_group",
        sa.Column("policy_id", sa.Integer(), nullable=False),
        sa.Column("jump_group_id", sa.Integer(), nullable=False),
        sa.Column("jump_item_role_id", sa.Integer()),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["group_policy.id"], ondelete="CASCADE",
            name=op.f("fk_group_policy_group_policy_id_group_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["jump_group_id"], ["jump_group.id"], ondelete="CASCADE",
            name=op.f("fk_group_policy_group_jump_group_id_jump_group"),
        ),
        sa.ForeignKeyConstraint(
            ["jump_item_role_id"], ["jump_item_role.id"],
            name=op.f("fk_group_policy_group_jump_item_role_id_jump_item_role"),
        ),
        sa.PrimaryKeyConstraint("policy_id", "jump_group_id", name=op.f("pk_group_policy_group")),
    )  # fmt: skip
    op.create_index(
        op.f("ix_group_policy_group_jump_group_id"), "group_policy_group", ["jump_group_id"]
    )


def downgrade() -> None:
    for table in ("group_policy_group", "group_policy_member", "group_policy"):
        op.drop_table(table)
