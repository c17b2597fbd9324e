"""Support sessions: their keys, technicians, chat and pins, and the sessions held in them.

Revision: 0040; follows: 0030
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "support_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=1024), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("taken_at", _TIME, nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("operating_system", sa.String(length=255), nullable=False),
        sa.Column("console_user", sa.String(length=255), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("public_ip", sa.String(length=64), nullable=False),
        sa.Column("elevated", sa.Boolean(), nullable=False),
        sa.Column("attended_at", _TIME, nullable=True),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("away_since", _TIME, nullable=True),
        sa.Column("question", sa.Integer(), nullable=False),
        sa.Column("raising", sa.Boolean(), nullable=False),
        sa.Column("granted", sa.JSON(), nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("ended_by", sa.String(length=255), nullable=False),
        sa.Column("end_code", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user.id"], name=op.f("fk_support_session_owner_id_user"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_session")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_support_session_key_hash")),
        sqlite_autoincrement=True,
    )  # fmt: skip
    for name in ("state", "created_at", "owner_id", "worker_id"):
        op.create_index(op.f(f"ix_support_session_{name}"), "support_session", [name])
    op.create_table(
        "support_member",
        sa.Column("support_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        _of_session("support_member"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f("fk_support_member_user_id_user"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("support_id", "user_id", name=op.f("pk_support_member")),
    )  # fmt: skip
    op.create_index(op.f("ix_support_member_user_id"), "support_member", ["user_id"])
    op.create_table(
        "support_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("support_id", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _of_session("support_message"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_message")),
    )
    op.create_table(
        "support_pin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("support_id", sa.Integer(), nullable=False),
        sa.Column("installer_id", sa.Integer(), nullable=True),
        sa.Column("group", sa.String(length=255), nullable=False),
        sa.Column("asked_by", sa.String(length=255), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.String(length=255), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=True),
        _of_session("support_pin"),
        sa.ForeignKeyConstraint(
            ["installer_id"], ["installer.id"], name=op.f("fk_support_pin_installer_id_installer"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["jump_client.id"], name=op.f("fk_support_pin_client_id_jump_client"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_support_pin")),
    )  # fmt: skip
    for table in ("support_message", "support_pin"):
        op.create_index(op.f(f"ix_{table}_support_id"), table, ["support_id"])
    op.add_column("jump_session", sa.Column("guest_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_jump_session_guest_id"), "jump_session", ["guest_id"])


def _of_session(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_support_id_support_session")
    return sa.ForeignKeyConstraint(
        ["support_id"], ["support_session.id"], name=name, ondelete="CASCADE"
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_jump_session_guest_id"), table_name="jump_session")
    with op.batch_alter_table("jump_session") as batch:
        batch.drop_column("guest_id")
    for name in ("support_pin", "support_message", "support_member", "support_session"):
        op.drop_table(name)
