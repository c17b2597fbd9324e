"""Group policies: the list in its order, the form, and what they add up to for a user."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from tremplin_server import pages, rest
from tremplin_server.accounts import service as accounts
from tremplin_server.accounts.models import User
from tremplin_server.db import Work
from tremplin_server.groups import access, group_policies
from tremplin_server.groups import service as groups
from tremplin_server.groups.group_policy_forms import (
    GroupPolicyForm,
    data_of,
    permission_labels,
)
from tremplin_server.groups.models import JumpGroup, JumpItemRole
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Permission, Role
from tremplin_server.policies import pages as policy_pages
from tremplin_server.policies.models import SessionPolicy

blp = pages.blueprint("group_policy_pages", __name__)


@blp.get("/login/users/group-policies")
def index() -> ResponseReturnValue:
    """Show the group policies in their order."""
    with rest.reading() as work:
        page = pages.page_of(work, group_policies.query(work))
        wholes = [group_policies.whole(work, row) for row in page.rows]
        return render_template("users/group_policies.html", page=page, policies=wholes)


@blp.route("/login/users/group-policies/new", methods=["GET", "POST"])
def create() -> ResponseReturnValue:
    """Add a group policy."""
    with rest.writing() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        form = _offered(work, GroupPolicyForm())
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: group_policies.create(work, form.values())
        ):
            flash(_("The policy was created."), "good")
            return redirect(url_for("group_policy_pages.index"))
        page = render_template("users/group_policy.html", form=form, policy=None)
    return page, 422 if form.is_submitted() else 200


@blp.route("/login/users/group-policies/<int:policy_id>", methods=["GET", "POST"])
def show(policy_id: int) -> ResponseReturnValue:
    """Show a group policy, and change it."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        policy = group_policies.whole(work, group_policies.get(work, policy_id))
        form = _offered(work, GroupPolicyForm(data=data_of(policy)))
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: group_policies.update(work, policy_id, form.values())
        ):
            flash(_("Saved."), "good")
            return redirect(url_for("group_policy_pages.show", policy_id=policy_id))
        people = _people(work, policy)
        return render_template("users/group_policy.html", form=form, policy=policy, people=people)


@blp.post("/login/users/group-policies/<int:policy_id>/delete")
def delete(policy_id: int) -> ResponseReturnValue:
    """Delete a group policy."""
    with rest.writing() as work:
        group_policies.remove(work, policy_id)
    flash(_("The policy was deleted."), "good")
    return redirect(url_for("group_policy_pages.index"))


@blp.get("/login/users/<int:user_id>/permissions")
def of_user(user_id: int) -> ResponseReturnValue:
    """Show what a user may do and why: a part of their page, and a page without script."""
    with rest.reading() as work:
        user = accounts.get(work, user_id)
        found = access.effective_of(work, user)
        named = {
            "groups": _names(work, JumpGroup, found.groups),
            "roles": {row.id: row.name for row in work.session.scalars(groups.roles(work))},
        }
        number = found.session_policy.value
        policy = work.session.get(SessionPolicy, number) if number else None
        part = "HX-Request" in request.headers
        return render_template(
            "users/_permissions.html" if part else "users/permissions.html",
            user=user,
            found=found,
            named=named,
            labels=permission_labels(),
            default=access.DEFAULT_ROLE_ID,
            session_policy=policy,
        )


def _names(work: Work, model: Any, ids: Any) -> dict[int, str]:
    rows = work.session.scalars(select(model).where(model.id.in_(list(ids))))
    return {row.id: row.name for row in rows}


def _people(work: Work, policy: group_policies.Whole) -> int:
    """Return how many users a policy is for."""
    mine = User.id.in_(policy.user_ids) | User.role.in_(policy.site_roles)
    return work.session.scalar(select(func.count()).select_from(User).where(mine)) or 0


def _offered(work: Work, form: GroupPolicyForm) -> GroupPolicyForm:
    users = select(User.id, User.username).order_by(func.lower(User.username))
    shared = select(JumpGroup.id, JumpGroup.name).order_by(func.lower(JumpGroup.name))
    roles = {
        Role.ADMINISTRATOR: _("Administrator"),
        Role.TECHNICIAN: _("Technician"),
        Role.AUDITOR: _("Auditor"),
    }
    item_roles = select(JumpItemRole.id, JumpItemRole.name).order_by(JumpItemRole.id)
    form.offer(
        [(number, name) for number, name in work.session.execute(users)],
        [(role.value, word) for role, word in roles.items()],
        [(number, name) for number, name in work.session.execute(shared)],
        [(0, _("Default role")), *((n, name) for n, name in work.session.execute(item_roles))],
        policy_pages.session_choices(work),
    )
    return form
