"""Migrations, up and down, with data in the tables, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DatabaseError
from tremplin_server.audit import service as audit
from tremplin_server.db import Database, db
from tremplin_server.groups.models import JumpGroup, JumpGroupMember, JumpItemRole
from tremplin_server.installers.models import Installer
from tremplin_server.permissions import ItemPermission, system_actor
from tremplin_server.policies.models import JumpPolicy, SessionPolicy

from tests.conftest import MovableClock


@pytest.fixture(autouse=True)
def _context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_models_and_migrations_say_the_same() -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


def test_ids_of_what_lives_on_a_host_are_never_given_out_again() -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's sequences never go back")
    with db.engine.connect() as connection:
        tables = connection.scalars(
            text("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
        ).all()
    assert {"jump_client", "installer", "user", "api_account", "jump_group"} <= set(tables)


def test_a_site_starts_with_roles_and_policies(database: Database) -> None:
    with database.work(system_actor()) as work:
        roles = work.session.scalars(select(JumpItemRole).order_by(JumpItemRole.id)).all()
        assert [role.name for role in roles] == ["Technician", "Start Sessions Only", "No Access"]
        assert work.session.scalars(select(SessionPolicy.id)).all() == [2]
        assert work.session.scalars(select(JumpPolicy.code_name)).all() == ["default"]
        # The next one is counted on from there, whatever the database.
        work.session.add(SessionPolicy(display_name="Other", code_name="other"))
        work.session.flush()
        assert work.session.scalars(select(SessionPolicy.id)).all() == [2, 3]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_event SET reason = 'forged'", "DELETE FROM audit_event"],
)
def test_the_audit_log_cannot_be_edited(database: Database, statement: str) -> None:
    with database.work(system_actor()) as work:
        audit.record(work, "test.done", "test", 1)
    with (
        pytest.raises(DatabaseError, match="audit log cannot be edited"),
        database.work(system_actor()) as work,
    ):
        work.session.execute(text(statement))


def test_down_and_up_again_with_data(database: Database, clock: MovableClock) -> None:
    now = datetime.now(UTC)
    with database.work(system_actor()) as work:
        group = JumpGroup(name="Lab", code_name="lab", created_at=now)
        work.session.add(group)
        work.session.flush()
        work.session.add(
            Installer(
                installer_id="0" * 32,
                secret_hash="0" * 64,
                created_at=now,
                created_by="test",
                expires_at=now,
                valid_duration=10,
                shared_group_id=group.id,
                jump_policy_id=1,
                attended_session_policy_id=2,
            )
        )
        audit.record(work, "test.done", "test", 1)
    flask_migrate.downgrade(revision="0001")
    with database.work(system_actor()) as work:
        kept = work.session.scalars(select(Installer)).one()
        assert kept.jump_policy_id is None
        work.session.execute(text("UPDATE audit_event SET reason = 'no trigger here'"))
    flask_migrate.upgrade()
    with database.work(system_actor()) as work:
        assert work.session.scalars(select(Installer.installer_id)).all() == ["0" * 32]
        assert len(work.session.scalars(select(JumpItemRole)).all()) == 3
        assert work.session.scalars(select(JumpGroupMember)).all() == []


@pytest.mark.parametrize("edit", [True, False])
def test_nobody_loses_or_gains_when_edit_is_split(database: Database, edit: bool) -> None:
    flask_migrate.downgrade(revision="0061")
    with database.work(system_actor()) as work:
        work.session.execute(
            text(
                "INSERT INTO jump_item_role"
                " (name, description, perm_add, perm_remove, perm_edit, perm_start)"
                " VALUES ('Old', '', :off, :on, :edit, :off)"
            ),
            {"on": True, "off": False, "edit": edit},
        )
    flask_migrate.upgrade()
    old = select(JumpItemRole).where(JumpItemRole.name == "Old")
    with database.work(system_actor()) as work:
        kept = work.session.scalars(old).one().permissions
    others = {ItemPermission.ADD, ItemPermission.START}
    plain = {ItemPermission.REMOVE, ItemPermission.VIEW_JUMP_ITEM_REPORT}
    assert kept == (set(ItemPermission) - others if edit else plain)
    with database.work(system_actor()) as work:
        work.session.scalars(old).one().perm_edit_tag = False
    flask_migrate.downgrade(revision="0061")
    with database.work(system_actor()) as work:
        query = "SELECT name FROM jump_item_role WHERE perm_edit ORDER BY id"
        assert work.session.scalars(text(query)).all() == ["Technician"], "and nobody gains"
    flask_migrate.upgrade()


def test_down_to_nothing() -> None:
    flask_migrate.downgrade(revision="base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
