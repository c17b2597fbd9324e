"""The `tremplin` command: collects the features' commands and tells their errors."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tremplin_agent import __version__

from tremplin_server import config
from tremplin_server.errors import TremplinError

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy.exc import OperationalError

    from tremplin_server.db import Database

CONFIG_EXIT_STATUS = 78

_COMMANDS = {
    "init": (
        "first_start:init",
        "Set up this site: data directory, secret key, database, first administrator.",
    ),
    "user": ("accounts.cli:user_group", "People who sign in to the console."),
    "api-account": (
        "accounts.cli:api_account_group",
        "Programs that call the API: Ansible, scripts, Terraform.",
    ),
    "group": ("groups.cli:group_group", "Shared Jump Groups and their members."),
    "role": (
        "groups.role_cli:role_group",
        "Jump Item Roles: what members of a Jump Group may do with its Jump Items.",
    ),
    "jump-policy": (
        "sessions.policy_cli:jump_policy_group",
        "Jump Policies: when a Jump Item may be used, and what a technician must bring.",
    ),
    "approval": (
        "sessions.policy_cli:approval_group",
        "Requests to start a session, for Jump Policies that want an approval.",
    ),
    "installer": (
        "installers.cli:installer_group",
        "Installers: the right to deploy Jump Clients, for a while.",
    ),
    "client": (
        "clients.cli:client_group",
        "Jump Clients: their records, their removal, and what is out of step.",
    ),
    "update": ("updates.cli:update_group", "Updates of agents: how they stand, and ordering them."),
    "session": (
        "sessions.cli:session_group",
        "Sessions: who reaches which host, and what was recorded.",
    ),
    "db": ("first_start:db_group", "The database: its revision, upgrade and downgrade."),
    "push": ("push.cli:push", "Install Jump Clients on hosts over SSH, or change or remove them."),
    "known-hosts": (
        "sessions.reach_cli:known_hosts",
        "Print the host keys of the bastion and of every Jump Client.",
    ),
    "ssh-config": (
        "sessions.reach_cli:ssh_config",
        "Print an ssh configuration: every Jump Client by its names, through the bastion.",
    ),
    "serve": ("serve:serve", "Run the server until it is told to stop."),
    "doctor": ("doctor:doctor", "Check this site; the exit status is 1 when a check failed."),
}
"""Command → its module and name, and what it says of itself in a line. Imported when asked for:
the list of commands should appear at once, and a server that runs for months should not hold in
memory what only other commands use."""


class _Root(click.Group):
    """Tells an error as one line on standard error, and exits with its own status."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(f"tremplin_server.{module}"), name)
        assert isinstance(command, click.Command), "the table names commands"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = formatter.width - 6 - max(map(len, _COMMANDS))
        named = [click.Command(name, help=_COMMANDS[name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(str(c.name), c.get_short_help_str(width)) for c in named])

    def invoke(self, ctx: click.Context) -> Any:
        # Imported where it is used, as all below: neither --help nor --version needs it.
        from sqlalchemy import exc

        from tremplin_server.shell import language

        try:
            return super().invoke(ctx)
        except TremplinError as error:
            _tell(error.text(language()))
            ctx.exit(error.entry.exit_status)
        except exc.OperationalError as error:
            _tell(f"the database cannot be used: {_first_line(error)}")
            ctx.exit(CONFIG_EXIT_STATUS)


def _tell(text: str) -> None:
    click.echo(f"tremplin: {text}", err=True)


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def _database(settings: config.Config) -> Database:
    from tremplin_server.gateway.wiring import command_publisher
    from tremplin_server.opening import open_database

    # What a command changes, a server that runs at the same time hears of.
    return open_database(settings, command_publisher(settings))


def _app(settings: config.Config) -> Flask:
    from tremplin_server.app import create_app

    return create_app(settings)


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
    from tremplin_server import logging
    from tremplin_server.shell import Site

    logging.configure("warning", "text")
    site = Site(lambda: config.load(os.environ, file), _database, _app)
    ctx.obj = site
    ctx.call_on_close(site.close)
