"""Copies of Jump Clients in other groups.

Revision: 0061; follows: 0060
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

FIRST = 1_000_000_001


def upgrade() -> None:
    op.create_table(
        "client_copy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("comments", sa.String(length=1024), nullable=False),
        sa.Column("jump_policy_id", sa.Integer()),
        sa.Column("attended_session_policy_id", sa.Integer()),
        sa.Column("unattended_session_policy_id", sa.Integer()),
        sa.Column("remove_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("shared_group_id", sa.Integer()),
        sa.Column("owner_user_id", sa.Integer()),
        sa.CheckConstraint(
            "(shared_group_id IS NULL) <> (owner_user_id IS NULL)",
            name=op.f("ck_client_copy_one_owner"),
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["jump_client.id"], ondelete="CASCADE",
            name=op.f("fk_client_copy_client_id_jump_client"),
        ),
        sa.ForeignKeyConstraint(
            ["jump_policy_id"], ["jump_policy.id"],
            name=op.f("fk_client_copy_jump_policy_id_jump_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["attended_session_policy_id"], ["session_policy.id"],
            name=op.f("fk_client_copy_attended_session_policy_id_session_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["unattended_session_policy_id"], ["session_policy.id"],
            name=op.f("fk_client_copy_unattended_session_policy_id_session_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["shared_group_id"], ["jump_group.id"],
            name=op.f("fk_client_copy_shared_group_id_jump_group"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_user_id"], ["user.id"], name=op.f("fk_client_copy_owner_user_id_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_copy")),
        sqlite_autoincrement=True,
    )  # fmt: skip
    for column in ("client_id", "remove_at", "shared_group_id", "owner_user_id"):
        op.create_index(op.f(f"ix_client_copy_{column}"), "client_copy", [column])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER SEQUENCE client_copy_id_seq RESTART WITH {FIRST}")
    else:
        op.execute(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('client_copy', {FIRST - 1})")  # noqa: S608 - a number of ours


def downgrade() -> None:
    op.drop_table("client_copy")
