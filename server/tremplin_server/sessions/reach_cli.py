"""`tremplin known-hosts` and `tremplin ssh-config`."""

from __future__ import annotations

import click

from tremplin_server.sessions import reach
from tremplin_server.shell import Site, pass_site


@click.command("known-hosts")
@pass_site
def known_hosts(site: Site) -> None:
    """Print the host keys of the bastion and of every Jump Client.

    With them ssh never has to trust a host on first use:

    \b
    tremplin known-hosts > ~/.ssh/tremplin_known_hosts
    """
    with site.work() as work:
        text = reach.known_hosts(work)
    click.echo(text, nl=False)


@click.command("ssh-config")
@click.option("--user", default="", help="Who signs in at the bastion; ssh's choice if not given.")
@click.option(
    "--known-hosts",
    "known_hosts_file",
    default=reach.KNOWN_HOSTS,
    show_default=True,
    help="Where the output of `tremplin known-hosts` is kept.",
)
@click.option("--identity-file", default="", help="Private key; ssh's choice if not given.")
@pass_site
def ssh_config(site: Site, user: str, known_hosts_file: str, identity_file: str) -> None:
    """Print an ssh configuration: every Jump Client by its names, through the bastion.

    \b
    tremplin ssh-config --user zoe > ~/.ssh/tremplin_config
    sed -i '1i Include tremplin_config' ~/.ssh/config
    ssh web1
    """
    with site.work() as work:
        text = reach.ssh_config(work, reach.Wishes(user, known_hosts_file, identity_file))
    click.echo(text, nl=False)
