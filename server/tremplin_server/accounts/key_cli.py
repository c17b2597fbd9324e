"""`tremplin user key …`, `tremplin user remove-second-factor`, `tremplin api-account key …`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

import click

from tremplin_server.accounts import programs, service, ssh_keys, totp
from tremplin_server.accounts.models import SshKey
from tremplin_server.accounts.ssh_keys import Owner
from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.shell import Site, json_option, pass_site, show

_COLUMNS = ["id", "fingerprint", "comment", "created_at", "last_used"]
Find = Callable[[Work, str], Owner]


def key_group(what: str, find: Find) -> click.Group:
    """Return the commands that handle the SSH keys of one kind of account.

    what: the words before `key` on the command line. find: the account of a name.
    """

    @click.group("key", help=_help(what))
    def group() -> None:
        pass

    @group.command("list")
    @click.argument("name")
    @json_option
    @pass_site
    def list_keys(site: Site, name: str, as_json: bool) -> None:
        """List the SSH keys of an account."""
        with site.work(read_only=True) as work:
            found = work.session.scalars(ssh_keys.query(work, find(work, name)))
            rows = [{k: getattr(key, k) for k in [*_COLUMNS, "public_key"]} for key in found]
        show(rows, _COLUMNS, as_json=as_json)

    @group.command("add")
    @click.argument("name")
    @click.argument("file", type=click.File("r", encoding="utf-8"))
    @click.option("--comment", default="", help="Instead of the one in the file.")
    @pass_site
    def add_key(site: Site, name: str, file: TextIO, comment: str) -> None:
        """Register the public key of FILE (- for standard input)."""
        with site.work() as work:
            made = ssh_keys.add(work, find(work, name), file.read(), comment)
        click.echo(f"SSH key {made.fingerprint} registered for {name}")

    @group.command("remove")
    @click.argument("name")
    @click.argument("key")
    @pass_site
    def remove_key(site: Site, name: str, key: str) -> None:
        """Remove a key. KEY is an id or a fingerprint."""
        with site.work() as work:
            owner = find(work, name)
            ssh_keys.remove(work, owner, _chosen(work, owner, key).id)
        click.echo(f"SSH key {key} of {name} removed")

    return group


def _help(what: str) -> str:
    return (
        "SSH public keys, with which the account reaches hosts through the bastion.\n\n\b\n"
        f"tremplin {what} key add zoe ~/.ssh/id_ed25519.pub\n"
        f"tremplin {what} key list zoe"
    )


def _chosen(work: Work, owner: Owner, text: str) -> SshKey:
    for key in work.session.scalars(ssh_keys.query(work, owner)):
        if text in (str(key.id), key.fingerprint):
            return key
    raise NotFound("request.not_found", what="SSH key", id=text)


@click.command("remove-second-factor")
@click.argument("username")
@pass_site
def remove_second_factor(site: Site, username: str) -> None:
    """Take away the second factor of somebody who lost it."""
    with site.work() as work:
        removed = totp.remove(work, service.named(work, username).id)
    click.echo(f"user {username} {'has no second factor any more' if removed else 'had none'}")


USER_KEYS = key_group("user", service.named)
ACCOUNT_KEYS = key_group("api-account", programs.named)
