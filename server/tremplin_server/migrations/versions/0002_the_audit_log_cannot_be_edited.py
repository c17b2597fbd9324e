"""The database itself refuses to change or remove what the audit log holds.

Revision: 0002; follows: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MESSAGE = "the audit log cannot be edited"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _protect_on_postgresql()
    else:
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER audit_event_no_{verb} BEFORE {verb.upper()} ON audit_event "
                f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )


def _protect_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
    )
    for verb, level in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER audit_event_no_{verb} BEFORE {verb.upper()} ON audit_event "
            f"FOR EACH {level} EXECUTE FUNCTION audit_event_refuse()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for verb in ("update", "delete", "truncate"):
            op.execute(f"DROP TRIGGER audit_event_no_{verb} ON audit_event")
        op.execute("DROP FUNCTION audit_event_refuse()")
    else:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER audit_event_no_{verb}")
