"""Updates of agents: what became of each, and the version that a host is held at.

Revision: 0031; follows: 0030
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jump_client",
        sa.Column("update_version", sa.String(length=32), nullable=False, server_default=""),
    )
    op.create_table(
        "client_update",
        sa.Column("client_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("from_version", sa.String(length=32), nullable=False),
        sa.Column("command_id", sa.String(length=36), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.String(length=512), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["jump_client.id"],
            name=op.f("fk_client_update_client_id_jump_client"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_update")),
    )
    op.create_index(op.f("ix_client_update_state"), "client_update", ["state"])


def downgrade() -> None:
    op.drop_table("client_update")
    op.drop_column("jump_client", "update_version")
