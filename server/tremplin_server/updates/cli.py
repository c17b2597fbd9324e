"""`tremplin update`."""

from __future__ import annotations

from typing import Any

import click

from tremplin_server.clients.cli import named
from tremplin_server.clients.models import JumpClient
from tremplin_server.shell import Site, json_option, pass_site, show, show_one
from tremplin_server.updates import service
from tremplin_server.updates.schemas import AskedBody, FleetBody, UpdateBody, shown

_REFUSED_EXIT_STATUS = 3


@click.group("update")
def update_group() -> None:
    """Updates of agents: how they stand, and ordering them.

    The policy is on the page "Updates" and in the configuration (update_mode and the
    other update_… keys). A host is held at a version with
    `tremplin client update CLIENT --version VERSION`.

    \b
    tremplin update status
    tremplin update now web1 web2
    tremplin update now --all
    """


@update_group.command("status")
@json_option
@pass_site
def status(site: Site, as_json: bool) -> None:
    """Show the policy, the payloads, and how many agents run which version."""
    with site.work(read_only=True) as work:
        body = FleetBody().dump(shown(service.fleet(work), work.config.update_bandwidth))
    if as_json:
        show_one(body, as_json=True)
        return
    body["payloads"] = ", ".join(f"{one['platform']} {one['version']}" for one in body["payloads"])
    for name in ("versions", "states"):
        body[name] = ", ".join(f"{key}: {number}" for key, number in body[name].items())
    show_one(body)


@update_group.command("list")
@click.option("--state", type=click.Choice(["wanted", "ordered", "done", "failed"]))
@json_option
@pass_site
def list_updates(site: Site, state: str | None, as_json: bool) -> None:
    """List the last update of each Jump Client that had one."""
    with site.work(read_only=True) as work:
        rows: list[dict[str, Any]] = []
        for row in work.session.scalars(service.query(work, state=state)):
            client = work.session.get(JumpClient, row.client_id)
            rows.append({**UpdateBody().dump(row), "name": client.name if client else ""})
    columns = ["client_id", "name", "state", "from_version", "version", "code", "changed_at"]
    show(rows, columns, as_json=as_json)


@update_group.command("now")
@click.argument("clients", nargs=-1, metavar="CLIENT...")
@click.option("--all", "everybody", is_flag=True, help="All that are outdated.")
@json_option
@pass_site
def now(site: Site, clients: tuple[str, ...], everybody: bool, as_json: bool) -> None:
    """Order updates now, whatever the policy says; exits with 3 when one cannot be."""
    if bool(clients) == everybody:
        raise click.UsageError("name Jump Clients, or give --all")
    with site.work() as work:
        if everybody:
            asked = service.order_all(work)
        else:
            asked = service.order_now(work, [named(work, client).id for client in clients])
        rows = [AskedBody().dump(one) for one in asked]
    show(rows, ["client_id", "name", "version", "text"], as_json=as_json)
    if any(row["code"] for row in rows):
        raise click.exceptions.Exit(_REFUSED_EXIT_STATUS)
