"""Browsers that are signed in, recovery codes, old passwords, and OpenID subjects.

Whoever is signed in when this runs signs in once more: the old cookies named no row.

Revision: 0007; follows: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _of_user(
        "web_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("source_ip", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("token_hash", name=op.f("uq_web_session_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_web_session_expires_at"), "web_session", ["expires_at"])
    _of_user("recovery_code", sa.Column("code_hash", sa.String(length=64), nullable=False))
    _of_user(
        "old_password",
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
    )
    _of_user(
        "external_identity",
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("made_account", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_external_identity_issuer")),
        sa.UniqueConstraint("user_id", "issuer", name=op.f("uq_external_identity_user_id")),
    )


def _of_user(name: str, *parts: sa.schema.SchemaItem, **options: bool) -> None:
    """Make a table of what people have, which goes with them."""
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        *parts,
        sa.ForeignKeyConstraint(
            ["user_id"], ["user.id"], name=op.f(f"fk_{name}_user_id_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        **options,
    )
    op.create_index(op.f(f"ix_{name}_user_id"), name, ["user_id"])


def downgrade() -> None:
    for name in ("external_identity", "old_password", "recovery_code", "web_session"):
        op.drop_table(name)
