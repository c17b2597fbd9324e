"""An index for each order that the console's list can have, and those for its counts.

Revision: 0075; follows: 0071
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0071"
branch_labels = None
depends_on = None

COLUMNS = ("operating_system", "private_ip", "public_ip", "console_user", "agent_version")
OWNERS = "ix_client_search_owner"
PEOPLE = "ix_client_search_owner_user_id"
OFFLINE = "ix_jump_client_offline"


def upgrade() -> None:
    for column in COLUMNS:
        op.create_index(f"ix_jump_client_{column}", "jump_client", [column])
    op.create_index(OWNERS, "client_search", ["shared_group_id", "owner_user_id", "client_id"])
    op.create_index(PEOPLE, "client_search", ["owner_user_id"])
    offline = sa.text("state = 'offline'")
    op.create_index(
        OFFLINE, "jump_client", ["last_seen"], sqlite_where=offline, postgresql_where=offline
    )


def downgrade() -> None:
    op.drop_index(OFFLINE, "jump_client")
    op.drop_index(PEOPLE, "client_search")
    op.drop_index(OWNERS, "client_search")
    for column in COLUMNS:
        op.drop_index(f"ix_jump_client_{column}", "jump_client")
