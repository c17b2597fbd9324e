"""The tables.

Revision: 0001; follows: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("comments", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("ip_addresses", sa.Text(), nullable=False),
        sa.Column("failed_login_attempts", sa.Integer(), nullable=False),
        sa.Column("failed_login_expiration", sa.DateTime(timezone=True), nullable=True),
        sa.Column("perm_configuration", sa.Boolean(), nullable=False),
        sa.Column("perm_command", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_account")),
        sa.UniqueConstraint("client_id", name=op.f("uq_api_account_client_id")),
        sa.UniqueConstraint("name", name=op.f("uq_api_account_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("actor_name", sa.String(length=255), nullable=False),
        sa.Column("source_ip", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject_kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("subject_name", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index(op.f("ix_audit_event_action"), "audit_event", ["action"])
    op.create_index(op.f("ix_audit_event_actor_name"), "audit_event", ["actor_name"])
    op.create_index(op.f("ix_audit_event_at"), "audit_event", ["at"])
    op.create_index("ix_audit_event_subject", "audit_event", ["subject_kind", "subject_id"])

    op.create_table(
        "jump_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("code_name", sa.String(length=64), nullable=False),
        sa.Column("comments", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jump_group")),
        sa.UniqueConstraint("code_name", name=op.f("uq_jump_group_code_name")),
        sa.UniqueConstraint("name", name=op.f("uq_jump_group_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "jump_item_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("perm_add", sa.Boolean(), nullable=False),
        sa.Column("perm_remove", sa.Boolean(), nullable=False),
        sa.Column("perm_edit", sa.Boolean(), nullable=False),
        sa.Column("perm_start", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jump_item_role")),
        sa.UniqueConstraint("name", name=op.f("uq_jump_item_role_name")),
    )
    op.create_table(
        "jump_policy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("code_name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jump_policy")),
        sa.UniqueConstraint("code_name", name=op.f("uq_jump_policy_code_name")),
    )
    op.create_table(
        "secret",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secret")),
    )
    op.create_table(
        "session_policy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("code_name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_policy")),
        sa.UniqueConstraint("code_name", name=op.f("uq_session_policy_code_name")),
    )
    op.create_table(
        "tombstone",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("command_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("install_dir", sa.Text(), nullable=False),
        sa.Column("jump_group", sa.String(length=255), nullable=False),
        sa.Column("shared_group_id", sa.Integer(), nullable=True),
        sa.Column("owner_user_id", sa.Integer(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_by", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstone")),
    )
    op.create_index(op.f("ix_tombstone_client_id"), "tombstone", ["client_id"])
    op.create_index(op.f("ix_tombstone_external_id"), "tombstone", ["external_id"])
    op.create_index(op.f("ix_tombstone_fingerprint"), "tombstone", ["fingerprint"])
    op.create_index("ix_tombstone_open", "tombstone", ["closed_at"])
    op.create_index(op.f("ix_tombstone_public_key"), "tombstone", ["public_key"])

    op.create_table(
        "unknown_key",
        sa.Column("client_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("public_ip", sa.String(length=64), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_unknown_key")),
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("public_display_name", sa.String(length=64), nullable=False),
        sa.Column("private_display_name", sa.String(length=64), nullable=False),
        sa.Column("email_address", sa.String(length=255), nullable=False),
        sa.Column("preferred_email_language", sa.String(length=10), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_expiration", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_reset_next_login", sa.Boolean(), nullable=False),
        sa.Column("two_factor_required", sa.Boolean(), nullable=False),
        sa.Column("last_authentication", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("username", name=op.f("uq_user_username")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_index(op.f("ix_worker_heartbeat_at"), "worker", ["heartbeat_at"])

    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["api_account.id"],
            name=op.f("fk_api_token_account_id_api_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_index(op.f("ix_api_token_account_id"), "api_token", ["account_id"])
    op.create_index(op.f("ix_api_token_expires_at"), "api_token", ["expires_at"])

    op.create_table(
        "installer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("installer_id", sa.String(length=32), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("all_groups", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_duration", sa.Integer(), nullable=False),
        sa.Column("max_uses", sa.Integer(), nullable=True),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(length=255), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("comments", sa.String(length=1024), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("jump_policy_id", sa.Integer(), nullable=True),
        sa.Column("attended_session_policy_id", sa.Integer(), nullable=True),
        sa.Column("unattended_session_policy_id", sa.Integer(), nullable=True),
        sa.Column("connection_type", sa.String(length=16), nullable=False),
        sa.Column("max_offline_minutes", sa.Integer(), nullable=False),
        sa.Column("ephemeral", sa.Boolean(), nullable=False),
        sa.Column("on_duplicate", sa.String(length=16), nullable=False),
        sa.Column("allow_takeover", sa.Boolean(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("elevate_install", sa.Boolean(), nullable=False),
        sa.Column("elevate_prompt", sa.Boolean(), nullable=False),
        sa.Column("is_quiet", sa.Boolean(), nullable=False),
        sa.Column("customer_client_start_mode", sa.String(length=16), nullable=False),
        sa.Column("public_site_address", sa.String(length=128), nullable=False),
        sa.Column("allow_override_jump_group", sa.Boolean(), nullable=False),
        sa.Column("allow_override_jump_policy", sa.Boolean(), nullable=False),
        sa.Column("allow_override_name", sa.Boolean(), nullable=False),
        sa.Column("allow_override_tag", sa.Boolean(), nullable=False),
        sa.Column("allow_override_comments", sa.Boolean(), nullable=False),
        sa.Column("allow_override_external_id", sa.Boolean(), nullable=False),
        sa.Column("allow_override_session_policy", sa.Boolean(), nullable=False),
        sa.Column("allow_override_attended_session_policy", sa.Boolean(), nullable=False),
        sa.Column("allow_override_unattended_session_policy", sa.Boolean(), nullable=False),
        sa.Column("allow_override_max_offline_minutes", sa.Boolean(), nullable=False),
        sa.Column("shared_group_id", sa.Integer(), nullable=True),
        sa.Column("owner_user_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(shared_group_id IS NULL) <> (owner_user_id IS NULL)",
            name=op.f("ck_installer_one_owner"),
        ),
        sa.ForeignKeyConstraint(
            ["attended_session_policy_id"],
            ["session_policy.id"],
            name=op.f("fk_installer_attended_session_policy_id_session_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["jump_policy_id"],
            ["jump_policy.id"],
            name=op.f("fk_installer_jump_policy_id_jump_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_user_id"], ["user.id"], name=op.f("fk_installer_owner_user_id_user")
        ),
        sa.ForeignKeyConstraint(
            ["shared_group_id"],
            ["jump_group.id"],
            name=op.f("fk_installer_shared_group_id_jump_group"),
        ),
        sa.ForeignKeyConstraint(
            ["unattended_session_policy_id"],
            ["session_policy.id"],
            name=op.f("fk_installer_unattended_session_policy_id_session_policy"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installer")),
        sa.UniqueConstraint("installer_id", name=op.f("uq_installer_installer_id")),
        info={"goes_with_owner": True},
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_installer_expires_at"), "installer", ["expires_at"])
    op.create_index(op.f("ix_installer_owner_user_id"), "installer", ["owner_user_id"])
    op.create_index(op.f("ix_installer_shared_group_id"), "installer", ["shared_group_id"])

    op.create_table(
        "jump_group_member",
        sa.Column("jump_group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("jump_item_role_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["jump_group_id"],
            ["jump_group.id"],
            name=op.f("fk_jump_group_member_jump_group_id_jump_group"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["jump_item_role_id"],
            ["jump_item_role.id"],
            name=op.f("fk_jump_group_member_jump_item_role_id_jump_item_role"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user.id"],
            name=op.f("fk_jump_group_member_user_id_user"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("jump_group_id", "user_id", name=op.f("pk_jump_group_member")),
    )
    op.create_index(op.f("ix_jump_group_member_user_id"), "jump_group_member", ["user_id"])

    op.create_table(
        "installer_use",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("installer_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=True),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("public_ip", sa.String(length=64), nullable=False),
        sa.Column("overrides", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["installer_id"],
            ["installer.id"],
            name=op.f("fk_installer_use_installer_id_installer"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installer_use")),
    )
    op.create_index(op.f("ix_installer_use_installer_id"), "installer_use", ["installer_id"])

    op.create_table(
        "jump_client",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("installer_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("comments", sa.String(length=1024), nullable=False),
        sa.Column("jump_policy_id", sa.Integer(), nullable=True),
        sa.Column("attended_session_policy_id", sa.Integer(), nullable=True),
        sa.Column("unattended_session_policy_id", sa.Integer(), nullable=True),
        sa.Column("connection_type", sa.String(length=16), nullable=False),
        sa.Column("max_offline_minutes", sa.Integer(), nullable=False),
        sa.Column("ephemeral", sa.Boolean(), nullable=False),
        sa.Column("pinned_forever", sa.Boolean(), nullable=False),
        sa.Column("is_quiet", sa.Boolean(), nullable=False),
        sa.Column("customer_client_start_mode", sa.String(length=16), nullable=False),
        sa.Column("public_site_address", sa.String(length=128), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("fqdn", sa.String(length=255), nullable=False),
        sa.Column("operating_system", sa.String(length=255), nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("agent_version", sa.String(length=32), nullable=False),
        sa.Column("public_ip", sa.String(length=64), nullable=False),
        sa.Column("private_ip", sa.String(length=64), nullable=False),
        sa.Column("console_user", sa.String(length=255), nullable=False),
        sa.Column("install_mode", sa.String(length=16), nullable=False),
        sa.Column("install_dir", sa.Text(), nullable=False),
        sa.Column("run_as", sa.String(length=255), nullable=False),
        sa.Column("startup", sa.String(length=16), nullable=False),
        sa.Column("statistics", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_connect", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_disconnect", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_access", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("shared_group_id", sa.Integer(), nullable=True),
        sa.Column("owner_user_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(shared_group_id IS NULL) <> (owner_user_id IS NULL)",
            name=op.f("ck_jump_client_one_owner"),
        ),
        sa.ForeignKeyConstraint(
            ["attended_session_policy_id"],
            ["session_policy.id"],
            name=op.f("fk_jump_client_attended_session_policy_id_session_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["installer_id"],
            ["installer.id"],
            name=op.f("fk_jump_client_installer_id_installer"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["jump_policy_id"],
            ["jump_policy.id"],
            name=op.f("fk_jump_client_jump_policy_id_jump_policy"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_user_id"], ["user.id"], name=op.f("fk_jump_client_owner_user_id_user")
        ),
        sa.ForeignKeyConstraint(
            ["shared_group_id"],
            ["jump_group.id"],
            name=op.f("fk_jump_client_shared_group_id_jump_group"),
        ),
        sa.ForeignKeyConstraint(
            ["unattended_session_policy_id"],
            ["session_policy.id"],
            name=op.f("fk_jump_client_unattended_session_policy_id_session_policy"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jump_client")),
        sa.UniqueConstraint("external_id", name=op.f("uq_jump_client_external_id")),
        sa.UniqueConstraint("public_key", name=op.f("uq_jump_client_public_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_jump_client_fingerprint"), "jump_client", ["fingerprint"])
    op.create_index(op.f("ix_jump_client_hostname"), "jump_client", ["hostname"])
    op.create_index(op.f("ix_jump_client_last_seen"), "jump_client", ["last_seen"])
    op.create_index(op.f("ix_jump_client_name"), "jump_client", ["name"])
    op.create_index(op.f("ix_jump_client_owner_user_id"), "jump_client", ["owner_user_id"])
    op.create_index(op.f("ix_jump_client_shared_group_id"), "jump_client", ["shared_group_id"])
    op.create_index(op.f("ix_jump_client_state"), "jump_client", ["state"])
    op.create_index(op.f("ix_jump_client_tag"), "jump_client", ["tag"])
    op.create_index(op.f("ix_jump_client_worker_id"), "jump_client", ["worker_id"])

    op.create_table(
        "command",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["jump_client.id"],
            name=op.f("fk_command_client_id_jump_client"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
    )
    op.create_index(op.f("ix_command_client_id"), "command", ["client_id"])


def downgrade() -> None:
    for table in (
        "command",
        "jump_client",
        "installer_use",
        "jump_group_member",
        "installer",
        "api_token",
        "worker",
        "user",
        "unknown_key",
        "tombstone",
        "session_policy",
        "secret",
        "jump_policy",
        "jump_item_role",
        "jump_group",
        "audit_event",
        "api_account",
    ):
        op.drop_table(table)
