"""`tremplin installer`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tremplin_server.db import Work
from tremplin_server.groups import service as groups
from tremplin_server.installers import service
from tremplin_server.installers.fields import OVERRIDES, USUAL_MINUTES
from tremplin_server.installers.models import Installer, OnDuplicate
from tremplin_server.installers.payload import PLATFORMS
from tremplin_server.installers.schemas import InstallerBody, UseBody
from tremplin_server.policies import service as policies
from tremplin_server.shell import Site, json_option, pass_site, show, show_one

_ALLOWED = {name.removeprefix("allow_override_").replace("_", "-"): name for name in OVERRIDES}
_COLUMNS = ["id", "name", "tag", "jump_group", "state", "uses", "max_uses", "expires_at"]


@click.group("installer")
def installer_group() -> None:
    """Installers: the right to deploy Jump Clients, for a while.

    \b
    tremplin installer create --group jumpgroup:paris --valid 60 --max-uses 10
    tremplin installer create --group user:zoe --external-id web1 --output web1.bin
    tremplin installer show 3 --uses
    tremplin installer revoke 3
    """


def _shown(work: Work, installer: Installer) -> dict[str, Any]:
    body: dict[str, Any] = dict(InstallerBody().dump(installer))
    owner = groups.owner(work, installer.jump_group_type, installer.jump_group_id)
    return {**body, "jump_group": owner.label, "state": _state(work, installer)}


def _state(work: Work, installer: Installer) -> str:
    if installer.revoked_at is not None:
        return "revoked"
    if work.now() >= installer.expires_at:
        return "expired"
    used_up = installer.max_uses is not None and installer.uses >= installer.max_uses
    return "used up" if used_up else "valid"


def _properties(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that become the properties of the Jump Clients."""
    for option in reversed(
        (
            click.option("--name", default="", help="Name; the host name when not given."),
            click.option("--tag", default="", help="Tag."),
            click.option("--comments", default="", help="Comments."),
            click.option("--external-id", help="Made for this machine only, by declared key."),
            click.option("--jump-policy", metavar="CODE", help="Code name of a Jump Policy."),
            click.option("--session-policy", metavar="CODE", help="Code name, attended or not."),
            click.option("--max-offline-minutes", type=int, default=0, help="0 follows the site."),
            click.option("--ephemeral", is_flag=True, help="Removed after 5 minutes offline."),
            click.option("--passive", is_flag=True, help="Connection type passive."),
        )
    ):
        command = option(command)
    return command


@installer_group.command("create")
@click.option(
    "--group", required=True, help="user:<name>, jumpgroup:<code name> or a group's name."
)
@_properties
@click.option("--valid", type=int, default=USUAL_MINUTES, show_default=True, help="Minutes.")
@click.option("--max-uses", type=int, help="How many machines; no limit when not given.")
@click.option(
    "--on-duplicate",
    type=click.Choice([mode.value for mode in OnDuplicate]),
    default=OnDuplicate.REPLACE.value,
    show_default=True,
    help="When a machine that has a record enrols again.",
)
@click.option("--allow-takeover", is_flag=True, help="Machines may take over a record by its key.")
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(sorted(_ALLOWED)),
    help="Property that may be given at installation; repeatable.",
)
@click.option("--platform", type=click.Choice(PLATFORMS), default=PLATFORMS[0], show_default=True)
@click.option("--recipients", default="", help="E-mail addresses, separated by commas.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the stamped .bin here (it holds the key) instead of printing the key info.",
)
@json_option
@pass_site
def create(
    site: Site,
    /,
    group: str,
    jump_policy: str | None,
    session_policy: str | None,
    passive: bool,
    valid: int,
    allow: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Make an installer; its key info is printed this once.

    Deploy with it: sh tremplin-scc-linux-64.bin --key-info - (the key on standard input).
    """
    values |= {_ALLOWED[name]: True for name in allow}
    values |= {"valid_duration": valid, "connection_type": "passive" if passive else "active"}
    with site.work() as work:
        owner = groups.resolve(work, group)
        personal = owner.owner_user_id is not None
        values["jump_group_type"] = "personal" if personal else "shared"
        values["jump_group_id"] = owner.owner_user_id if personal else owner.shared_group_id
        values |= _policy_ids(work, jump_policy, session_policy)
        made = service.create(work, values)
        if output is not None:
            _write(output, service.download(work, made.installer.installer_id, values["platform"]))
        row = _shown(work, made.installer)
    if output is None:
        row["key_info"] = made.key_info
    if as_json:
        show_one(row, as_json=True)
        return
    click.echo(
        f"installer {made.installer.id}, valid until {row['expiration_timestamp']}", err=True
    )
    click.echo(str(output) if output is not None else made.key_info)


def _policy_ids(work: Work, jump: str | None, session: str | None) -> dict[str, int]:
    found: dict[str, int] = {}
    if jump is not None:
        found["jump_policy_id"] = policies.jump_policy_by_code(work, jump).id
    if session is not None:
        number = policies.session_policy_by_code(work, session).id
        found |= {"attended_session_policy_id": number, "unattended_session_policy_id": number}
    return found


def _write(output: Path, download: service.Download) -> None:
    output.touch(mode=0o600)
    output.chmod(0o700)
    with output.open("wb") as file:
        file.writelines(download.chunks)


@installer_group.command("list")
@click.option("--usable", is_flag=True, help="Only those that can be used now.")
@click.option("--name", help="Only those with this name.")
@click.option("--tag", help="Only those with this tag.")
@json_option
@pass_site
def list_installers(
    site: Site, usable: bool, name: str | None, tag: str | None, as_json: bool
) -> None:
    """List the installers, newest first."""
    with site.work(read_only=True) as work:
        query = service.query(work, usable=usable or None, name=name, tag=tag)
        rows = [
            {**_shown(work, found), "expires_at": found.expires_at}
            for found in work.session.scalars(query)
        ]
    show(rows, _COLUMNS, as_json=as_json)


@installer_group.command("show")
@click.argument("number", type=int)
@click.option("--uses", "history", is_flag=True, help="Who used it, newest first.")
@json_option
@pass_site
def show_installer(site: Site, number: int, history: bool, as_json: bool) -> None:
    """Show an installer, or its history."""
    with site.work(read_only=True) as work:
        row = _shown(work, service.get(work, number))
        used = [UseBody().dump(use) for use in work.session.scalars(service.uses(work, number))]
    if history:
        show(used, ["at", "client_id", "code", "hostname", "public_ip"], as_json=as_json)
    else:
        show_one(row, as_json=as_json)


@installer_group.command("extend")
@click.argument("number", type=int)
@click.option("--valid", type=int, help="Minutes from now.")
@click.option("--max-uses", type=int, help="New total of machines.")
@pass_site
def extend(site: Site, number: int, valid: int | None, max_uses: int | None) -> None:
    """Make a valid installer last longer, or for more machines."""
    if valid is None and max_uses is None:
        raise click.UsageError("give --valid, --max-uses or both")
    with site.work() as work:
        found = service.extend(work, number, valid_duration=valid, max_uses=max_uses)
        row = _shown(work, found)
    click.echo(f"installer {number} is valid until {row['expiration_timestamp']}")


@installer_group.command("revoke")
@click.argument("number", type=int)
@click.option("--reason", default="", help="Kept in the audit log.")
@pass_site
def revoke(site: Site, number: int, reason: str) -> None:
    """End an installer now; the Jump Clients that it deployed stay."""
    with site.work() as work:
        service.revoke(work, number, reason)
    click.echo(f"installer {number} is revoked")
