"""Jump Item Roles with the permissions of the field's contract, in place of the one `perm_edit`.

Revision: 0070; follows: 0061
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0061"
branch_labels = None
depends_on = None

OF_EDIT = (
    "perm_assign_jump_group",
    "perm_edit_tag",
    "perm_edit_comments",
    "perm_edit_jump_policy",
    "perm_edit_session_policy",
    "perm_edit_identity",
    "perm_edit_behavior",
    "perm_edit_public_portal",
    "perm_edit_support_button",
)
"""What whoever could edit could do."""
OF_ALL = "perm_view_jump_item_report"
"""Every member saw the sessions of the others."""


def upgrade() -> None:
    with op.batch_alter_table("jump_item_role") as batch:
        for name in (*OF_EDIT, OF_ALL):
            batch.add_column(
                sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
            )
    same = ", ".join(f"{name} = perm_edit" for name in OF_EDIT)
    op.execute(f"UPDATE jump_item_role SET {same}, {OF_ALL} = {_true()}")  # noqa: S608 - names from above
    with op.batch_alter_table("jump_item_role") as batch:
        for name in (*OF_EDIT, OF_ALL):
            batch.alter_column(name, server_default=None)
        batch.drop_column("perm_edit")


def downgrade() -> None:
    with op.batch_alter_table("jump_item_role") as batch:
        batch.add_column(
            sa.Column("perm_edit", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    # Nobody may do more after it: only who can change everything can still edit.
    everything = " AND ".join(OF_EDIT)
    op.execute(f"UPDATE jump_item_role SET perm_edit = ({everything})")  # noqa: S608 - names from above
    with op.batch_alter_table("jump_item_role") as batch:
        batch.alter_column("perm_edit", server_default=None)
        for name in (*OF_EDIT, OF_ALL):
            batch.drop_column(name)


def _true() -> str:
    return "true" if op.get_bind().dialect.name == "postgresql" else "1"
