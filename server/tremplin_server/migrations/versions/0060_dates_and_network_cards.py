"""When a Jump Client is removed, and the network cards that wake its host.

Revision: 0060; follows: 0052
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jump_client",
        sa.Column("networks", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
    )
    op.add_column("jump_client", sa.Column("remove_at", sa.DateTime(timezone=True)))
    op.create_index(op.f("ix_jump_client_remove_at"), "jump_client", ["remove_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_jump_client_remove_at"), "jump_client")
    op.drop_column("jump_client", "remove_at")
    op.drop_column("jump_client", "networks")
