"""What every site starts with: three Jump Item Roles and one policy of each kind.

Revision: 0003; follows: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROLES = (
    ("Technician", "May add, edit, remove and start.", True, True, True, True),
    ("Start Sessions Only", "May start sessions, and change nothing.", False, False, False, True),
    ("No Access", "May see the Jump Items, and nothing else.", False, False, False, False),
)
SESSION_POLICY_ID = 2

_roles = sa.table(
    "jump_item_role",
    *(sa.column(name, sa.String) for name in ("name", "description")),
    *(sa.column(f"perm_{verb}", sa.Boolean) for verb in ("add", "edit", "remove", "start")),
)
_jump_policy, _session_policy = (
    sa.table(
        name,
        sa.column("id", sa.Integer),
        *(sa.column(text, sa.String) for text in ("display_name", "code_name", "description")),
    )
    for name in ("jump_policy", "session_policy")
)


def upgrade() -> None:
    names = [column.name for column in _roles.columns]
    op.bulk_insert(_roles, [dict(zip(names, role, strict=True)) for role in ROLES])
    default = {"display_name": "Default", "code_name": "default", "description": ""}
    op.bulk_insert(_jump_policy, [default])
    # The field's contract counts session policies from 2.
    op.bulk_insert(_session_policy, [{"id": SESSION_POLICY_ID, **default}])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"SELECT setval('session_policy_id_seq', {SESSION_POLICY_ID})")


def downgrade() -> None:
    op.execute("UPDATE jump_group_member SET jump_item_role_id = NULL")
    for table in ("jump_client", "installer"):
        for column in (
            "jump_policy_id",
            "attended_session_policy_id",
            "unattended_session_policy_id",
        ):
            op.execute(f"UPDATE {table} SET {column} = NULL")  # noqa: S608 - names from above
    for table in ("jump_item_role", "jump_policy", "session_policy"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above
