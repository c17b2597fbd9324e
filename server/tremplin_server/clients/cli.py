"""`tremplin client`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tremplin_server.clients import drift as drifts
from tremplin_server.clients import housekeeping, service, tombstones, wake_on_lan
from tremplin_server.clients.listing import SORTS, STATES
from tremplin_server.clients.models import JumpClient
from tremplin_server.clients.schemas import ClientBody, TombstoneBody, UnknownKeyBody, shown
from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.groups import service as groups
from tremplin_server.shell import Site, json_option, pass_site, show, show_one

DRIFT_EXIT_STATUS = 1
_COLUMNS = ["id", "name", "external_id", "state", "jump_group", "operating_system", "last_seen"]
_reason = click.option("--reason", default="", help="Kept in the audit log.")


@click.group("client")
def client_group() -> None:
    """Jump Clients: their records, their removal, and what is out of step.

    CLIENT is an id, a declared key (external id) or a name that only one record has.

    \b
    tremplin client list --state offline
    tremplin client update web1 --tag blue --pin
    tremplin client delete web1 --reason "rack 4 is gone"
    tremplin client drift --inventory hosts.txt
    """


def _shown(work: Work, client: JumpClient) -> dict[str, Any]:
    owner = groups.owner(work, client.jump_group_type, client.jump_group_id)
    body: dict[str, Any] = dict(ClientBody().dump(shown(work, client)))
    return {**body, "jump_group": owner.label}


def _named(work: Work, text: str) -> JumpClient:
    """Return the Jump Client that `text` means: declared key first, then id, then name."""
    found = service.find(work, external_id=text)
    if found is None and text.isdecimal() and int(text) < 2**31:
        return service.get(work, int(text))
    found = found or service.find(work, name=text)
    if found is None:
        raise NotFound("client.missing", id=text)
    return found


@client_group.command("list")
@click.option("--search", help="Words that stand somewhere in name, host, tag, address, …")
@click.option("--state", type=click.Choice(STATES))
@click.option("--group", help="user:<name>, jumpgroup:<code name> or a group's name.")
@click.option("--tag")
@click.option("--sort", help="One or more of " + ", ".join(SORTS) + "; - in front reverses.")
@json_option
@pass_site
def list_clients(site: Site, /, group: str | None, as_json: bool, **wanted: str | None) -> None:
    """List the Jump Clients."""
    with site.work(read_only=True) as work:
        found = service.query(work, **wanted, **_scope(work, group))
        rows = [_shown(work, client) for client in work.session.scalars(found)]
    show(rows, _COLUMNS, as_json=as_json)


def _scope(work: Work, group: str | None) -> dict[str, Any]:
    if group is None:
        return {}
    owner = groups.resolve(work, group)
    if owner.owner_user_id is not None:
        return {"jump_group_type": "personal", "jump_group_id": owner.owner_user_id}
    return {"jump_group_type": "shared", "jump_group_id": owner.shared_group_id}


@client_group.command("show")
@click.argument("client")
@json_option
@pass_site
def show_client(site: Site, client: str, as_json: bool) -> None:
    """Show a Jump Client."""
    with site.work(read_only=True) as work:
        row = _shown(work, _named(work, client))
    show_one(row, as_json=as_json)


@client_group.command("update")
@click.argument("client")
@click.option("--name")
@click.option("--tag")
@click.option("--comments")
@click.option("--external-id", help="Declared key; an empty one takes it away.")
@click.option("--group", help="user:<name>, jumpgroup:<code name> or a group's name.")
@click.option(
    "--active/--passive",
    "active",
    default=None,
    help="Keep a connection, or check in at intervals and be woken.",
)
@click.option("--max-offline-minutes", type=int, help="0 follows the site.")
@click.option("--ephemeral/--no-ephemeral", default=None, help="Removed after 5 minutes offline.")
@click.option("--pin/--unpin", "pinned_forever", default=None, help="Never removed for absence.")
@pass_site
def update(
    site: Site, /, client: str, group: str | None, active: bool | None, **given: Any
) -> None:
    """Change properties; what is not given stays."""
    changes = {k: v for k, v in given.items() if v is not None}
    if active is not None:
        changes["connection_type"] = "active" if active else "passive"
    with site.work() as work:
        found = _named(work, client)
        service.update(work, found.id, {**changes, **_scope(work, group)})
        number = found.id
    click.echo(f"Jump Client {number} is up to date")


@client_group.command("delete")
@click.argument("client")
@_reason
@pass_site
def delete(site: Site, client: str, reason: str) -> None:
    """Delete a record; its agent uninstalls itself as soon as it is reached."""
    with site.work() as work:
        found = _named(work, client)
        name = found.name
        grave = service.delete(work, found.id, reason)
    waits = "its host is gone already" if grave.closed_at else f"tombstone {grave.id} waits"
    click.echo(f"Jump Client {name} deleted; {waits}")


@client_group.command("uninstall")
@click.argument("client")
@_reason
@pass_site
def uninstall(site: Site, client: str, reason: str) -> None:
    """Order the agent to uninstall itself; the record stays until it did."""
    with site.work() as work:
        found = service.uninstall(work, _named(work, client).id, reason)
        name = found.name
    click.echo(f"Jump Client {name} is told to uninstall")


@client_group.command("wake")
@click.argument("client")
@pass_site
def wake(site: Site, client: str) -> None:
    """Switch a host on, through Jump Clients of the same network (wake-on-LAN)."""
    with site.work() as work:
        asked = wake_on_lan.wake(work, _named(work, client).id)
    click.echo(f"asked to wake it: {', '.join(one.name for one in asked)}")


@client_group.command("tombstones")
@click.option("--open", "open_only", is_flag=True, help="Only those whose host has not confirmed.")
@click.option("--close", "number", type=int, help="Stop waiting for this one's host.")
@json_option
@pass_site
def list_tombstones(site: Site, open_only: bool, number: int | None, as_json: bool) -> None:
    """List what was deleted, or close a tombstone by hand."""
    if number is not None:
        with site.work() as work:
            tombstones.close(work, number)
        click.echo(f"tombstone {number} is closed")
        return
    with site.work(read_only=True) as work:
        found = work.session.scalars(tombstones.query(work, open_only=open_only))
        rows = [TombstoneBody().dump(tombstone) for tombstone in found]
    columns = ["id", "client_id", "name", "external_id", "deleted_at", "deleted_by", "closed_by"]
    show(rows, columns, as_json=as_json)


@client_group.command("drift")
@click.option(
    "--inventory",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    required=True,
    help="One declared key per line; - reads standard input.",
)
@click.option("--group", help="Part of the site that the inventory covers.")
@click.option("--tag", help="Part of the site that the inventory covers.")
@json_option
@pass_site
def drift(site: Site, inventory: Path, group: str | None, tag: str | None, as_json: bool) -> None:
    """Compare an inventory with the server; exits with 1 when they are out of step."""
    with click.open_file(str(inventory), encoding="utf-8") as file:
        keys = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    with site.work(read_only=True) as work:
        found = drifts.drift(work, keys, tag=tag, **_scope(work, group))
        body = _differences(work, found)
    if as_json:
        show_one(body, as_json=True)
    else:
        _tell(body)
    if not found.in_step:
        raise click.exceptions.Exit(DRIFT_EXIT_STATUS)


def _differences(work: Work, found: drifts.Drift) -> dict[str, Any]:
    return {
        "missing": list(found.missing),
        "unexpected": [_shown(work, client) for client in found.unexpected],
        "not_online": [_shown(work, client) for client in found.not_online],
        "uninstalled": [_shown(work, client) for client in found.uninstalled],
        "waiting_removal": [TombstoneBody().dump(grave) for grave in found.waiting_removal],
        "unknown_keys": [UnknownKeyBody().dump(key) for key in found.unknown_keys],
    }


def _tell(body: dict[str, Any]) -> None:
    if not any(body.values()):
        click.echo("in step")
    for kind, things in body.items():
        for thing in things:
            click.echo(f"{kind.replace('_', ' ')}: {_line(thing)}")


def _line(thing: Any) -> str:
    if isinstance(thing, str):
        return thing
    if "name" not in thing:
        return f"id {thing['client_id']} from {thing['public_ip']}"
    key = thing.get("external_id")
    return f"{thing['name']} ({key})" if key and key != thing["name"] else str(thing["name"])


@client_group.command("purge")
@click.option("--dry-run", is_flag=True, help="Only tell which would go.")
@json_option
@pass_site
def purge(site: Site, dry_run: bool, as_json: bool) -> None:
    """Delete the records that were away for longer than their limit."""
    with site.work() as work:
        purged = housekeeping.purge(work, dry_run)
    rows = [
        {
            "id": gone.id,
            "name": gone.name,
            "external_id": gone.external_id,
            "last_seen": gone.last_seen,
            "limit_minutes": gone.limit_minutes,
        }
        for gone in purged
    ]
    show(rows, ["id", "name", "external_id", "last_seen", "limit_minutes"], as_json=as_json)
