"""`tremplin user` and `tremplin api-account`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tremplin_server.accounts import key_cli, passwords, programs, service, web_sessions
from tremplin_server.accounts.models import ApiAccount, User
from tremplin_server.permissions import Role
from tremplin_server.shell import (
    Site,
    given_password,
    json_option,
    pass_site,
    password_options,
    show,
    show_one,
)

_ROLES = click.Choice([role.value for role in Role])


@click.group("user")
def user_group() -> None:
    """People who sign in to the console.

    \b
    tremplin user add zoe --role technician
    tremplin user list
    tremplin user change zoe --role auditor
    """


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.username,
        "role": str(user.role),
        "enabled": user.enabled,
        "locked_until": user.locked_until,
        "last_authentication": user.last_authentication,
        "email_address": user.email_address,
    }


@user_group.command("list")
@json_option
@pass_site
def list_users(site: Site, as_json: bool) -> None:
    """List the users."""
    with site.work(read_only=True) as work:
        rows = [_user(user) for user in work.session.scalars(service.query(work))]
    show(rows, ["id", "username", "role", "enabled", "last_authentication"], as_json=as_json)


@user_group.command("add")
@click.argument("username")
@click.option("--role", type=_ROLES, default="technician", show_default=True)
@click.option("--display-name", default="", help="Shown to others; the name when not given.")
@click.option("--email", default="", help="E-mail address.")
@password_options
@pass_site
def add_user(
    site: Site,
    username: str,
    role: str,
    display_name: str,
    email: str,
    password_file: Path | None,
    password_stdin: bool,
) -> None:
    """Add a user. Without a password one is made and shown once.

    \b
    tremplin user add zoe --role technician --email zoe@example.org
    tremplin user add max --role administrator --password-file ./max.txt
    """
    given = given_password(password_file, password_stdin)
    password = given if given is not None else passwords.random()
    with site.work() as work:
        user = service.create(
            work,
            username=username,
            password=password,
            role=Role(role),
            public_display_name=display_name,
            private_display_name=display_name,
            email_address=email,
            password_reset_next_login=given is None,
        )
    click.echo(f"user {user.username} added with id {user.id}")
    if given is None:
        click.echo(f"password, shown only now: {password}")


@user_group.command("change")
@click.argument("username")
@click.option("--role", type=_ROLES)
@click.option("--enabled/--disabled", default=None, help="Whether the user may sign in.")
@click.option("--email", help="E-mail address.")
@click.option("--unlock", is_flag=True, help="End the lock after too many failed attempts.")
@pass_site
def change_user(
    site: Site,
    username: str,
    role: str | None,
    enabled: bool | None,
    email: str | None,
    unlock: bool,
) -> None:
    """Change a user's role, address or lock.

    \b
    tremplin user change zoe --role administrator
    tremplin user change zoe --disabled
    """
    wanted = {"role": Role(role) if role else None, "enabled": enabled, "email_address": email}
    changes: dict[str, Any] = {k: v for k, v in wanted.items() if v is not None}
    if unlock:
        changes["failed_logins"] = 0
    with site.work() as work:
        user = service.named(work, username)
        if unlock:
            user.locked_until = None
        service.update(work, user.id, changes)
    click.echo(f"user {user.username} changed")


@user_group.command("password")
@click.argument("username")
@password_options
@pass_site
def set_password(
    site: Site, username: str, password_file: Path | None, password_stdin: bool
) -> None:
    """Give a user a new password; without one it is made and shown once."""
    given = given_password(password_file, password_stdin)
    password = given if given is not None else passwords.random()
    with site.work() as work:
        user = service.named(work, username)
        service.update(work, user.id, {"password": password, "failed_logins": 0})
    click.echo(f"user {user.username} has a new password")
    if given is None:
        click.echo(f"password, shown only now: {password}")


@user_group.command("sign-out")
@click.argument("username")
@pass_site
def sign_out_user(site: Site, username: str) -> None:
    """Sign a user out of every browser and of the bastion, at once."""
    with site.work() as work:
        user = service.named(work, username)
        count = web_sessions.end_all(work, user.id)
    click.echo(f"user {user.username} is signed out of {count} browsers")


@user_group.command("delete")
@click.argument("username")
@pass_site
def delete_user(site: Site, username: str) -> None:
    """Delete a user; an administrator has to be demoted first."""
    with site.work() as work:
        user = service.named(work, username)
        service.delete(work, user.id)
    click.echo(f"user {username} deleted")


@click.group("api-account")
def api_account_group() -> None:
    """Programs that call the API: Ansible, scripts, Terraform.

    \b
    tremplin api-account add ansible --allow 192.0.2.0/24
    tremplin api-account list
    tremplin api-account renew-secret ansible
    """


def _account(account: ApiAccount) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "client_id": account.client_id,
        "enabled": account.enabled,
        "perm_command": account.perm_command,
        "ip_addresses": account.ip_addresses,
        "comments": account.comments,
    }


@api_account_group.command("list")
@json_option
@pass_site
def list_accounts(site: Site, as_json: bool) -> None:
    """List the API accounts; secrets are never shown again."""
    with site.work(read_only=True) as work:
        rows = [_account(account) for account in work.session.scalars(programs.query(work))]
    columns = ["id", "name", "client_id", "enabled", "perm_command", "ip_addresses"]
    show(rows, columns, as_json=as_json)


@api_account_group.command("add")
@click.argument("name")
@click.option("--allow", multiple=True, help="Address or network it may call from; repeatable.")
@click.option("--read-only", is_flag=True, help="It may only read.")
@click.option("--comments", default="")
@json_option
@pass_site
def add_account(
    site: Site, name: str, allow: tuple[str, ...], read_only: bool, comments: str, as_json: bool
) -> None:
    """Add an API account; its secret is shown once.

    \b
    tremplin api-account add ansible --allow 192.0.2.10
    """
    with site.work() as work:
        account, secret = programs.create(
            work,
            name=name,
            comments=comments,
            ip_addresses="\n".join(allow),
            perm_command="read_only" if read_only else "full_access",
        )
    _tell_secret(account, secret, as_json)


@api_account_group.command("renew-secret")
@click.argument("name")
@json_option
@pass_site
def renew_secret(site: Site, name: str, as_json: bool) -> None:
    """Replace the secret; the old one and every token end at once."""
    with site.work() as work:
        account, secret = programs.renew_secret(work, programs.named(work, name).id)
    _tell_secret(account, secret, as_json)


def _tell_secret(account: ApiAccount, secret: str, as_json: bool) -> None:
    told = {
        "id": account.id,
        "name": account.name,
        "client_id": account.client_id,
        "client_secret": secret,
    }
    show_one(told, as_json=as_json)
    if not as_json:
        click.echo("the secret is shown only now")


@api_account_group.command("change")
@click.argument("name")
@click.option("--enabled/--disabled", default=None, help="Whether it may call the API.")
@click.option("--allow", multiple=True, help="Replace the addresses it may call from.")
@click.option("--perm-command", type=click.Choice(["deny", "read_only", "full_access"]))
@pass_site
def change_account(
    site: Site,
    name: str,
    enabled: bool | None,
    allow: tuple[str, ...],
    perm_command: str | None,
) -> None:
    """Change what an API account may do."""
    wanted = {
        "enabled": enabled,
        "ip_addresses": "\n".join(allow) if allow else None,
        "perm_command": perm_command,
    }
    changes = {key: value for key, value in wanted.items() if value is not None}
    with site.work() as work:
        programs.update(work, programs.named(work, name).id, changes)
    click.echo(f"API account {name} changed")


@api_account_group.command("delete")
@click.argument("name")
@pass_site
def delete_account(site: Site, name: str) -> None:
    """Delete an API account and its tokens."""
    with site.work() as work:
        programs.remove(work, programs.named(work, name).id)
    click.echo(f"API account {name} deleted")


user_group.add_command(key_cli.USER_KEYS)
user_group.add_command(key_cli.remove_second_factor)
api_account_group.add_command(key_cli.ACCOUNT_KEYS)
