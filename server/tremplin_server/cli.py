"""The `tremplin` command: collects the features' commands and tells their errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from flask import Flask
from sqlalchemy.exc import OperationalError
from tremplin_agent import __version__

from tremplin_server import config, logging
from tremplin_server.accounts import cli as accounts
from tremplin_server.app import create_app
from tremplin_server.clients import cli as clients
from tremplin_server.doctor import doctor
from tremplin_server.errors import TremplinError
from tremplin_server.first_start import db_group, init
from tremplin_server.gateway.wiring import command_publisher
from tremplin_server.groups import cli as groups
from tremplin_server.installers import cli as installers
from tremplin_server.push import cli as push
from tremplin_server.serve import serve
from tremplin_server.shell import Site, language

CONFIG_EXIT_STATUS = 78


class _Root(click.Group):
    """Tells an error as one line on standard error, and exits with its own status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TremplinError as error:
            _tell(error.text(language()))
            ctx.exit(error.entry.exit_status)
        except OperationalError as error:
            _tell(f"the database cannot be used: {_first_line(error)}")
            ctx.exit(CONFIG_EXIT_STATUS)


def _tell(text: str) -> None:
    click.echo(f"tremplin: {text}", err=True)


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def _open(settings: config.Config) -> Flask:
    # What a command changes, a server that runs at the same time hears of.
    return create_app(settings, publisher=command_publisher(settings))


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file (TOML); TREMPLIN_CONFIG when not given.",
)
@click.version_option(__version__, prog_name="tremplin")
@click.pass_context
def main(ctx: click.Context, file: Path | None) -> None:
    """Jump Clients: deploy, reach and remove, host and server in step.

    Configuration comes from a TOML file and from TREMPLIN_… variables, such as
    TREMPLIN_DATA_DIR. A first start:

    \b
    tremplin init
    tremplin serve
    """
    logging.configure("warning", "text")
    site = Site(lambda: config.load(os.environ, file), _open)
    ctx.obj = site
    ctx.call_on_close(site.close)


for command in (
    init,
    accounts.user_group,
    accounts.api_account_group,
    groups.group_group,
    installers.installer_group,
    clients.client_group,
    db_group,
    push.push,
    serve,
    doctor,
):
    main.add_command(command)
