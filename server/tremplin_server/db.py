"""The database: engine, model base, and the unit of work that services take.

Flask-SQLAlchemy owns the engine and the metadata (Flask-Migrate reads it). Services never
touch a global session: they take a `Work`, which carries the session, the clock, the
configuration, the actor and the notices that go out on the bus after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, DateTime, Dialect, Engine, MetaData, event, func
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Session, registry
from sqlalchemy.types import TypeDecorator

from tremplin_server.clock import Clock
from tremplin_server.config import Config
from tremplin_server.permissions import Actor

READ_ONLY = "tremplin_read_only"
BUSY_TIMEOUT_MS = 15_000
MAPPED_BYTES = 512 * 1024 * 1024
"""How much of SQLite's file is read as memory, which all threads share. Reading it page by page
into a connection's small cache took half of the time of a search among 50,000 clients."""
NEVER_REUSE_IDS = {"sqlite_autoincrement": True}
"""Table arguments: SQLite gives a deleted row's id out again, PostgreSQL never does."""


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware UTC datetime on every database (SQLite stores it naive)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone must not reach the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all models; constraint names are fixed so that migrations can name them."""

    registry = registry(
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(column_0_label)s",
                "uq": "uq_%(table_name)s_%(column_0_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={datetime: UtcDateTime},
    )


db = SQLAlchemy(model_class=Base)
if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class Publisher(Protocol):
    """Where notices go after a commit; the gateway's bus is one."""

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        """Hand `body` (JSON) to every listener of `topic`, from any thread; never blocks."""


class SilentPublisher:
    """For the command line and tests: nobody listens."""

    def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        return None


@dataclass(slots=True)
class Work:
    """One unit of work: everything a service may use, and nothing else.

    read_only: nothing changes while it lasts, so that what was looked up may be kept.
    """

    session: Session
    clock: Clock
    config: Config
    actor: Actor
    publisher: Publisher = field(default_factory=SilentPublisher)
    read_only: bool = False
    _notices: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the time of this work's clock, UTC."""
        return self.clock.now()

    def notify(self, topic: str, **body: Any) -> None:
        """Queue a notice; it goes out only when the work commits."""
        self._notices.append((topic, body))

    def commit(self) -> None:
        """Commit, then send the notices."""
        self.session.commit()
        notices, self._notices = self._notices, []
        for topic, body in notices:
            self.publisher.publish(topic, body)


@dataclass(frozen=True, slots=True)
class Database:
    """Makes units of work on one engine; shared by all threads of a process."""

    engine: Engine
    clock: Clock
    config: Config
    publisher: Publisher = field(default_factory=SilentPublisher)
    overlay: Callable[[Config], Config] | None = None
    """Lays what the site's settings say over the configuration."""

    @contextmanager
    def work(self, actor: Actor, *, read_only: bool = False) -> Iterator[Work]:
        """Open a unit of work; commit when the block ends well, roll back when it raises.

        read_only: takes no write lock on SQLite; writing in it is an error there.
        """
        engine = self.engine.execution_options(**{READ_ONLY: True}) if read_only else self.engine
        config = self.config if self.overlay is None else self.overlay(self.config)
        with Session(engine, expire_on_commit=False) as session:
            work = Work(session, self.clock, config, actor, self.publisher, read_only)
            yield work
            work.commit()


def prepare_engine(engine: Engine) -> None:
    """Set up SQLite for several threads: WAL, foreign keys, write lock at BEGIN.

    SQLite upgrades a read transaction to a write one only if nobody wrote meanwhile and
    fails at once otherwise, whatever the time-out; taking the lock at BEGIN waits instead.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            f"mmap_size={MAPPED_BYTES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        # SQLite's own lower() knows ASCII only; `same_text` must treat É like PostgreSQL does.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def keep_statistics(work: Work) -> None:
    """Let SQLite look at its indexes: a seventh of a second for 50,000 Jump Clients. Commits.

    By what it knows of them it chooses how to find rows, and nobody else tells it; from a few
    hundred rows of each it guesses wrong. PostgreSQL looks by itself.
    """
    connection = work.session.connection()
    engine = connection.engine
    if engine.dialect.name != "sqlite":
        return
    connection.exec_driver_sql("ANALYZE")
    work.commit()
    # A connection goes by what was known when it was opened: those of now are the last to.
    engine.dispose()


def _lower(text: str | None) -> str | None:
    return None if text is None else str(text).lower()


def same_text(column: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that `column` is `text`, whatever the case."""
    return func.lower(column) == text.lower()
