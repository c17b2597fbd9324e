"""The `tremplin` command: collects the features' commands and tells their errors."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from flask import Flask
from sqlalchemy.exc import OperationalError
from tremplin_agent import __version__

from tremplin_server import config, logging
from tremplin_server.app import create_app
from tremplin_server.errors import TremplinError
from tremplin_server.gateway.wiring import command_publisher
from tremplin_server.shell import Site, language

CONFIG_EXIT_STATUS = 78

_COMMANDS = {
    "init": "first_start:init",
    "user": "accounts.cli:user_group",
    "api-account": "accounts.cli:api_account_group",
    "group": "groups.cli:group_group",
    "installer": "installers.cli:installer_group",
    "client": "clients.cli:client_group",
    "update": "updates.cli:update_group",
    "session": "sessions.cli:session_group",
    "db": "first_start:db_group",
    "push": "push.cli:push",
    "known-hosts": "sessions.reach_cli:known_hosts",
    "ssh-config": "sessions.reach_cli:ssh_config",
    "serve": "serve:serve",
    "doctor": "doctor:doctor",
}
"""Command → its module and name. Imported when asked for: a server that runs for months
should not hold in memory what only other commands use."""


class _Root(click.Group):
    """Tells an error as one line on standard error, and exits with its own status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name].split(":")
        command = getattr(import_module(f"tremplin_server.{module}"), name)
        assert isinstance(command, click.Command), "the table names commands"
        return command

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
