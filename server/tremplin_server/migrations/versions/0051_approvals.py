"""Jump Policies that want an approval, and the requests for one.

Revision: 0051; follows: 0050
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

LISTS = ("approver_user_ids", "approver_roles", "approver_group_ids")
NUMBERS = ("approval_request_minutes", "approval_minutes")
FLAGS = ("approval_required", "approval_for_anyone")


def upgrade() -> None:
    with op.batch_alter_table("jump_policy") as batch:
        for name in FLAGS:
            batch.add_column(
                sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
            )
        for name in NUMBERS:
            batch.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="60"))
        for name in LISTS:
            batch.add_column(
                sa.Column(name, sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
            )
    op.create_table(
        "jump_approval",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_kind", sa.String(length=16), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("item_name", sa.String(length=128), nullable=False),
        sa.Column("jump_policy_id", sa.Integer(), nullable=False),
        sa.Column("policy_name", sa.String(length=255), nullable=False),
        sa.Column("requester_kind", sa.String(length=16), nullable=False),
        sa.Column("requester_id", sa.Integer(), nullable=False),
        sa.Column("requester", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.String(length=1024), nullable=False),
        sa.Column("ticket_id", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("comment", sa.String(length=1024), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("for_anyone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jump_approval")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jump_approval_item", "jump_approval", ["item_kind", "item_id"])
    op.create_index(op.f("ix_jump_approval_jump_policy_id"), "jump_approval", ["jump_policy_id"])


def downgrade() -> None:
    op.drop_table("jump_approval")
    with op.batch_alter_table("jump_policy") as batch:
        for name in (*LISTS, *NUMBERS, *FLAGS):
            batch.drop_column(name)
