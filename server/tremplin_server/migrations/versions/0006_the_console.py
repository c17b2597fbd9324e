"""What the console keeps: the look that a person chose, and a day of figures per client.

Revision: 0006; follows: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("theme", sa.String(length=8), nullable=False, server_default=""),
        sa.Column("console_columns", sa.Text(), nullable=False, server_default=""),
    ):
        op.add_column("user", column)
    op.create_table(
        "client_history",
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("last_slot", sa.Integer(), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["jump_client.id"],
            name=op.f("fk_client_history_client_id_jump_client"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_history")),
    )


def downgrade() -> None:
    op.drop_table("client_history")
    with op.batch_alter_table("user") as table:
        table.drop_column("console_columns")
        table.drop_column("theme")
