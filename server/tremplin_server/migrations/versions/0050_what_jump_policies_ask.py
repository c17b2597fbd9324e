"""Jump Policies: schedules, ticket ids, second factors, reasons, limits, who is told.

Revision: 0050; follows: 0040
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0040"
branch_labels = None
depends_on = None

FLAGS = (
    "simultaneous_jump_behavior_applies_to_copies",
    "schedule_enabled",
    "schedule_strict",
    "reason_required",
    "ticket_id_required",
    "two_factor_challenge_required",
)
NUMBERS = ("two_factor_minutes", "max_session_minutes")


def upgrade() -> None:
    with op.batch_alter_table("jump_policy") as batch:
        for name in FLAGS:
            batch.add_column(
                sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
            )
        for name in NUMBERS:
            batch.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(_text("simultaneous_jumps_rdp", sa.String(16), "global"))
        batch.add_column(_text("timezone", sa.String(64), "UTC"))
        batch.add_column(_text("notify_recipients", sa.Text(), ""))
        batch.add_column(
            sa.Column("schedule_entries", sa.JSON(), nullable=False, server_default=sa.text("'[]'"))
        )
    with op.batch_alter_table("totp") as batch:
        batch.add_column(sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("jump_session") as batch:
        batch.add_column(_text("limit_code", sa.String(64), "session.time_up"))
        batch.add_column(_text("ticket_id", sa.String(255), ""))
        batch.add_column(sa.Column("jump_policy_id", sa.Integer(), nullable=True))


def _text(name: str, kind: sa.types.TypeEngine[str], default: str) -> sa.Column[str]:
    return sa.Column(name, kind, nullable=False, server_default=default)


def downgrade() -> None:
    with op.batch_alter_table("jump_session") as batch:
        for name in ("jump_policy_id", "ticket_id", "limit_code"):
            batch.drop_column(name)
    with op.batch_alter_table("totp") as batch:
        batch.drop_column("proved_at")
    # A value that the code before this revision does not know.
    op.execute(
        "UPDATE jump_policy SET simultaneous_jumps = 'join' WHERE simultaneous_jumps = 'global'"
    )
    with op.batch_alter_table("jump_policy") as batch:
        for name in (
            "schedule_entries",
            "notify_recipients",
            "timezone",
            "simultaneous_jumps_rdp",
            *NUMBERS,
            *FLAGS,
        ):
            batch.drop_column(name)
