"""`tremplin group`."""

from __future__ import annotations

from typing import Any

import click

from tremplin_server.accounts import service as accounts
from tremplin_server.db import Work, same_text
from tremplin_server.errors import NotFound
from tremplin_server.groups import access, service
from tremplin_server.groups.models import JumpGroup, JumpItemRole
from tremplin_server.shell import Site, json_option, pass_site, show


@click.group("group")
def group_group() -> None:
    """Shared Jump Groups and their members.

    \b
    tremplin group add "Paris servers" --code-name paris
    tremplin group add-member paris zoe --role "Start Sessions Only"
    tremplin group list
    """


def _group(group: JumpGroup) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "code_name": group.code_name,
        "comments": group.comments,
    }


def _named(work: Work, text: str) -> JumpGroup:
    """Return the group whose code name or name is `text`."""
    for query in (service.query(work, code_name=text), service.query(work, name=text)):
        found = work.session.scalar(query)
        if found is not None:
            return found
    raise NotFound("request.not_found", what="Jump Group", id=text)


def _role_id(work: Work, name: str | None) -> int | None:
    if name is None:
        return None
    role = work.session.scalar(service.roles(work).where(same_text(JumpItemRole.name, name)))
    if role is None:
        raise NotFound("request.not_found", what="Jump Item Role", id=name)
    return role.id


@group_group.command("list")
@json_option
@pass_site
def list_groups(site: Site, as_json: bool) -> None:
    """List the shared Jump Groups."""
    with site.work(read_only=True) as work:
        rows = [_group(group) for group in work.session.scalars(service.query(work))]
    show(rows, ["id", "code_name", "name", "comments"], as_json=as_json)


@group_group.command("add")
@click.argument("name")
@click.option("--code-name", help="Letters, digits, - and _; made of the name when not given.")
@click.option("--comments")
@pass_site
def add_group(site: Site, name: str, code_name: str | None, comments: str | None) -> None:
    """Add a shared Jump Group."""
    with site.work() as work:
        group = service.create(work, name=name, code_name=code_name, comments=comments)
    click.echo(f"Jump Group {group.name} added with id {group.id}, code name {group.code_name}")


@group_group.command("delete")
@click.argument("group")
@pass_site
def delete_group(site: Site, group: str) -> None:
    """Delete a shared Jump Group, by code name or name; it must have no Jump Clients."""
    with site.work() as work:
        service.delete(work, _named(work, group).id)
    click.echo(f"Jump Group {group} deleted")


@group_group.command("members")
@click.argument("group")
@json_option
@pass_site
def list_members(site: Site, group: str, as_json: bool) -> None:
    """List the members of a Jump Group."""
    with site.work(read_only=True) as work:
        roles = {role.id: role.name for role in work.session.scalars(service.roles(work))}
        rows = [
            {
                "user_id": member.user_id,
                "username": accounts.get(work, member.user_id).username,
                "role": roles.get(member.jump_item_role_id or access.DEFAULT_ROLE_ID),
            }
            for member in work.session.scalars(service.members(work, _named(work, group).id))
        ]
    show(rows, ["user_id", "username", "role"], as_json=as_json)


@group_group.command("add-member")
@click.argument("group")
@click.argument("username")
@click.option("--role", help="Name of a Jump Item Role; the default one when not given.")
@pass_site
def add_member(site: Site, group: str, username: str, role: str | None) -> None:
    """Let a user see and use the Jump Clients of a group."""
    with site.work() as work:
        found = _named(work, group)
        user = accounts.named(work, username)
        service.add_member(work, found.id, user.id, _role_id(work, role))
    click.echo(f"user {username} is a member of {found.name}")


@group_group.command("remove-member")
@click.argument("group")
@click.argument("username")
@pass_site
def remove_member(site: Site, group: str, username: str) -> None:
    """Take a user out of a group."""
    with site.work() as work:
        found = _named(work, group)
        service.remove_member(work, found.id, accounts.named(work, username).id)
    click.echo(f"user {username} is no member of {found.name} any more")
