"""Sessions that lead to other hosts, for RDP shortcuts through a Jump Client.

Revision: 0022; follows: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jump_session", sa.Column("targets", sa.JSON(), nullable=False, server_default="[]")
    )
    op.add_column(
        "rdp_shortcut",
        sa.Column("vetted", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    with op.batch_alter_table("rdp_shortcut") as table:
        table.drop_column("vetted")
    with op.batch_alter_table("jump_session") as table:
        table.drop_column("targets")
