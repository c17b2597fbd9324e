"""Opening a site's database: what the web application and the commands do alike.

A command needs no Flask, no pages and no API: without them it starts in half the time.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

import tremplin_server.accounts.access_models
import tremplin_server.accounts.models
import tremplin_server.audit.models
import tremplin_server.clients.models
import tremplin_server.groups.models
import tremplin_server.identity
import tremplin_server.installers.models
import tremplin_server.mail.models
import tremplin_server.policies.models
import tremplin_server.portal.models
import tremplin_server.push.models
import tremplin_server.sessions.models
import tremplin_server.settings.models
import tremplin_server.shortcuts.models
import tremplin_server.support.models  # noqa: F401 - metadata knows what was imported
from tremplin_server.clock import Clock, SystemClock
from tremplin_server.config import Config, origins, stated
from tremplin_server.db import Database, Publisher, prepare_engine
from tremplin_server.errors import TremplinError
from tremplin_server.sessions import hosts
from tremplin_server.settings.overlay import Overlay
from tremplin_server.support.guests import SupportGuests

SECRET_KEY_FILE = "secret_key"  # noqa: S105 - a file's name


def with_secret_key(config: Config) -> Config:
    """Return `config` with the key that `tremplin init` left, unless it states one itself."""
    kept = config.data_dir / SECRET_KEY_FILE
    if config.secret_key or not kept.exists():
        return replace(config, secret_key=config.secret_key or "")
    try:
        return replace(config, secret_key=kept.read_text("ascii").strip())
    except OSError as error:
        raise TremplinError("config.invalid", detail=f"{kept}: {error.strerror}") from error


def database_uri(config: Config) -> str:
    """Return the URL of the database, with the driver that we bring."""
    url = make_url(config.effective_database_url)
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    elif config.sqlite and not _in_memory(config) and "uri" not in url.query:
        # Flask-SQLAlchemy would look for a relative path below the program.
        url = url.set(database=str(Path(url.database or "").absolute()))
    return url.render_as_string(hide_password=False)


def engine_options(config: Config) -> dict[str, object]:
    """Return what SQLAlchemy's engine is made with."""
    if _in_memory(config):
        return {}
    # Every HTTP thread may hold one connection, and the gateway's own threads a few more.
    size = {"pool_size": config.http_threads + 8, "max_overflow": 8}
    return {**size, "pool_pre_ping": not config.sqlite}


def _in_memory(config: Config) -> bool:
    return config.sqlite and make_url(config.effective_database_url).database in (None, ":memory:")


def open_database(config: Config, publisher: Publisher) -> Database:
    """Return the database of a command. publisher: where notices go after a commit."""
    config = with_secret_key(config)
    engine = create_engine(database_uri(config), **engine_options(config))
    return database_on(engine, config, SystemClock(), publisher)


def database_on(engine: Engine, config: Config, clock: Clock, publisher: Publisher) -> Database:
    """Return the database on an engine that nobody has used, ready for units of work."""
    hosts.GUESTS[:] = [SupportGuests()]
    prepare_engine(engine)
    overlay = Overlay(engine, stated(os.environ), origins(os.environ))
    return Database(engine, clock, config, publisher, overlay)
