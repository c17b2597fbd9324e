"""RDP Jump Shortcuts.

Revision: 0010; follows: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLE = "rdp_shortcut"
INDEXED = ("jumpoint_id", "name", "owner_user_id", "shared_group_id")


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("hostname", sa.String(length=128), nullable=False),
        sa.Column("jumpoint_id", sa.Integer(), nullable=True),
        sa.Column("through_client", sa.Boolean(), nullable=False),
        sa.Column("quality", sa.String(length=32), nullable=False),
        sa.Column("console", sa.Boolean(), nullable=False),
        sa.Column("ignore_untrusted", sa.Boolean(), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("comments", sa.String(length=1024), nullable=False),
        sa.Column("rdp_username", sa.String(length=128), nullable=False),
        sa.Column("domain", sa.String(length=64), nullable=False),
        sa.Column("jump_policy_id", sa.Integer(), nullable=True),
        sa.Column("session_policy_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shared_group_id", sa.Integer(), nullable=True),
        sa.Column("owner_user_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(shared_group_id IS NULL) <> (owner_user_id IS NULL)",
            name=op.f(f"ck_{TABLE}_one_owner"),
        ),
        _refers("jumpoint_id", "jump_client", ondelete="SET NULL"),
        _refers("jump_policy_id", "jump_policy"),
        _refers("session_policy_id", "session_policy"),
        _refers("shared_group_id", "jump_group"),
        _refers("owner_user_id", "user"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sqlite_autoincrement=True,
    )
    for column in INDEXED:
        op.create_index(op.f(f"ix_{TABLE}_{column}"), TABLE, [column])


def _refers(column: str, table: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{TABLE}_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name, ondelete=ondelete)


def downgrade() -> None:
    op.drop_table(TABLE)
