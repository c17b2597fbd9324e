"""`tremplin role`: what roles allow, and why a user may do something."""

from __future__ import annotations

from typing import Any

import click

from tremplin_server.accounts import service as accounts
from tremplin_server.db import Work, same_text
from tremplin_server.errors import NotFound
from tremplin_server.group_policies.effective import Held
from tremplin_server.groups import access, roles, service
from tremplin_server.groups.models import JumpItemRole
from tremplin_server.groups.schemas import RoleBody
from tremplin_server.permissions import ItemPermission
from tremplin_server.shell import Site, json_option, pass_site, show, show_one

_WORDS = [permission.value.removeprefix("perm_").replace("_", "-") for permission in ItemPermission]


@click.group("role")
def role_group() -> None:
    """Jump Item Roles: what members of a Jump Group may do with its Jump Items.

    \b
    tremplin role list
    tremplin role add "Night shift" --may start --may edit-comments
    tremplin group add-member paris zoe --role "Night shift"
    tremplin role why zoe
    """


def _named(work: Work, name: str) -> JumpItemRole:
    found = work.session.scalar(service.roles(work).where(same_text(JumpItemRole.name, name)))
    if found is None:
        raise NotFound("request.not_found", what="Jump Item Role", id=name)
    return found


def _may(role: JumpItemRole) -> str:
    held = role.permissions
    if held == frozenset(ItemPermission):
        return "everything"
    words = zip(ItemPermission, _WORDS, strict=True)
    return ", ".join(word for one, word in words if one in held) or "nothing"


@role_group.command("list")
@json_option
@pass_site
def list_roles(site: Site, as_json: bool) -> None:
    """List the roles, what they allow, and how many memberships have each."""
    with site.work(read_only=True) as work:
        used = roles.holders(work)
        rows = [
            {**RoleBody().dump(role), "may": _may(role), "members": used.get(role.id, 0)}
            for role in work.session.scalars(service.roles(work))
        ]
    show(rows, ["id", "name", "members", "may"], as_json=as_json)


@role_group.command("show")
@click.argument("name")
@json_option
@pass_site
def show_role(site: Site, name: str, as_json: bool) -> None:
    """Show a role."""
    with site.work(read_only=True) as work:
        body = dict(RoleBody().dump(_named(work, name)))
    show_one(body, as_json=as_json)


@role_group.command("add")
@click.argument("name")
@click.option("--may", multiple=True, type=click.Choice(_WORDS), help="Many times.")
@click.option("--description", default="")
@pass_site
def add_role(site: Site, name: str, may: tuple[str, ...], description: str) -> None:
    """Add a role; what is not named is not allowed."""
    allowed = {f"perm_{word.replace('-', '_')}": True for word in may}
    with site.work() as work:
        made = roles.create(work, name=name, description=description, **allowed)
    click.echo(f"Jump Item Role {made.name} added with id {made.id}: {_may(made)}")


@role_group.command("delete")
@click.argument("name")
@pass_site
def delete_role(site: Site, name: str) -> None:
    """Delete a role that nobody has."""
    with site.work() as work:
        roles.delete(work, _named(work, name).id)
    click.echo(f"Jump Item Role {name} deleted")


@role_group.command("why")
@click.argument("username")
@json_option
@pass_site
def why(site: Site, username: str, as_json: bool) -> None:
    """Show what a user may do, and which role, membership or group policy says so."""
    with site.work(read_only=True) as work:
        found = access.effective_of(work, accounts.named(work, username))
        names = {role.id: role.name for role in work.session.scalars(service.roles(work))}
        groups = {group.id: group.name for group in work.session.scalars(service.query(work))}
    rows = [
        {"what": name, "is": held.value, **_told(held)} for name, held in found.permissions.items()
    ]
    for number, place in found.groups.items():
        role = names[place.value or access.DEFAULT_ROLE_ID]
        rows.append({"what": f"Jump Group {groups[number]}", "is": role, **_told(place)})
    policy = found.session_policy
    rows.append({"what": "session policy", "is": policy.value, **_told(policy)})
    show(rows, ["what", "is", "because_of"], as_json=as_json)


def _told(held: Held[Any]) -> dict[str, str]:
    reason = held.reason
    words = f"{reason.source.value.replace('_', ' ')} {reason.name}".strip()
    return {"because_of": f"{words} (final)" if reason.final else words}
