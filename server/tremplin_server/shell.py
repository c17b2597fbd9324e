"""What every `tremplin` command gets: the site, opened when needed, and how to print.

The commands of a feature stand in its `cli.py`; `cli.py` of the package collects them.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import inspect

from tremplin_server.clock import rfc3339
from tremplin_server.config import Config
from tremplin_server.db import Database, Work
from tremplin_server.errors import TremplinError
from tremplin_server.permissions import cli_actor

if TYPE_CHECKING:
    from flask import Flask

EXTENSION = "tremplin"


class Site:
    """This installation; configuration and database are opened at their first use.

    load: reads the configuration. open_database: opens its database. make_app: makes the whole
    application, which few commands need and which takes as long as all the rest of them.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        open_database: Callable[[Config], Database],
        make_app: Callable[[Config], Flask],
    ) -> None:
        self._load = load
        self._open_database = open_database
        self._make_app = make_app

    @cached_property
    def config(self) -> Config:
        """The configuration of file and environment."""
        return self._load()

    @cached_property
    def app(self) -> Flask:
        """The Flask application."""
        return self._make_app(self.config)

    @cached_property
    def opened(self) -> Database:
        """The database, which may have no tables yet."""
        return self._open_database(self.config)

    @cached_property
    def database(self) -> Database:
        """The database; TremplinError server.not_initialised before `tremplin init`."""
        if not self.initialised:
            raise TremplinError("server.not_initialised")
        return self.opened

    @property
    def initialised(self) -> bool:
        """Whether the database has tables. Looking does not make an SQLite file."""
        if self.config.sqlite:
            name = self.config.effective_database_url.removeprefix("sqlite:///")
            if not Path(name).exists():
                return False
        return inspect(self.opened.engine).has_table("user")

    @contextmanager
    def work(self, *, read_only: bool = False) -> Iterator[Work]:
        """Open a unit of work of whoever runs the command."""
        with self.database.work(cli_actor(_account()), read_only=read_only) as work:
            yield work

    def close(self) -> None:
        """Close the database's connections, when there are any."""
        if "opened" in vars(self):
            self.opened.engine.dispose()
        if "app" in vars(self):
            made: Database = self.app.extensions[EXTENSION]
            made.engine.dispose()


pass_site = click.make_pass_decorator(Site)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def language() -> str:
    """Return the language of whoever runs the command, as the environment tells it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return os.environ[name]
    return "en"


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def show(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool = False
) -> None:
    """Print `rows`: JSON with everything in them, or a table of `columns`."""
    if as_json:
        click.echo(json.dumps([_plain(row) for row in rows], ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo("none")
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    heads = [column.replace("_", " ").upper() for column in columns]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(columns))]
    for line in [heads, *cells]:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def show_one(row: Mapping[str, Any], *, as_json: bool = False) -> None:
    """Print one thing: JSON, or a line per field."""
    if as_json:
        click.echo(json.dumps(_plain(row), ensure_ascii=False, indent=2))
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {_cell(value)}")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: rfc3339(v) if isinstance(v, datetime) else v for k, v in row.items()}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return rfc3339(value) or ""
    return "" if value is None else str(value).replace("\n", " ")


def password_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --password-file and --password-stdin: a password never stands on a command line."""
    command = click.option(
        "--password-stdin", is_flag=True, help="Read the password from standard input."
    )(command)
    return click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Read the password from this file.",
    )(command)


def given_password(file: Path | None, stdin: bool) -> str | None:
    """Return the password of the options above, or None when none was given."""
    if file is not None and stdin:
        raise click.UsageError("--password-file and --password-stdin exclude each other")
    if file is not None:
        return file.read_text("utf-8").rstrip("\r\n")
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return None
