"""Sessions, their recordings, where workers are reached, simultaneous jumps of a policy.

Revision: 0004; follows: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jump_session",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=True),
        sa.Column("client_name", sa.String(length=128), nullable=False),
        sa.Column("client_external_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("front", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=1024), nullable=False),
        sa.Column("technician_ip", sa.String(length=64), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("ports", sa.JSON(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("vouched", sa.Boolean(), nullable=False),
        sa.Column("ticket_hash", sa.String(length=64), nullable=False),
        sa.Column("ticket_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_code", sa.String(length=64), nullable=False),
        sa.Column("bytes_to_host", sa.BigInteger(), nullable=False),
        sa.Column("bytes_from_host", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["jump_client.id"],
            name=op.f("fk_jump_session_client_id_jump_client"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user.id"],
            name=op.f("fk_jump_session_user_id_user"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jump_session")),
    )
    for column in ("client_id", "user_id", "actor", "state", "worker_id", "created_at"):
        op.create_index(op.f(f"ix_jump_session_{column}"), "jump_session", [column])
    op.create_table(
        "session_recording",
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("duration_seconds", sa.Float(), nullable=False),
        sa.Column("columns", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["jump_session.id"],
            name=op.f("fk_session_recording_session_id_jump_session"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "number", name=op.f("pk_session_recording")),
    )
    op.create_index(op.f("ix_session_recording_stored_at"), "session_recording", ["stored_at"])
    op.add_column(
        "worker",
        sa.Column("peer_address", sa.String(length=512), nullable=False, server_default=""),
    )
    op.add_column(
        "jump_policy",
        sa.Column(
            "simultaneous_jumps", sa.String(length=16), nullable=False, server_default="join"
        ),
    )


def downgrade() -> None:
    op.drop_column("jump_policy", "simultaneous_jumps")
    op.drop_column("worker", "peer_address")
    op.drop_table("session_recording")
    op.drop_table("jump_session")
