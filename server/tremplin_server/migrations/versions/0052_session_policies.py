"""Session policies: what is allowed inside a session, and what a session was granted.

Revision: 0052; follows: 0051
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

FLAGS = (
    "allow_shell",
    "allow_exec",
    "allow_upload",
    "allow_download",
    "allow_forward",
    "record",
)


def upgrade() -> None:
    with op.batch_alter_table("session_policy") as batch:
        for name in FLAGS:
            batch.add_column(
                sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.true())
            )
        batch.add_column(
            sa.Column("idle_minutes", sa.Integer(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("jump_session") as batch:
        batch.add_column(
            sa.Column("recorded", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        batch.add_column(
            sa.Column("idle_minutes", sa.Integer(), nullable=False, server_default="0")
        )
        batch.add_column(sa.Column("session_policy_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jump_session") as batch:
        for name in ("session_policy_id", "idle_minutes", "recorded"):
            batch.drop_column(name)
    with op.batch_alter_table("session_policy") as batch:
        for name in ("idle_minutes", *FLAGS):
            batch.drop_column(name)
