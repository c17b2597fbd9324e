"""Signing in and out, and changing one's own password."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from tremplin_server import i18n, pages, rest
from tremplin_server.accounts import passwords, service, web_sessions
from tremplin_server.accounts.access_models import Way
from tremplin_server.accounts.models import User
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, TremplinError
from tremplin_server.field_messages import translated
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.permissions import Actor, system_actor

_WAITING = "waits_for_code"
_WAITING_SECONDS = 300

blp = pages.blueprint("account_pages", __name__, signed_in=False)


@dataclass(frozen=True, eq=False)
class SignedIn(UserMixin):  # type: ignore[misc] # the package has no types
    """Somebody who is signed in, as the pages need to know it.

    id: the token of the cookie, whose row `web_session` is the number of.
    """

    id: str
    web_session: int
    name: str
    role: str
    language: str
    theme: str
    actor: Actor
    must_change_password: bool
    must_add_factor: bool

    @classmethod
    def of(cls, work: Work, user: User, token: str, web_session: int) -> SignedIn:
        """Return what is known of `user`, whose request this is."""
        return cls(
            id=token,
            web_session=web_session,
            name=user.private_display_name,
            role=str(user.role),
            language=service.language_of(user),
            theme=user.theme,
            actor=service.actor_of_user(user, request.remote_addr or ""),
            must_change_password=service.must_change_password(work, user),
            must_add_factor=user.two_factor_required and not user.two_factor_enabled,
        )


class SignInForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A name and a password."""

    username = StringField(
        _l("User name"),
        [InputRequired(), Length(max=64)],
        render_kw={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"},
    )
    password = PasswordField(
        _l("Password"),
        [InputRequired(), Length(max=passwords.MAX_LENGTH)],
        render_kw={"autocomplete": "current-password"},
    )


class CodeForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A code of the second factor."""

    code = StringField(
        _l("Code of your authenticator app"),
        [InputRequired(), Length(max=64)],
        render_kw={"autocomplete": "one-time-code", "autofocus": True},
    )


class PasswordForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """The old password and a new one, twice."""

    password = PasswordField(
        _l("Current password"), [InputRequired()], render_kw={"autocomplete": "current-password"}
    )
    new_password = PasswordField(
        _l("New password"),
        [InputRequired(), Length(max=passwords.MAX_LENGTH)],
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        _l("New password again"),
        [EqualTo("new_password", _l("The two new passwords differ."))],
        render_kw={"autocomplete": "new-password"},
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        least = rest.current_database().config.password_length
        self.new_password.description = _(
            "At least %(count)s characters. Several words that have nothing to do with each "
            "other are easy to keep in mind and hard to guess.",
            count=least,
        )


def register(app: Flask) -> None:
    """Make Flask-Login know the accounts of this site."""
    manager = LoginManager(app)
    manager.login_view = "account_pages.sign_in"
    manager.login_message = None
    manager.session_protection = "basic"
    manager.user_loader(_load)


def _load(token: str) -> SignedIn | None:
    address = request.remote_addr or ""
    with rest.current_database().work(system_actor("sign-in"), read_only=True) as work:
        found = web_sessions.holder(work, token)
        if found is None:
            return None
        known = SignedIn.of(work, found.user, token, found.session.id)
    if found.stale:
        seen = Actor(known.actor.kind, known.actor.name, known.actor.id, address)
        with rest.current_database().work(seen) as work:
            web_sessions.touch(work, known.web_session)
    return known


def local_path(wanted: str) -> str:
    """Return `wanted` when it is a path of this site, else the list of Jump Clients."""
    parts = urlsplit(wanted)
    local = not parts.scheme and not parts.netloc and wanted.startswith("/")
    if local and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable():
        return wanted
    return "/console"


@blp.route("/login", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """Ask for name and password; then go where the person wanted to go, or to the code."""
    form = SignInForm()
    if current_user.is_authenticated:
        return redirect(local_path(request.args.get("next", "")))
    message, status = "", 200
    if form.validate_on_submit():
        try:
            return _sign_in(form.username.data, form.password.data)
        except TremplinError as error:
            message, status = error.text(i18n.language()), error.entry.status
    return render_template("accounts/sign_in.html", form=form, message=message), status


@blp.route("/login/code", methods=["GET", "POST"])
def code() -> ResponseReturnValue:
    """Ask whoever gave the right password for the second factor."""
    user_id, way = _waiting_user()
    if not user_id:
        return redirect(url_for("account_pages.sign_in", next=request.args.get("next")))
    form = CodeForm()
    message, status = "", 200
    if form.validate_on_submit():
        try:
            with asking(f"user {user_id}") as work:
                user = service.authenticate_code(work, user_id, form.code.data)
                return let_in(work, user, way, request.args.get("next", ""))
        except TremplinError as error:
            if error.code == "auth.bad_credentials":
                # The password was right: what is wrong is the code, and the field says so.
                wrong = translated("This code is wrong, or its time is over.", i18n.language())
                form.code.errors = [wrong]
                return render_template("accounts/code.html", form=form), error.entry.status
            message, status = error.text(i18n.language()), error.entry.status
    return render_template("accounts/code.html", form=form, message=message), status


def _sign_in(username: str, password: str) -> ResponseReturnValue:
    with asking(username[:64]) as work:
        user = service.authenticate(work, username, password)
        return go_on(work, user, Way.PASSWORD)


def go_on(work: Work, user: User, way: Way, wanted: str | None = None) -> ResponseReturnValue:
    """Let in who was recognised, or ask for the code of who has a second factor.

    wanted: the path to go to then; the request's `next` when it is None.
    """
    wanted = request.args.get("next", "") if wanted is None else wanted
    if not user.two_factor_enabled:
        return let_in(work, user, way, wanted)
    session[_WAITING] = [user.id, int(time.time()), way.value]
    return redirect(url_for("account_pages.code", next=wanted or None))


def asking(name: str) -> AbstractContextManager[Work]:
    """Open a unit of work of somebody who is not signed in yet."""
    asking = Actor(system_actor().kind, name, source_ip=request.remote_addr or "")
    return rest.current_database().work(asking)


def _waiting_user() -> tuple[int, Way]:
    """Return who was recognised here a moment ago, and how; 0 for nobody."""
    user_id, since, way = session.get(_WAITING) or (0, 0, Way.PASSWORD.value)
    return (user_id if time.time() - since < _WAITING_SECONDS else 0), Way(way)


def let_in(work: Work, user: User, way: Way, wanted: str) -> ResponseReturnValue:
    """Sign `user` in at this browser and go where the person wanted to go."""
    work.actor = service.actor_of_user(user, work.actor.source_ip)
    made, token = web_sessions.begin(work, user, way, request.user_agent.string)
    known = SignedIn.of(work, user, token, made.id)
    _forget_all_but_language(kept=not known.language)
    login_user(known)
    return redirect(local_path(wanted))


def _forget_all_but_language(*, kept: bool = True) -> None:
    """Empty the cookie: nothing of one person is left for the next at this browser."""
    language = session.get("language")
    session.clear()
    if language and kept:
        session["language"] = language


@blp.post("/logout")
def sign_out() -> ResponseReturnValue:
    """Forget who is signed in."""
    if current_user.is_authenticated:
        with rest.current_database().work(current_user.actor) as work:
            web_sessions.leave(work, current_user.id)
    logout_user()
    _forget_all_but_language()
    return redirect(url_for("account_pages.sign_in"))


@blp.route("/login/password", methods=["GET", "POST"])
def password() -> ResponseReturnValue:
    """Let the person who is signed in choose another password."""
    refused = pages.require_sign_in()
    if refused is not None:
        return cast(ResponseReturnValue, refused)
    form = PasswordForm()
    if form.validate_on_submit():
        with rest.writing() as work:
            if pages.attempt(
                work,
                form,
                lambda: _change_password(work, form),
            ):
                flash(_("The password was changed. Other browsers were signed out."), "good")
                forced = current_user.must_change_password
                return redirect("/console" if forced else url_for("own_pages.index"))
    return render_template("accounts/password.html", form=form)


def _change_password(work: Work, form: PasswordForm) -> None:
    try:
        service.change_own_password(
            work,
            form.password.data,
            form.new_password.data,
            session_id=current_user.web_session,
        )
    except Invalid as error:
        if error.fields == {"password": [service.WRONG_PASSWORD]}:
            raise
        # What is wrong with a new password belongs beside the field of the new one.
        raise Invalid({"new_password": error.fields["password"]}) from error
