"""Users: who there is, what they may do, what keeps them out, and where they are signed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.accounts import (
    identities,
    oidc_pages,
    passwords,
    service,
    ssh_keys,
    totp,
    web_sessions,
)
from tremplin_server.accounts.models import User
from tremplin_server.accounts.user_forms import NewUserForm, UserForm
from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Permission, Role

blp = pages.blueprint("user_pages", __name__)

STATES = ("enabled", "disabled", "locked")


@blp.get("/login/users")
def index() -> ResponseReturnValue:
    """Show the users whom the filters leave."""
    chosen = pages.filters("search", "role", "state")
    with rest.reading() as work:
        found = service.search(
            work, chosen.get("search", ""), chosen.get("role", ""), chosen.get("state", "")
        )
        page = pages.page_of(work, service.ordered(found, request.args.get("sort", "")))
        return render_template(
            "users/index.html",
            page=page,
            chosen=chosen,
            sort=request.args.get("sort", ""),
            roles=[role.value for role in Role],
            states=STATES,
            now=work.now(),
        )


@blp.route("/login/users/new", methods=["GET", "POST"])
def create() -> ResponseReturnValue:
    """Add a user; a password that is made here is shown this once."""
    form = NewUserForm(enabled=True, role=Role.TECHNICIAN.value)
    with rest.writing() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        if form.validate_on_submit():
            said = form.values()
            made = "" if "password" in said else passwords.random()
            said = {"password": made, **said}
            if made:
                said["password_reset_next_login"] = True
            users: list[User] = []
            if pages.attempt(work, form, lambda: users.append(service.create(work, **said))):
                return render_template("users/created.html", user=users[0], password=made), 201
    return render_template("users/create.html", form=form), 422 if form.is_submitted() else 200


@blp.route("/login/users/<int:user_id>", methods=["GET", "POST"])
def show(user_id: int) -> ResponseReturnValue:
    """Show a user, and change what an administrator says of them."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        user = service.get(work, user_id)
        form = UserForm(obj=user)
        if form.validate_on_submit():
            said = form.values()
            if pages.attempt(work, form, lambda: service.update(work, user_id, said)):
                flash(_("Saved."), "good")
                return redirect(url_for("user_pages.show", user_id=user_id))
        return render_template("users/show.html", form=form, **_facts(work, user_id))


def _facts(work: Work, user_id: int) -> dict[str, Any]:
    user = service.get(work, user_id)
    return {
        "user": user,
        "locked": user.locked_until is not None and user.locked_until > work.now(),
        "sessions": work.session.scalars(web_sessions.query(work, user.id)).all(),
        "keys": work.session.scalars(ssh_keys.query(work, user)).all(),
        "identity": identities.of_user(work, user.id),
        "provider": oidc_pages.provider_name(),
    }


def _done(user_id: int, act: Callable[[Work], Any], message: str) -> ResponseReturnValue:
    """Do something about a user, and show them again."""
    with rest.writing() as work:
        act(work)
    flash(message, "good")
    return redirect(url_for("user_pages.show", user_id=user_id))


@blp.post("/login/users/<int:user_id>/unlock")
def unlock(user_id: int) -> ResponseReturnValue:
    """End the lock that too many wrong passwords set."""
    return _done(
        user_id,
        lambda work: service.update(work, user_id, {"failed_logins": 0}),
        _("The account is unlocked."),
    )


@blp.post("/login/users/<int:user_id>/second-factor/remove")
def remove_second_factor(user_id: int) -> ResponseReturnValue:
    """Take away the second factor of somebody who lost it."""
    return _done(
        user_id, lambda work: totp.remove(work, user_id), _("The second factor was removed.")
    )


@blp.post("/login/users/<int:user_id>/sign-out")
def sign_out(user_id: int) -> ResponseReturnValue:
    """Sign a user out everywhere, at once."""
    return _done(
        user_id,
        lambda work: web_sessions.end_all(work, service.get(work, user_id).id),
        _("The user is signed out everywhere."),
    )


@blp.post("/login/users/<int:user_id>/sessions/<int:session_id>/end")
def end_session(user_id: int, session_id: int) -> ResponseReturnValue:
    """Sign a user out of one browser."""
    return _done(
        user_id,
        lambda work: web_sessions.end(work, user_id, session_id),
        _("That browser is signed out."),
    )


@blp.post("/login/users/<int:user_id>/keys/<int:key_id>/remove")
def remove_key(user_id: int, key_id: int) -> ResponseReturnValue:
    """Take an SSH key of a user away."""
    return _done(
        user_id,
        lambda work: ssh_keys.remove(work, service.get(work, user_id), key_id),
        _("The key was removed."),
    )


@blp.post("/login/users/<int:user_id>/provider/disconnect")
def disconnect(user_id: int) -> ResponseReturnValue:
    """Take away with whom a user signs in at the provider."""
    return _done(
        user_id,
        lambda work: identities.disconnect(work, user_id),
        _("The account is connected no more."),
    )


@blp.post("/login/users/<int:user_id>/delete")
def delete(user_id: int) -> ResponseReturnValue:
    """Delete a user."""
    with rest.writing() as work:
        if not pages.attempt(work, None, lambda: service.delete(work, user_id)):
            return redirect(url_for("user_pages.show", user_id=user_id))
    flash(_("The user was deleted."), "good")
    return redirect(url_for("user_pages.index"))
