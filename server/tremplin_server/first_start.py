"""`tremplin init`: everything a new site needs, made once and kept ever after."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from tremplin_server.accounts import passwords, service
from tremplin_server.errors import TremplinError
from tremplin_server.opening import SECRET_KEY_FILE
from tremplin_server.permissions import Role
from tremplin_server.shell import Site, given_password, pass_site, password_options

MIGRATIONS = Path(__file__).parent / "migrations"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Revisions:
    """Where the database stands, and where the program wants it; None is no tables."""

    current: str | None
    newest: str | None


def revisions(engine: Engine) -> Revisions:
    """Return the revision of the database and that of the program."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return Revisions(current, ScriptDirectory.from_config(config).get_current_head())


def make_data_dir(directory: Path) -> bool:
    """Make the data directory, for its owner only; return whether it was missing."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return False
    except OSError as error:
        detail = f"data_dir {directory}: {error.strerror}"
        raise TremplinError("config.invalid", detail=detail) from error
    return True


def make_secret_key(directory: Path) -> bool:
    """Write the key that signs sign-in cookies; return whether it was missing."""
    path = directory / SECRET_KEY_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise TremplinError("config.invalid", detail=f"{path}: {error.strerror}") from error
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    return True


def migrate(site: Site) -> bool:
    """Bring the database to the newest revision; return whether that changed it."""
    found = revisions(site.opened.engine)
    if found.current == found.newest:
        return False
    # Imported where it is used: the application comes with it.
    import flask_migrate

    with site.app.app_context():
        flask_migrate.upgrade()
    return True


@click.command("init")
@click.option("--administrator", default="admin", show_default=True, help="Name of the first one.")
@password_options
@pass_site
def init(site: Site, administrator: str, password_file: Path | None, password_stdin: bool) -> None:
    """Set up this site: data directory, secret key, database, first administrator.

    Running it again changes nothing, or only what an upgrade of the program asks for.

    \b
    tremplin init
    tremplin init --administrator zoe --password-file /run/secrets/zoe
    """
    given = given_password(password_file, password_stdin)
    os.umask(0o077)
    changed = False
    if make_data_dir(site.config.data_dir):
        changed = True
        click.echo(f"made {site.config.data_dir}")
    if not site.config.secret_key and make_secret_key(site.config.data_dir):
        changed = True
        click.echo("made the secret key")
    if migrate(site):
        changed = True
        click.echo(f"brought the database to revision {revisions(site.opened.engine).newest}")
    if _first_administrator(site, administrator, given):
        changed = True
    if not changed:
        click.echo("this site is set up already; nothing changed")


def _first_administrator(site: Site, username: str, given: str | None) -> bool:
    with site.work() as work:
        if service.administrators(work):
            return False
        password = given if given is not None else passwords.random()
        service.create(work, username=username, password=password, role=Role.ADMINISTRATOR)
    click.echo(f"made the administrator {username}")
    if given is None:
        click.echo(f"password, shown only now: {password}")
    return True


@click.group("db")
def db_group() -> None:
    """The database: its revision, upgrade and downgrade.

    \b
    tremplin db current
    tremplin db upgrade
    """


@db_group.command("current")
@pass_site
def current(site: Site) -> None:
    """Tell the revision of the database and that of the program."""
    if not site.initialised:
        raise TremplinError("server.not_initialised")
    found = revisions(site.opened.engine)
    click.echo(f"database {found.current}, program {found.newest}")


@db_group.command("upgrade")
@pass_site
def upgrade(site: Site) -> None:
    """Bring the database to the program's revision; all of it or nothing."""
    if not site.initialised:
        raise TremplinError("server.not_initialised")
    if migrate(site):
        click.echo(f"brought the database to revision {revisions(site.opened.engine).newest}")
    else:
        click.echo("the database is up to date; nothing changed")


@db_group.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="Going back can lose data. Go on?")
@pass_site
def downgrade(site: Site, revision: str) -> None:
    """Take the database back to REVISION, before an older program is installed.

    \b
    tremplin db downgrade 0002
    """
    if not site.initialised:
        raise TremplinError("server.not_initialised")
    import flask_migrate

    with site.app.app_context():
        flask_migrate.downgrade(revision=revision)
    click.echo(f"took the database back to revision {revision}")
