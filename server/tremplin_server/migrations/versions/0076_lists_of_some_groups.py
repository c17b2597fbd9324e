"""The index of whose clients are whose knows their names: lists of some groups need no record.

Revision: 0076; follows: 0075
"""

from __future__ import annotations

from alembic import op

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_client_search_owner", "client_search"
OWNER = ("shared_group_id", "owner_user_id", "client_id")


def upgrade() -> None:
    op.drop_index(INDEX, TABLE)
    op.create_index(INDEX, TABLE, [*OWNER, "label"])


def downgrade() -> None:
    op.drop_index(INDEX, TABLE)
    op.create_index(INDEX, TABLE, [*OWNER])
