"""Jump Policies and session policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Permission
from tremplin_server.policies import changes, service
from tremplin_server.policies.forms import JumpPolicyForm, PolicyForm, SessionPolicyForm
from tremplin_server.policies.models import JumpPolicy, SessionPolicy

blp = pages.blueprint("policy_pages", __name__)

KINDS: dict[str, Any] = {"jump": JumpPolicy, "session": SessionPolicy}

OFFERED = "tremplin.approvers"
"""Among the application's extensions: returns whom a policy may name, as `Offered`.

Accounts and groups are not below policies, so whoever composes the pages says it.
"""


@dataclass(frozen=True, slots=True)
class Offered:
    """Id or name and label of people, roles and Jump Groups."""

    users: list[tuple[int, str]]
    roles: list[tuple[str, str]]
    groups: list[tuple[int, str]]


def _kind(name: str) -> Any:
    kind = KINDS.get(name)
    if kind is None:
        raise NotFound("request.no_path", path=request.path)
    return kind


def _form(work: Work, name: str, **options: Any) -> PolicyForm:
    if name != "jump":
        return SessionPolicyForm(**options)
    form = JumpPolicyForm(**options)
    offered: Offered = current_app.extensions[OFFERED](work)
    form.offer(offered.users, offered.roles, offered.groups)
    return form


@blp.get("/login/users/policies")
def index() -> ResponseReturnValue:
    """Show the policies of both kinds."""
    with rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_READ)
        lists: dict[str, Any] = {
            "jump": work.session.scalars(service.jump_policies()).all(),
            "session": work.session.scalars(service.session_policies()).all(),
        }
        counts = {
            name: {row.id: changes.uses(work, KINDS[name], row.id) for row in rows}
            for name, rows in lists.items()
        }
        return render_template("users/policies.html", lists=lists, counts=counts)


@blp.route("/login/users/policies/<kind>/new", methods=["GET", "POST"])
def create(kind: str) -> ResponseReturnValue:
    """Add a policy."""
    model = _kind(kind)
    with rest.writing() as work:
        work.actor.require(Permission.GROUPS_WRITE)
        form = _form(work, kind)
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: changes.create(work, model, form.values())
        ):
            flash(_("The policy was created."), "good")
            return redirect(url_for("policy_pages.index"))
    status = 422 if form.is_submitted() else 200
    return render_template("users/policy.html", form=form, kind=kind, policy=None), status


@blp.route("/login/users/policies/<kind>/<int:policy_id>", methods=["GET", "POST"])
def show(kind: str, policy_id: int) -> ResponseReturnValue:
    """Show a policy, and change it."""
    model = _kind(kind)
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_READ)
        form = _form(work, kind, obj=changes.get(work, model, policy_id))
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: changes.update(work, model, policy_id, form.values())
        ):
            flash(_("Saved."), "good")
            return redirect(url_for("policy_pages.index"))
        policy = changes.get(work, model, policy_id)
        return render_template("users/policy.html", form=form, kind=kind, policy=policy)


@blp.post("/login/users/policies/<kind>/<int:policy_id>/delete")
def delete(kind: str, policy_id: int) -> ResponseReturnValue:
    """Delete a policy that nothing refers to."""
    model = _kind(kind)
    with rest.writing() as work:
        if not pages.attempt(work, None, lambda: changes.delete(work, model, policy_id)):
            return redirect(url_for("policy_pages.show", kind=kind, policy_id=policy_id))
    flash(_("The policy was deleted."), "good")
    return redirect(url_for("policy_pages.index"))
