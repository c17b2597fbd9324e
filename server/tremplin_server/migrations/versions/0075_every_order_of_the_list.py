"""An index for each order that the console's list can have, and one for its counts.

Revision: 0075; follows: 0071
"""

from __future__ import annotations

from alembic import op

revision = "0075"
down_revision = "0071"
branch_labels = None
depends_on = None

COLUMNS = ("operating_system", "private_ip", "public_ip", "console_user", "agent_version")
OWNERS = "ix_client_search_owner"


def upgrade() -> None:
    for column in COLUMNS:
        op.create_index(f"ix_jump_client_{column}", "jump_client", [column])
    op.create_index(OWNERS, "client_search", ["shared_group_id", "owner_user_id", "client_id"])


def downgrade() -> None:
    op.drop_index(OWNERS, "client_search")
    for column in COLUMNS:
        op.drop_index(f"ix_jump_client_{column}", "jump_client")
