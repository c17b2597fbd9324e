"""My account: how the pages look, how one signs in, and where one is signed in."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from tremplin_server import i18n, pages, rest
from tremplin_server.accounts import (
    identities,
    oidc_pages,
    passwords,
    preferences,
    recovery,
    service,
    ssh_keys,
    totp,
    web_sessions,
)
from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l

blp = pages.blueprint("own_pages", __name__)

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
"""What a User-Agent has in it, the first that does counts: most claim to be others too."""
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class RecoveryForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """The password, which whoever only found an open console does not know."""

    password = PasswordField(
        _l("Current password"),
        [InputRequired(), Length(max=passwords.MAX_LENGTH)],
        render_kw={"autocomplete": "current-password"},
    )


@blp.get("/login/account")
def index() -> ResponseReturnValue:
    """Show what is about the person who is signed in."""
    with rest.reading() as work:
        return render_template("accounts/account.html", **_facts(work))


def _facts(work: Work) -> dict[str, Any]:
    user = service.acting_user(work)
    return {
        "user": user,
        "sessions": work.session.scalars(web_sessions.query(work, user.id)).all(),
        "codes_left": recovery.left(work, user.id),
        "keys": work.session.scalars(ssh_keys.query(work, user)).all(),
        "identity": identities.of_user(work, user.id),
        "provider": oidc_pages.provider_name(),
    }


@blp.post("/login/account/preferences")
def prefer() -> ResponseReturnValue:
    """Keep language and appearance for the account."""
    chosen = request.form.get("language", "")
    with rest.writing() as work:
        preferences.set_language(work, chosen)
        preferences.set_theme(work, request.form.get("theme", ""))
    # What an earlier visitor of this browser chose must not outweigh it.
    session.pop("language", None)
    i18n.set_language(chosen)
    flash(_("Saved."), "good")
    return redirect(url_for("own_pages.index"))


@blp.post("/login/account/sessions/<int:session_id>/end")
def end_session(session_id: int) -> ResponseReturnValue:
    """Sign out of another browser, or of this one."""
    with rest.writing() as work:
        web_sessions.end(work, current_user.actor.id, session_id)
    if session_id == current_user.web_session:
        return redirect(url_for("account_pages.sign_in"))
    flash(_("That browser is signed out."), "good")
    return redirect(url_for("own_pages.index") + "#sessions")


@blp.post("/login/account/sessions/end-others")
def end_other_sessions() -> ResponseReturnValue:
    """Sign out of every browser but this one."""
    with rest.writing() as work:
        web_sessions.end_all(work, current_user.actor.id, but=current_user.web_session)
    flash(_("All other browsers are signed out."), "good")
    return redirect(url_for("own_pages.index") + "#sessions")


@blp.route("/login/account/recovery-codes", methods=["GET", "POST"])
def recovery_codes() -> ResponseReturnValue:
    """Make new recovery codes, and show them this once."""
    form = RecoveryForm()
    if form.validate_on_submit():
        with rest.writing() as work:
            made: list[str] = []
            if pages.attempt(
                work,
                form,
                lambda: made.extend(totp.renew_recovery_codes(work, form.password.data)),
            ):
                return show_codes(made)
    return render_template("accounts/recovery_codes.html", form=form, codes=None)


def show_codes(codes: list[str]) -> ResponseReturnValue:
    """Show recovery codes that were just made."""
    return render_template("accounts/recovery_codes.html", form=None, codes=codes)


@blp.post("/login/account/provider/disconnect")
def disconnect() -> ResponseReturnValue:
    """Sign in at the provider no more."""
    with rest.writing() as work:
        identities.disconnect(work, current_user.actor.id)
    flash(_("Your account is connected no more."), "good")
    return redirect(url_for("own_pages.index"))


@blp.app_template_filter("browser")
def browser(user_agent: str) -> str:
    """Return what people call a browser that calls itself `user_agent`."""
    name = next((name for part, name in _BROWSERS if part in user_agent), "")
    system = next((name for part, name in _SYSTEMS if part in user_agent), "")
    if name and system:
        return str(_("%(browser)s on %(system)s", browser=name, system=system))
    return name or system or str(_("Unknown browser"))
