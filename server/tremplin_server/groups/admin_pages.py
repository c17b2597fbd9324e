"""Jump Groups with their members, and Jump Item Roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from tremplin_server import pages, rest
from tremplin_server.accounts import service as accounts
from tremplin_server.db import Work
from tremplin_server.groups import access, roles, service
from tremplin_server.groups.admin_forms import GroupForm, MemberForm, RoleForm
from tremplin_server.groups.models import JumpGroup, JumpGroupMember, JumpItemRole
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import ItemPermission, Permission

blp = pages.blueprint("group_pages", __name__)


@blp.get("/login/users/groups")
def index() -> ResponseReturnValue:
    """Show the shared Jump Groups."""
    with rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_READ)
        named = service.query(work).order_by(None).order_by(func.lower(JumpGroup.name))
        page = pages.page_of(work, named)
        shown = [group.id for group in page.rows]
        return render_template(
            "users/groups.html", page=page, counts=service.member_counts(work, shown)
        )


@blp.route("/login/users/groups/new", methods=["GET", "POST"])
def create() -> ResponseReturnValue:
    """Add a shared Jump Group."""
    form = GroupForm()
    with rest.writing() as work:
        work.actor.require(Permission.GROUPS_WRITE)
        if form.validate_on_submit():
            made: list[JumpGroup] = []
            if pages.attempt(
                work, form, lambda: made.append(service.create(work, **form.values()))
            ):
                flash(_("The Jump Group was created. Now add its members."), "good")
                return redirect(url_for("group_pages.show", group_id=made[0].id))
    status = 422 if form.is_submitted() else 200
    return render_template("users/group.html", form=form, group=None), status


@blp.route("/login/users/groups/<int:group_id>", methods=["GET", "POST"])
def show(group_id: int) -> ResponseReturnValue:
    """Show a Jump Group and its members, and change its names."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_READ)
        form = GroupForm(obj=service.get(work, group_id))
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: service.update(work, group_id, form.values())
        ):
            flash(_("Saved."), "good")
            return redirect(url_for("group_pages.show", group_id=group_id))
        return render_template("users/group.html", form=form, **_facts(work, group_id))


def _facts(work: Work, group_id: int) -> dict[str, Any]:
    members = work.session.scalars(service.members(work, group_id)).all()
    users = {user.id: user for user in work.session.scalars(accounts.query(work))}
    adding = MemberForm(formdata=None)
    inside = {member.user_id for member in members}
    outside = [user for user in users.values() if user.id not in inside]
    adding.user_id.choices = pages.options(
        (user.id, f"{user.private_display_name} ({user.username})")
        for user in sorted(outside, key=lambda user: user.username.lower())
    )
    adding.role.choices = pages.options(_role_choices(work))
    return {
        "group": service.get(work, group_id),
        "members": [(member, users[member.user_id]) for member in members],
        "roles": _role_choices(work),
        "adding": adding if outside else None,
    }


def _role_choices(work: Work) -> list[tuple[int, str]]:
    """Return id and name of every role; 0 is the default one, whichever that is."""
    rows = work.session.scalars(service.roles(work)).all()
    default = next((row.name for row in rows if row.id == access.DEFAULT_ROLE_ID), "")
    return [(0, _("Default (%(name)s)", name=default)), *((row.id, row.name) for row in rows)]


def _about(group_id: int, act: Callable[[Work], Any], message: str) -> ResponseReturnValue:
    """Do something about the members of a group, and show it again."""
    with rest.writing() as work:
        if pages.attempt(work, None, lambda: act(work)):
            flash(message, "good")
    return redirect(url_for("group_pages.show", group_id=group_id) + "#members")


def _number(name: str) -> int:
    typed = request.form.get(name, "")
    return int(typed) if typed.isdecimal() and len(typed) < 10 else 0


@blp.post("/login/users/groups/<int:group_id>/members")
def add_member(group_id: int) -> ResponseReturnValue:
    """Add a user to a group."""
    return _about(
        group_id,
        lambda work: service.add_member(
            work, group_id, _number("user_id"), _number("role") or None
        ),
        _("The member was added."),
    )


@blp.post("/login/users/groups/<int:group_id>/members/<int:user_id>")
def change_member(group_id: int, user_id: int) -> ResponseReturnValue:
    """Give a member another role."""
    return _about(
        group_id,
        lambda work: service.change_member(work, group_id, user_id, _number("role") or None),
        _("Saved."),
    )


@blp.post("/login/users/groups/<int:group_id>/members/<int:user_id>/remove")
def remove_member(group_id: int, user_id: int) -> ResponseReturnValue:
    """Take a user out of a group."""
    return _about(
        group_id,
        lambda work: service.remove_member(work, group_id, user_id),
        _("The member was removed."),
    )


@blp.post("/login/users/groups/<int:group_id>/delete")
def delete(group_id: int) -> ResponseReturnValue:
    """Delete a group without Jump Clients."""
    with rest.writing() as work:
        if not pages.attempt(work, None, lambda: service.delete(work, group_id)):
            return redirect(url_for("group_pages.show", group_id=group_id))
    flash(_("The Jump Group was deleted."), "good")
    return redirect(url_for("group_pages.index"))


@blp.get("/login/users/<int:user_id>/groups")
def of_user(user_id: int) -> ResponseReturnValue:
    """Show the groups of a user: a part of their page, and a page for who has no script."""
    with rest.reading() as work:
        user = accounts.get(work, user_id)
        rows = work.session.execute(
            select(JumpGroup, JumpItemRole.name)
            .join(JumpGroupMember, JumpGroupMember.jump_group_id == JumpGroup.id)
            .outerjoin(JumpItemRole, JumpItemRole.id == JumpGroupMember.jump_item_role_id)
            .where(JumpGroupMember.user_id == user.id)
            .order_by(func.lower(JumpGroup.name))
        ).all()
        part = "HX-Request" in request.headers
        template = "users/_groups_of.html" if part else "users/groups_of.html"
        return render_template(template, user=user, rows=rows)


# --- Jump Item Roles ------------------------------------------------------------------


@blp.get("/login/users/roles")
def role_index() -> ResponseReturnValue:
    """Show the Jump Item Roles."""
    with rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_READ)
        page = pages.page_of(work, service.roles(work))
        return render_template(
            "users/roles.html",
            page=page,
            counts=roles.holders(work),
            default=access.DEFAULT_ROLE_ID,
            edits=roles.EDITS,
        )


@blp.route("/login/users/roles/new", methods=["GET", "POST"])
def role_create() -> ResponseReturnValue:
    """Add a Jump Item Role."""
    form = RoleForm(perm_start=True)
    with rest.writing() as work:
        work.actor.require(Permission.GROUPS_WRITE)
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: roles.create(work, **form.values())
        ):
            flash(_("The role was created."), "good")
            return redirect(url_for("group_pages.role_index"))
    status = 422 if form.is_submitted() else 200
    return _role_page(form, None), status


@blp.route("/login/users/roles/<int:role_id>", methods=["GET", "POST"])
def role_show(role_id: int) -> ResponseReturnValue:
    """Show a Jump Item Role, and change it."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_READ)
        role = roles.get(work, role_id)
        form = RoleForm(obj=role)
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: roles.update(work, role_id, form.values())
        ):
            flash(_("Saved."), "good")
            return redirect(url_for("group_pages.role_index"))
        role = roles.get(work, role_id)
        return _role_page(form, role, roles.holders(work).get(role.id, 0))


def _role_page(form: RoleForm, role: JumpItemRole | None, used: int = 0) -> str:
    doing = [p.value for p in ItemPermission if p not in roles.EDITS]
    return render_template(
        "users/role.html", form=form, role=role, used=used, doing=doing, editing=roles.EDITS
    )


@blp.post("/login/users/roles/<int:role_id>/delete")
def role_delete(role_id: int) -> ResponseReturnValue:
    """Delete a Jump Item Role that nobody has."""
    with rest.writing() as work:
        if not pages.attempt(work, None, lambda: roles.delete(work, role_id)):
            return redirect(url_for("group_pages.role_show", role_id=role_id))
    flash(_("The role was deleted."), "good")
    return redirect(url_for("group_pages.role_index"))
