"""API accounts: programs, their rights, addresses and secrets."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.accounts import programs, ssh_keys
from tremplin_server.accounts.models import ApiAccount
from tremplin_server.accounts.user_forms import ProgramForm
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Permission

blp = pages.blueprint("program_pages", __name__)


@blp.get("/login/users/api-accounts")
def index() -> ResponseReturnValue:
    """Show the API accounts."""
    with rest.reading() as work:
        page = pages.page_of(work, programs.query(work))
        return render_template("users/programs.html", page=page, now=work.now())


@blp.route("/login/users/api-accounts/new", methods=["GET", "POST"])
def create() -> ResponseReturnValue:
    """Add an API account, and show its secret this once."""
    form = ProgramForm(enabled=True, perm_command="full_access")
    with rest.writing() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        if form.validate_on_submit():
            made: list[tuple[ApiAccount, str]] = []
            if pages.attempt(
                work, form, lambda: made.append(programs.create(work, **form.values()))
            ):
                return _secret(*made[0]), 201
    status = 422 if form.is_submitted() else 200
    return render_template("users/program.html", form=form, account=None), status


@blp.route("/login/users/api-accounts/<int:account_id>", methods=["GET", "POST"])
def show(account_id: int) -> ResponseReturnValue:
    """Show an API account, and change it."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        account = programs.get(work, account_id)
        form = ProgramForm(obj=account)
        if form.validate_on_submit() and pages.attempt(
            work, form, lambda: programs.update(work, account_id, form.values())
        ):
            flash(_("Saved."), "good")
            return redirect(url_for("program_pages.show", account_id=account_id))
        account = programs.get(work, account_id)
        lock = account.failed_login_expiration
        return render_template(
            "users/program.html",
            form=form,
            account=account,
            keys=work.session.scalars(ssh_keys.query(work, account)).all(),
            locked=lock is not None and lock > work.now(),
        )


@blp.post("/login/users/api-accounts/<int:account_id>/secret")
def renew_secret(account_id: int) -> ResponseReturnValue:
    """Replace the secret, and show the new one this once."""
    with rest.writing() as work:
        made = programs.renew_secret(work, account_id)
    return _secret(*made)


@blp.post("/login/users/api-accounts/<int:account_id>/unlock")
def unlock(account_id: int) -> ResponseReturnValue:
    """End the lock that too many wrong secrets set."""
    with rest.writing() as work:
        programs.update(work, account_id, {"failed_login_attempts": 0})
    flash(_("The account is unlocked."), "good")
    return redirect(url_for("program_pages.show", account_id=account_id))


@blp.post("/login/users/api-accounts/<int:account_id>/delete")
def delete(account_id: int) -> ResponseReturnValue:
    """Delete an API account and its tokens."""
    with rest.writing() as work:
        programs.remove(work, account_id)
    flash(_("The API account was deleted."), "good")
    return redirect(url_for("program_pages.index"))


def _secret(account: ApiAccount, secret: str) -> str:
    return render_template("users/secret.html", account=account, secret=secret)
