"""What a `tremplin` command imports at its start: each module costs every command its time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click import Context
from tremplin_server.cli import _COMMANDS, main

_WEB = {
    "alembic",
    "authlib",
    "flask_limiter",
    "gunicorn",
    "paramiko",
    "requests",
    "tremplin_server.app",
    "tremplin_server.console",
    "tremplin_server.jump_items",
    "wtforms",
}
"""What only the server, its pages or one command needs."""
_ANY = {"flask", "rich", "sqlalchemy", "structlog"}


def _imported(*words: str, of: set[str]) -> set[str]:
    """Return which modules among `of` a command imports that ends as it should."""
    program = (
        "import sys\n"
        "from tremplin_server.cli import main\n"
        f"assert main.main({list(words)!r}, standalone_mode=False) in (None, 0)\n"
        "print('imported', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return of & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_what_needs_no_site_imports_no_database(words: tuple[str, ...]) -> None:
    assert _imported(*words, of=_ANY | _WEB) == set()


def test_a_command_imports_no_web_application() -> None:
    assert _imported("client", "--help", of=_WEB) == set()


def test_opening_a_database_imports_no_web_application() -> None:
    program = "import sys, tremplin_server.opening; print('imported', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    found = set(done.stdout.split())
    assert "sqlalchemy" in found, "the list is that of the modules"
    assert not found & _WEB


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_the_list_of_commands_says_what_each_says_itself(name: str) -> None:
    command = main.get_command(Context(main), name)
    assert command is not None
    assert _COMMANDS[name][1] == command.get_short_help_str(500)
