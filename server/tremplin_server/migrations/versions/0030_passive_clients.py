"""Where passive Jump Clients listen, and which orders they were woken for.

Revision: 0030; follows: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0022"
branch_labels = None
depends_on = None

LISTENING = ("jump_client", "tombstone")
WOKEN = ("command", "tombstone")


def upgrade() -> None:
    for table in LISTENING:
        listening = sa.Column("listening", sa.JSON(), nullable=False, server_default="{}")
        op.add_column(table, listening)
    for table in WOKEN:
        woken_at = sa.Column("woken_at", sa.DateTime(timezone=True), nullable=True)
        op.add_column(table, woken_at)
    # What waited before is no reason to call anybody now.
    op.execute("UPDATE tombstone SET woken_at = deleted_at")


def downgrade() -> None:
    op.execute("UPDATE jump_client SET state = 'offline' WHERE state = 'resting'")
    for table in WOKEN:
        op.drop_column(table, "woken_at")
    for table in LISTENING:
        op.drop_column(table, "listening")
