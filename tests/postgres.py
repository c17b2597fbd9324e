"""A private PostgreSQL server for the tests: real, on a unix socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

_ACCOUNT = "postgres"


def programs() -> Path | None:
    """Return the directory of PostgreSQL's server programs, or None when there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _version(path: Path) -> float:
    return float(path.parents[1].name)


class Cluster:
    """A running server. PostgreSQL refuses to run as root, so then it runs as `postgres`."""

    def __init__(self, directory: Path, bin_dir: Path) -> None:
        self._directory = directory
        self._bin = bin_dir
        self._account = _ACCOUNT if os.geteuid() == 0 else None

    def start(self) -> None:
        """Make the cluster and start it; durability is off, it is thrown away anyway."""
        if self._account is not None:
            entry = pwd.getpwnam(self._account)
            os.chown(self._directory, entry.pw_uid, entry.pw_gid)
        self._run("initdb", "-D", self._data, "-U", "tremplin", "-A", "trust", "-N", "-E", "UTF8",
                  "--locale=C.UTF-8")  # fmt: skip
        options = (
            f"-k {self._directory} -c listen_addresses='' -c fsync=off -c full_page_writes=off"
            " -c synchronous_commit=off -c max_connections=200"
        )
        self._run("pg_ctl", "-D", self._data, "-l", str(self._directory / "log"), "-w",
                  "-o", options, "start")  # fmt: skip

    def stop(self) -> None:
        """Stop the server at once."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://tremplin@/{database}?host={self._directory}"

    def create(self, database: str, template: str = "template0") -> None:
        """Create a database as a copy of `template`."""
        self._admin("CREATE DATABASE {} TEMPLATE {}", database, template)

    def drop(self, database: str) -> None:
        """Drop a database and whatever is still connected to it."""
        self._admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    def cut(self, database: str) -> None:
        """End every connection to a database, as a restart of PostgreSQL does."""
        with psycopg.connect(
            host=str(self._directory), user="tremplin", dbname="postgres", autocommit=True
        ) as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(query, (database,))

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def _admin(self, statement: str, *names: str) -> None:
        with psycopg.connect(
            host=str(self._directory), user="tremplin", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            check=True,
            user=self._account,
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a server for the time of the block; RuntimeError when its programs are missing."""
    bin_dir = programs()
    if bin_dir is None:
        raise RuntimeError("PostgreSQL's server programs are not installed")
    # A unix socket's path has about 100 characters at most, so no deep test directory.
    directory = Path(tempfile.mkdtemp(prefix="tremplin-pg-"))
    server = Cluster(directory, bin_dir)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
