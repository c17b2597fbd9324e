"""Signing in and out, and changing one's own password."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from tremplin_server import i18n, pages, rest
from tremplin_server.accounts import passwords, service
from tremplin_server.accounts.models import User
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.permissions import Actor, system_actor

_WAITING = "waits_for_code"
_WAITING_SECONDS = 300

blp = pages.blueprint("account_pages", __name__, signed_in=False)


@dataclass(frozen=True, eq=False)
class SignedIn(UserMixin):  # type: ignore[misc] # the package has no types
    """Somebody who is signed in, as the pages need to know it.

    id: of the user and of the cookie: raising the account's epoch makes the cookie void.
    """

    id: str
    name: str
    role: str
    language: str
    theme: str
    actor: Actor
    must_change_password: bool
    must_add_factor: bool

    @classmethod
    def of(cls, work: Work, user: User) -> SignedIn:
        """Return what is known of `user`, whose request this is."""
        return cls(
            id=f"{user.id}:{user.session_epoch}",
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
        [InputRequired(), Length(max=16)],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True},
    )


class PasswordForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """The old password and a new one, twice."""

    password = PasswordField(
        _l("Current password"), [InputRequired()], render_kw={"autocomplete": "current-password"}
    )
    new_password = PasswordField(
        _l("New password"),
        [InputRequired(), Length(passwords.MIN_LENGTH, passwords.MAX_LENGTH)],
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        _l("New password again"),
        [EqualTo("new_password", _l("The two new passwords differ."))],
        render_kw={"autocomplete": "new-password"},
    )


def register(app: Flask) -> None:
    """Make Flask-Login know the accounts of this site."""
    manager = LoginManager(app)
    manager.login_view = "account_pages.sign_in"
    manager.login_message = None
    manager.session_protection = "basic"
    manager.user_loader(_load)


def _load(cookie_id: str) -> SignedIn | None:
    number, _colon, epoch = cookie_id.partition(":")
    if not (number.isdecimal() and epoch.isdecimal()):
        return None
    with rest.current_database().work(system_actor("sign-in"), read_only=True) as work:
        user = work.session.get(User, int(number))
        if user is None or not user.enabled or user.session_epoch != int(epoch):
            return None
        return SignedIn.of(work, user)


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
    user_id = _waiting_user()
    if user_id is None:
        return redirect(url_for("account_pages.sign_in", next=request.args.get("next")))
    form = CodeForm()
    message, status = "", 200
    if form.validate_on_submit():
        try:
            with _asking(f"user {user_id}") as work:
                return _let_in(work, service.authenticate_code(work, user_id, form.code.data))
        except TremplinError as error:
            message, status = error.text(i18n.language()), error.entry.status
    return render_template("accounts/code.html", form=form, message=message), status


def _sign_in(username: str, password: str) -> ResponseReturnValue:
    with _asking(username[:64]) as work:
        user = service.authenticate(work, username, password)
        if not user.two_factor_enabled:
            return _let_in(work, user)
    session[_WAITING] = [user.id, int(time.time())]
    return redirect(url_for("account_pages.code", next=request.args.get("next")))


def _asking(name: str) -> AbstractContextManager[Work]:
    """Open a unit of work of somebody who is not signed in yet."""
    asking = Actor(system_actor().kind, name, source_ip=request.remote_addr or "")
    return rest.current_database().work(asking)


def _waiting_user() -> int | None:
    """Return whose right password was typed here a moment ago."""
    user_id, since = session.get(_WAITING) or (None, 0)
    return user_id if time.time() - since < _WAITING_SECONDS else None


def _let_in(work: Work, user: User) -> ResponseReturnValue:
    work.actor = service.actor_of_user(user, work.actor.source_ip)
    audit.record(work, "user.signed_in", "user", user.id, user.username)
    known = SignedIn.of(work, user)
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language
    login_user(known)
    return redirect(local_path(request.args.get("next", "")))


@blp.post("/logout")
def sign_out() -> ResponseReturnValue:
    """Forget who is signed in."""
    language = session.get("language")
    logout_user()
    session.clear()
    if language:
        session["language"] = language
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
                lambda: service.change_own_password(
                    work, form.password.data, form.new_password.data
                ),
            ):
                flash(_("The password was changed."), "good")
                return redirect("/console")
    return render_template("accounts/password.html", form=form)
