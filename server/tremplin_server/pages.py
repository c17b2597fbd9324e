"""The edge of the pages: who is signed in, paging, and what forms have in common.

What `rest.py` is to the API. Features make a blueprint with `blueprint`; every view of it
needs somebody who is signed in. This module imports no feature: `accounts.pages` tells
Flask-Login who is there, `console` registers everything on the application.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, cast
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, flash, g, redirect, request, session, url_for
from flask_login import current_user
from flask_wtf import FlaskForm
from sqlalchemy import Select, func, select
from werkzeug.wrappers import Response as BaseResponse
from wtforms.fields.choices import SelectChoice

from tremplin_server import i18n, rest
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, TremplinError

PER_PAGE = 25
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
PASSWORD_PAGE = "account_pages.password"  # noqa: S105 - the name of a page
FACTOR_PAGE = "key_pages.second_factor"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. number counts from 1; last is at least 1."""

    rows: Sequence[Any]
    number: int
    last: int
    total: int

    @property
    def first_row(self) -> int:
        """The place in the whole list of the first row shown; 0 when there is none."""
        return (self.number - 1) * PER_PAGE + 1 if self.rows else 0

    @property
    def last_row(self) -> int:
        """The place of the last row shown."""
        return self.first_row + len(self.rows) - 1 if self.rows else 0


def blueprint(name: str, import_name: str, *, signed_in: bool = True, **options: Any) -> Blueprint:
    """Return a blueprint of pages: protected, in the reader's language.

    signed_in: whether its views need somebody who is signed in.
    """
    made = Blueprint(name, import_name, **options)
    made.before_request(choose_language)
    if signed_in:
        made.before_request(require_sign_in)
    made.before_request(_check_origin)
    made.after_request(protect)
    return made


def choose_language() -> None:
    """Answer in the language that was chosen here, else that of the account."""
    account = current_user.language if current_user.is_authenticated else ""
    chosen = session.get("language") or account
    if chosen:
        i18n.set_language(chosen)


def style_nonce() -> str:
    """Let scripts of this answer add sheets that carry the nonce which is returned."""
    nonce: str = g.setdefault("style_nonce", secrets.token_urlsafe(16))
    return nonce


def allow_wasm() -> None:
    """Let scripts of this answer run WebAssembly that they bring with them."""
    g.allow_wasm = True


def allow_frames() -> None:
    """Let this answer show pages of this site in frames."""
    g.allow_frames = True


def allow_keeping() -> None:
    """Let browsers keep this answer for good: its address names its content."""
    g.allow_keeping = True


def is_part() -> bool:
    """Return whether a page that is open asks for a part of itself: htmx does, and scripts
    then tell what was refused."""
    history = "HX-History-Restore-Request" in request.headers
    return "HX-Request" in request.headers and not history


def embedded() -> bool:
    """Return whether the page is asked for by a frame; only our own pages may have one."""
    return request.headers.get("Sec-Fetch-Dest") == "iframe" or "frame" in request.args


def _policy() -> str:
    policy = POLICY
    if "allow_frames" in g:
        policy += "; frame-src 'self'"
    if embedded():
        policy = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    if "style_nonce" in g:
        policy = policy.replace("style-src 'self'", f"style-src 'self' 'nonce-{g.style_nonce}'")
    if "allow_wasm" in g:
        policy = policy.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
    return policy


def _check_origin() -> None:
    current_app.extensions["csrf"].protect()


def protect(response: Response) -> Response:
    """Add the headers that keep a page from being framed, scripted or kept."""
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = _policy()
    if embedded():
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
    if "allow_keeping" in g and response.status_code == 200:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif not str(request.endpoint).endswith(".static"):
        response.headers["Cache-Control"] = "no-store"
    return response


def require_sign_in() -> BaseResponse | None:
    """Let a signed-in user on, as the actor of the request; send anybody else to /login."""
    if not current_user.is_authenticated:
        if is_part():
            # The sign-in page is no part of another one: that is asked for anew as a whole.
            return Response(status=401, headers={"HX-Refresh": "true"})
        return cast(BaseResponse, current_app.login_manager.unauthorized())  # type: ignore[attr-defined]
    rest.set_actor(current_user.actor)
    if current_user.must_change_password:
        return redirect(url_for(PASSWORD_PAGE)) if request.endpoint != PASSWORD_PAGE else None
    if current_user.must_add_factor and request.endpoint != FACTOR_PAGE:
        return redirect(url_for(FACTOR_PAGE))
    return None


def page_of(work: Work, query: Select[Any]) -> Page:
    """Return the page of `query` that the request's `page` asks for.

    A number that is none, or past the end, gives the nearest page.
    """
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    total = work.session.scalar(counted) or 0
    last = max(1, ceil(total / PER_PAGE))
    asked = request.args.get("page", "1")
    number = min(max(int(asked), 1), last) if asked.isdecimal() and len(asked) < 10 else 1
    rows = work.session.scalars(query.limit(PER_PAGE).offset((number - 1) * PER_PAGE)).all()
    return Page(rows, number, last, total)


def page_url(number: int, endpoint: str = "") -> str:
    """Return this request's address, or that of `endpoint`, with another page number."""
    path = url_for(endpoint or str(request.endpoint), **(request.view_args or {}))
    return path + "?" + urlencode({**request.args.to_dict(), "page": number})


def sort_url(key: str, now: str) -> str:
    """Return this request's address sorted by `key`; the other way round if it is already."""
    path = url_for(str(request.endpoint), **(request.view_args or {}))
    kept = {name: value for name, value in request.args.to_dict().items() if name != "page"}
    return path + "?" + urlencode({**kept, "sort": f"-{key}" if now == key else key})


def filters(*names: str) -> dict[str, str]:
    """Return the query arguments among `names` that hold something, cut to a sane length."""
    found = {name: request.args.get(name, "").strip()[:255] for name in names}
    return {name: value for name, value in found.items() if value and "\0" not in value}


def options(pairs: Iterable[tuple[Any, str]]) -> list[SelectChoice]:
    """Return value and label of each choice as a select field takes them."""
    return [SelectChoice(value, label) for value, label in pairs]


def attempt(work: Work, form: FlaskForm | None, act: Callable[[], Any]) -> bool:
    """Run `act`; put what is Invalid beside its fields, and tell other refusals as a message.

    Returns whether it went well; if not, `work` is rolled back. Errors that are not about
    what was typed or may be done pass through. form: None for a mere button.
    """
    try:
        act()
    except TremplinError as error:
        if error.entry.status not in (403, 409, 422):
            raise
        work.session.rollback()
        if isinstance(error, Invalid) and form is not None:
            _spread(form, error)
        else:
            flash(error.text(i18n.language()), "wrong")
        return False
    return True


def _spread(form: FlaskForm, error: Invalid) -> None:
    unplaced = []
    for name, messages in error.fields_in(i18n.language()).items():
        if name in form:
            form[name].errors = [*form[name].errors, *messages]
        else:
            unplaced.append(f"{name}: {', '.join(messages)}")
    if unplaced:
        flash("; ".join(unplaced), "wrong")
