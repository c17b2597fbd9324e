# ruff: noqa: S608 - every part of these statements is written here
"""What the console needs: looks that people chose, a day of figures per client, searching.

Revision: 0006; follows: 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FIELDS = (
    "name",
    "hostname",
    "tag",
    "comments",
    "console_user",
    "operating_system",
    "private_ip",
    "public_ip",
)
SEARCHED = (*FIELDS, "fqdn", "external_id")
OWNER = ("shared_group_id", "owner_user_id")
GROUP_INDEX = "ix_jump_client_group_tag"
ACCESS_INDEX = "ix_jump_client_last_access"


def upgrade() -> None:
    for column in (
        sa.Column("theme", sa.String(length=8), nullable=False, server_default=""),
        sa.Column("console_columns", sa.Text(), nullable=False, server_default=""),
    ):
        op.add_column("user", column)
    _table("client_history", sa.Column("last_slot", sa.Integer(), nullable=False),
           sa.Column("samples", sa.LargeBinary(), nullable=False))  # fmt: skip
    texts = (sa.Column(name, sa.Text(), nullable=False) for name in (*FIELDS, "text"))
    label = sa.Column("label", sa.String(length=128), nullable=False)
    owner = (sa.Column(name, sa.Integer(), nullable=True) for name in OWNER)
    _table("client_search", *texts, label, *owner)
    op.create_index(GROUP_INDEX, "jump_client", [*OWNER, "tag"])
    op.create_index(ACCESS_INDEX, "jump_client", ["last_access"])
    op.execute(f"INSERT INTO client_search SELECT id, {_texts('')} FROM jump_client")
    if op.get_bind().dialect.name == "postgresql":
        _follow_on_postgresql()
    else:
        _follow_on_sqlite()


def _table(name: str, *columns: sa.Column[Any]) -> None:
    """Make a table with one row per Jump Client, which goes with it."""
    op.create_table(
        name,
        sa.Column("client_id", sa.Integer(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["jump_client.id"],
            name=op.f(f"fk_{name}_client_id_jump_client"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f(f"pk_{name}")),
    )


def _texts(row: str) -> str:
    """Return the SQL of what is searched of a row, in small letters: each field, then all of
    them with a line each; and the name as it is written, and the owner."""
    line = "chr(10)" if op.get_bind().dialect.name == "postgresql" else "char(10)"
    fields = [f"lower({row}{name})" for name in FIELDS]
    everything = f" || {line} || ".join(f"coalesce({row}{name}, '')" for name in SEARCHED)
    return ", ".join((*fields, f"lower({everything})", *(row + name for name in ("name", *OWNER))))


def _follow_on_sqlite() -> None:
    """Keep the text in step whoever writes: statistics come in statements of many rows."""
    columns = ", ".join((*SEARCHED, *OWNER))
    old, new = (", ".join(f"{row}.{c}" for c in (*SEARCHED, *OWNER)) for row in ("OLD", "NEW"))
    op.execute(
        "CREATE TRIGGER client_search_insert AFTER INSERT ON jump_client BEGIN "
        f"INSERT INTO client_search VALUES (NEW.id, {_texts('NEW.')}); END"
    )
    op.execute(
        f"CREATE TRIGGER client_search_update AFTER UPDATE OF {columns} ON jump_client "
        f"WHEN ({new}) IS NOT ({old}) BEGIN "
        f"REPLACE INTO client_search VALUES (NEW.id, {_texts('NEW.')}); END"
    )


def _follow_on_postgresql() -> None:
    columns = ", ".join((*SEARCHED, *OWNER))
    old, new = (", ".join(f"{row}.{c}" for c in (*SEARCHED, *OWNER)) for row in ("OLD", "NEW"))
    kept = (*FIELDS, "text", "label", *OWNER)
    again = ", ".join(f"{name} = EXCLUDED.{name}" for name in kept)
    op.execute(
        "CREATE FUNCTION client_search_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"INSERT INTO client_search VALUES (NEW.id, {_texts('NEW.')}) "
        f"ON CONFLICT (client_id) DO UPDATE SET {again}; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER client_search_insert AFTER INSERT ON jump_client "
        "FOR EACH ROW EXECUTE FUNCTION client_search_follow()"
    )
    op.execute(
        f"CREATE TRIGGER client_search_update AFTER UPDATE OF {columns} ON jump_client "
        f"FOR EACH ROW WHEN (({new}) IS DISTINCT FROM ({old})) "
        "EXECUTE FUNCTION client_search_follow()"
    )


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    for name in ("client_search_insert", "client_search_update"):
        op.execute(f"DROP TRIGGER {name}" + (" ON jump_client" if postgresql else ""))
    if postgresql:
        op.execute("DROP FUNCTION client_search_follow()")
    op.drop_index(ACCESS_INDEX, "jump_client")
    op.drop_index(GROUP_INDEX, "jump_client")
    op.drop_table("client_search")
    op.drop_table("client_history")
    with op.batch_alter_table("user") as table:
        table.drop_column("console_columns")
        table.drop_column("theme")
