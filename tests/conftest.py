"""Fixtures that every suite may use: real databases, the application, and personas."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from tremplin_server import logging
from tremplin_server.app import create_app
from tremplin_server.config import Config
from tremplin_server.db import Database, db

from tests import personas, postgres, turns

SECRET_KEY = "only-for-tests"
_numbers = count(1)

logging.configure("warning", "text")


def pytest_collection_finish() -> None:
    """Spare Python's collector what lives as long as the run: all modules, all tests.

    Every application that a test makes would have it walk through them anew.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let long families of tests take turns."""
    turns.take(config, items)


class MovableClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def forward(self, **span: float) -> None:
        """Move on by a `timedelta(**span)`."""
        self.moment += timedelta(**span)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL server of our own, shared by the tests of this process."""
    if postgres.programs() is None:
        pytest.skip("PostgreSQL's server programs are not installed")
    with postgres.cluster() as cluster:
        yield cluster


def migrated(url: str) -> None:
    """Bring the database at `url` to the newest revision."""
    app = create_app(Config(database_url=url, secret_key=SECRET_KEY))
    with app.app_context():
        flask_migrate.upgrade()
    dispose(app)


def dispose(app: Flask) -> None:
    """Close the application's database connections."""
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating anew for every test would be slow."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_cluster: postgres.Cluster) -> str:
    """A migrated PostgreSQL database to copy."""
    postgres_cluster.create("tremplin_template")
    migrated(postgres_cluster.url("tremplin_template"))
    return "tremplin_template"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, otherwise empty database: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "tremplin.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    name = f"test_{next(_numbers)}"
    cluster.create(name, request.getfixturevalue("postgres_template"))
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a migrated, otherwise empty SQLite database."""
    path = tmp_path / "tremplin.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    """A configuration on `database_url`; a test changes it with `dataclasses.replace`.

    The API's limits are out of the way; their own test lowers them.
    """
    return Config(
        data_dir=tmp_path,
        database_url=database_url,
        secret_key=SECRET_KEY,
        api_requests_per_second=10_000,
        api_requests_per_hour=1_000_000,
    )


@pytest.fixture
def make_app(config: Config, clock: MovableClock) -> Iterator[Callable[..., Flask]]:
    """Make applications on `config` with some of its values changed."""
    made: list[Flask] = []

    def make(**changes: object) -> Flask:
        app = create_app(replace(config, **changes), clock)  # type: ignore[arg-type]
        app.testing = True
        made.append(app)
        return app

    yield make
    for app in made:
        dispose(app)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The application, without the console's start and without a gateway."""
    return make_app()


@pytest.fixture
def database(app: Flask) -> Database:
    """What units of work are made of."""
    found: Database = app.extensions["tremplin"]
    return found


@pytest.fixture
def people(database: Database) -> personas.People:
    """Administrator, technician, auditor and outsider, as actors."""
    return personas.people(database)


@pytest.fixture
def api(app: Flask) -> personas.Api:
    """The API, called by a program with every right."""
    return personas.api_of(app)
