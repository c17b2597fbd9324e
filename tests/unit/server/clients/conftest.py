"""A stage over SQLite, for tests that need no second database."""

from __future__ import annotations

import pytest
from tremplin_server.db import Database

from tests.stage import Stage


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite alone; the integration tests take PostgreSQL too."""
    return sqlite_url


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)
