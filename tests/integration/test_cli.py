"""The `tremplin` command on real sites: first start, accounts, groups, database, errors."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click import Context
from click.testing import CliRunner, Result
from sqlalchemy import text
from tremplin_server.accounts import service
from tremplin_server.app import create_app
from tremplin_server.cli import main
from tremplin_server.clients.models import JumpClient
from tremplin_server.config import Config
from tremplin_server.db import db
from tremplin_server.groups import service as groups
from tremplin_server.permissions import system_actor
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.sessions.approval_models import ApprovalState, JumpApproval

from tests import postgres
from tests.personas import PASSWORD

PASSWORD_LINE = "password, shown only now: "


class Command:
    """Runs `tremplin` with an environment of its own."""

    def __init__(self, **environment: str) -> None:
        self.environment = environment

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        variables = {"LC_ALL": "C", **self.environment, **environment}
        result = CliRunner().invoke(main, arguments, input=stdin, env=variables)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str) -> Any:
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def new_site(tmp_path: Path) -> Command:
    """A site before `tremplin init`."""
    return Command(TREMPLIN_DATA_DIR=str(tmp_path / "data"))


@pytest.fixture
def site(new_site: Command) -> Command:
    """A site after `tremplin init`, with the administrator admin and PASSWORD."""
    result = new_site("init", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    return new_site


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """`init` sets the mask of its process, which is ours here."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_init_makes_everything_for_its_owner_only(new_site: Command, tmp_path: Path) -> None:
    result = new_site("init")
    assert result.exit_code == 0, result.output
    assert PASSWORD_LINE in result.stdout
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for name in ("secret_key", "tremplin.db"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600, name


def test_init_again_changes_nothing(site: Command, tmp_path: Path) -> None:
    before = (tmp_path / "data" / "secret_key").read_bytes()
    result = site("init")
    assert result.exit_code == 0
    assert result.stdout == "this site is set up already; nothing changed\n"
    assert (tmp_path / "data" / "secret_key").read_bytes() == before
    assert [user["username"] for user in site.json("user", "list")] == ["admin"]


def test_init_goes_on_where_it_was_cut(new_site: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "secret_key").write_text("kept")
    result = new_site("init", "--administrator", "zoe")
    assert "made the administrator zoe" in result.stdout
    assert (tmp_path / "data" / "secret_key").read_text() == "kept"


def test_init_takes_the_password_from_a_file(new_site: Command, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    result = new_site("init", "--password-file", str(file))
    assert result.exit_code == 0
    assert PASSWORD_LINE not in result.stdout


@pytest.mark.postgres
def test_init_on_postgresql(new_site: Command, postgres_cluster: postgres.Cluster) -> None:
    postgres_cluster.create("first_start")
    new_site.environment["TREMPLIN_DATABASE_URL"] = postgres_cluster.url("first_start")
    assert new_site("user", "list").exit_code == 78
    assert "made the administrator" in new_site("init").stdout
    assert "nothing changed" in new_site("init").stdout
    assert [user["username"] for user in new_site.json("user", "list")] == ["admin"]


def test_before_init_a_command_says_what_to_do(new_site: Command, tmp_path: Path) -> None:
    result = new_site("user", "list")
    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr == (
        "tremplin: the database is not initialised; run `tremplin init` first\n"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "x"), ("WORKERS", "2"), ("NONSENSE", "1"), ("DATA_DIR", "/proc/none/x")],
)
def test_a_wrong_configuration_is_one_clear_line(
    new_site: Command, variable: str, value: str
) -> None:
    result = new_site("init", **{f"TREMPLIN_{variable}": value})
    assert result.exit_code == 78
    assert result.stderr.startswith("tremplin: ")
    assert result.stderr.count("\n") == 1


def test_a_database_that_is_away_is_one_clear_line(new_site: Command) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    result = new_site("user", "list", TREMPLIN_DATABASE_URL=url)
    assert result.exit_code == 78
    assert result.stderr.startswith("tremplin: the database cannot be used: ")
    assert result.stderr.count("\n") == 1


def test_errors_speak_the_language_of_the_terminal(site: Command) -> None:
    result = site("user", "add", "admin", LC_ALL="fr_FR.UTF-8")
    assert (result.exit_code, result.stderr) == (3, "tremplin: un compte nommé admin existe déjà\n")


def test_users(site: Command) -> None:
    added = site("user", "add", "zoe", "--role", "auditor", "--email", "zoe@example.org")
    assert PASSWORD_LINE in added.stdout
    assert site("user", "change", "zoe", "--role", "technician", "--disabled").exit_code == 0
    assert (
        site("user", "password", "zoe", "--password-stdin", stdin="a new password\n").exit_code == 0
    )
    zoe = site.json("user", "list")[1]
    assert (zoe["username"], zoe["role"], zoe["enabled"]) == ("zoe", "technician", False)
    assert "zoe" in site("user", "list").stdout
    assert site("user", "delete", "zoe").exit_code == 0
    assert site("user", "delete", "zoe").exit_code == 4


def test_the_last_administrator_stays(site: Command) -> None:
    assert site("user", "change", "admin", "--role", "auditor").exit_code == 3
    assert site("user", "delete", "admin").exit_code == 3


def test_a_password_is_never_an_argument(site: Command) -> None:
    assert site("user", "add", "zoe", "--password", "x").exit_code == 2


def test_an_account_is_unlocked(site: Command, tmp_path: Path) -> None:
    app = create_app(Config(data_dir=tmp_path / "data"))
    for _ in range(5):
        with pytest.raises(Exception, match="wrong"):
            sign_in(app, "wrong")
    with pytest.raises(Exception, match="locked"):
        sign_in(app, PASSWORD)
    assert site("user", "change", "admin", "--unlock").exit_code == 0
    sign_in(app, PASSWORD)
    with app.app_context():
        db.engine.dispose()


def sign_in(app: Any, password: str) -> None:
    with app.extensions["tremplin"].work(system_actor()) as work:
        service.authenticate(work, "admin", password)


def test_api_accounts(site: Command) -> None:
    made = site.json("api-account", "add", "ansible", "--allow", "192.0.2.0/24", "--read-only")
    assert len(made["client_id"]) == 40
    renewed = site.json("api-account", "renew-secret", "ansible")
    assert renewed["client_secret"] != made["client_secret"]
    assert site("api-account", "change", "ansible", "--disabled").exit_code == 0
    listed = site.json("api-account", "list")
    assert "client_secret" not in listed[0]
    assert (listed[0]["enabled"], listed[0]["perm_command"]) == (False, "read_only")
    assert site("api-account", "add", "x", "--allow", "nonsense").exit_code == 2
    assert site("api-account", "delete", "ansible").exit_code == 0


def test_groups(site: Command) -> None:
    site("user", "add", "zoe")
    assert "code name ete" in site("group", "add", "Été").stdout
    assert site("group", "add-member", "ete", "zoe", "--role", "no access").exit_code == 0
    assert site.json("group", "members", "Été")[0]["role"] == "No Access"
    assert site("group", "add-member", "ete", "nobody").exit_code == 4
    assert site("group", "remove-member", "ete", "zoe").exit_code == 0
    assert site.json("group", "list")[0]["code_name"] == "ete"
    assert site("group", "delete", "ete").exit_code == 0
    assert site("group", "list").stdout == "none\n"


def test_database(site: Command) -> None:
    assert "up to date" in site("db", "upgrade").stdout
    assert site("db", "downgrade", "0002", "--yes").exit_code == 0
    assert "database 0002" in site("db", "current").stdout
    assert "brought the database" in site("db", "upgrade").stdout


def test_what_the_command_does_is_audited_as_the_command_line(
    site: Command, tmp_path: Path
) -> None:
    app = create_app(Config(data_dir=tmp_path / "data"))
    with app.app_context():
        with db.engine.connect() as connection:
            found = connection.execute(
                text("SELECT action, actor_kind FROM audit_event ORDER BY id")
            ).all()
        db.engine.dispose()
    assert ("user.created", "cli") in [tuple(row) for row in found]


@pytest.mark.parametrize("command", main.list_commands(Context(main)))
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 4


def test_a_running_server_hears_of_it(site: Command, tmp_path: Path) -> None:
    """A command leaves its notice at the socket of the server; none runs here but ours."""
    run = tmp_path / "data" / "run"
    run.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(run / "bus.sock"))
        server.settimeout(5)
        app = create_app(Config(data_dir=tmp_path / "data"))
        with app.extensions["tremplin"].work(system_actor()) as work:
            owner = groups.owner(work, "shared", groups.create(work, name="Lab").id)
            client = JumpClient(
                public_key=b"k" * 32,
                fingerprint="f" * 64,
                name="host",
                shared_group_id=owner.shared_group_id,
                created_at=work.now(),
                updated_at=work.now(),
            )
            work.session.add(client)
        with app.app_context():
            db.engine.dispose()
        deleted = site("client", "delete", str(client.id))
        assert deleted.exit_code == 0, deleted.output
        assert "client.deleted" in server.recv(65536).decode()


def test_jump_policies_approvals_and_roles(site: Command) -> None:
    rows = ("--schedule", "mon 08:00-18:00", "--schedule", "fri 22:00-mon 06:00")
    made = site("jump-policy", "add", "Office", *rows, "--timezone", "Europe/Paris", "--strict")
    assert made.exit_code == 0, made.output
    assert "schedule" in made.output
    body = site.json("jump-policy", "show", "office")
    monday, weekend = body["schedule"]["entries"]
    assert (monday["start_day"], monday["end_day"]) == (0, 0)
    assert (weekend["start_day"], weekend["end_day"], weekend["end_time"]) == (4, 0, "06:00")
    assert body["schedule_strict"] is True
    assert "mon 08:00-mon 18:00" in site("jump-policy", "show", "office").output
    wrong = site("jump-policy", "add", "Bad", "--schedule", "funday 1-2")
    assert wrong.exit_code == 2
    assert "mon 08:00-mon 18:00" in wrong.output, "how it is written"
    assert site("jump-policy", "add", "Bad", "--approver", "nobody").exit_code == 4
    asked = site("jump-policy", "add", "Careful", "--ticket-id", "--approver", "admin")
    assert "ticket id, approval" in asked.output
    assert "ticket id, approval" in site("jump-policy", "list").output
    assert site("jump-policy", "delete", "careful").exit_code == 0
    assert site("jump-policy", "delete", "default").exit_code == 3
    role = site("role", "add", "Night", "--may", "start", "--may", "edit-tag")
    assert "start, edit-tag" in role.output
    assert site.json("role", "show", "night")["perm_edit_tag"] is True
    assert "everything" in site("role", "list").output
    why = site.json("role", "why", "admin")
    assert {"what": "sessions.start", "is": True, "because_of": "site role administrator"} in why
    assert site("role", "delete", "Night").exit_code == 0


def test_requests_are_decided_by_command(site: Command, tmp_path: Path) -> None:
    assert site("approval", "list").output == "none\n"
    assert site("approval", "approve", "1").exit_code == 4
    app = create_app(Config(data_dir=tmp_path / "data"))
    with app.extensions["tremplin"].work(system_actor()) as work:
        for item in ("web1", "web2"):
            made = JumpApproval(
                item_kind="client",
                item_id=1,
                item_name=item,
                jump_policy_id=1,
                policy_name="Default",
                requester_kind="user",
                requester_id=1,
                requester="zoe",
                reason="disk",
                ticket_id="",
                state=ApprovalState.PENDING,
                created_at=work.now(),
                expires_at=work.now() + timedelta(hours=1),
                for_anyone=False,
            )
            work.session.add(made)
        work.session.get_one(JumpPolicy, 1).approval_required = True
    with app.app_context():
        db.engine.dispose()
    approved = site("approval", "approve", "1", "--comment", "until noon")
    assert approved.exit_code == 0, approved.output
    assert "zoe may start sessions on web1" in approved.output
    assert site("approval", "deny", "2").output == "denied: zoe on web2\n"
    assert site("approval", "deny", "2").exit_code == 3, "it is decided already"
    listed = site.json("approval", "list")
    states = {one["item_name"]: (one["state"], one["comment"]) for one in listed}
    assert states == {"web1": ("approved", "until noon"), "web2": ("denied", "")}
