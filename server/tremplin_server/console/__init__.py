"""The pages: how they look, which features have some, and the page of an error."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from flask import Flask, g, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date, format_datetime, format_decimal, format_timedelta
from flask_login import current_user
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from markupsafe import Markup, escape

from tremplin_server import i18n, pages, rest
from tremplin_server.accounts import (
    key_pages,
    oidc_pages,
    own_pages,
    preferences,
    program_pages,
    user_pages,
)
from tremplin_server.accounts import pages as accounts
from tremplin_server.audit import pages as audit
from tremplin_server.clients import pages as clients
from tremplin_server.console import administration, approvers, words
from tremplin_server.errors import TremplinError
from tremplin_server.groups import admin_pages as groups
from tremplin_server.installers import link_pages
from tremplin_server.installers import pages as installers
from tremplin_server.jump_items import item_pages, whole_pages
from tremplin_server.jump_items import pages as jump_items
from tremplin_server.permissions import Permission
from tremplin_server.policies import admin_pages as policies
from tremplin_server.portal import admin_pages as portal_settings
from tremplin_server.portal import pages as portal
from tremplin_server.push import pages as push
from tremplin_server.reports import pages as reports
from tremplin_server.sessions import approval_pages, approvals, file_pages, reach_pages
from tremplin_server.sessions import pages as sessions
from tremplin_server.settings import pages as settings
from tremplin_server.shortcuts import pages as shortcuts
from tremplin_server.status import pages as status
from tremplin_server.support import customer_pages
from tremplin_server.support import file_pages as support_files
from tremplin_server.support import pages as support
from tremplin_server.updates import pages as updates

blp = pages.blueprint(
    "console",
    __name__,
    signed_in=False,
    template_folder="templates",
    static_folder="static",
    static_url_path="/console/static",
)


def register(app: Flask) -> None:
    """Add every page to `app`."""
    # The pages' blueprints check the form's token; programs send none.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    CSRFProtect(app)
    accounts.register(app)
    app.extensions[policies.OFFERED] = approvers.offered
    portal.register(app)
    push.register(app)
    oidc_pages.register(app, app.extensions[rest.EXTENSION].config)
    for part in (
        blp,
        accounts.blp,
        key_pages.blp,
        oidc_pages.blp,
        own_pages.blp,
        status.blp,
        user_pages.blp,
        program_pages.blp,
        groups.blp,
        policies.blp,
        clients.blp,
        jump_items.blp,
        shortcuts.blp,
        settings.blp,
        updates.blp,
        portal.blp,
        portal_settings.blp,
        reports.blp,
        item_pages.blp,
        whole_pages.blp,
        installers.blp,
        push.blp,
        link_pages.blp,
        sessions.blp,
        file_pages.blp,
        approval_pages.blp,
        reach_pages.blp,
        support.blp,
        support_files.blp,
        customer_pages.blp,
        audit.blp,
    ):
        app.register_blueprint(part)
    app.register_error_handler(CSRFError, _expired)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        moment=_moment,
        day=_day,
        sentence=_sentence,
        ago=_ago,
        bytes=_bytes,
        duration=_duration,
        seconds=_seconds,
        thousands=_thousands,
        breakable=_breakable,
    )
    app.jinja_env.globals.update(
        page_url=pages.page_url, sort_url=pages.sort_url, words=words, Permission=Permission
    )
    app.context_processor(_context)


def error_page(error: TremplinError) -> ResponseReturnValue:
    """Answer `error` as a page of the console."""
    if error.code == "auth.required":
        return redirect(url_for("account_pages.sign_in"))
    pages.choose_language()
    if current_user.is_authenticated:
        rest.set_actor(current_user.actor)
    text = render_template("error.html", error=error, message=error.text(i18n.language()))
    return pages.protect(make_response(text, error.entry.status))


@blp.get("/")
def home() -> ResponseReturnValue:
    """Send whoever comes to the front door to the list of Jump Clients."""
    return redirect(url_for("console_pages.index"))


@blp.post("/login/language")
def language() -> ResponseReturnValue:
    """Keep the chosen language for this browser."""
    chosen = request.form.get("language", "")
    if chosen in i18n.LANGUAGES:
        session["language"] = chosen
        if current_user.is_authenticated:
            with rest.current_database().work(current_user.actor) as work:
                preferences.set_language(work, chosen)
    return redirect(accounts.local_path(request.form.get("next", "")))


@blp.post("/login/theme")
def theme() -> ResponseReturnValue:
    """Keep the chosen appearance for the account; empty follows the system."""
    refused = pages.require_sign_in()
    if refused is not None:
        return cast(ResponseReturnValue, refused)
    with rest.writing() as work:
        preferences.set_theme(work, request.form.get("theme", ""))
    return redirect(accounts.local_path(request.form.get("next", "")))


def _expired(_error: CSRFError) -> ResponseReturnValue:
    return error_page(TremplinError("request.form_expired"))


def _asks_approvals() -> bool:
    """Return whether the site has approvals, so that the head of a page leads to them."""
    with rest.reading() as work:
        return approvals.in_use(work)


def _context() -> dict[str, Any]:
    actor = g.get("tremplin_actor")
    return {
        "actor": actor,
        "language": i18n.language(),
        "languages": words.languages(),
        "theme": current_user.theme if current_user.is_authenticated else "",
        "provider": oidc_pages.provider_name(),
        "tabs": administration.tabs(actor),
        "account_path": administration.account_path(),
        "embedded": pages.embedded(),
        "area": administration.area(request.path),
        "asks_approvals": _asks_approvals,
    }


def _sentence(text: str) -> str:
    """Return the text of an error as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def _moment(value: datetime | None) -> str:
    """Return a time in the reader's language, UTC."""
    return format_datetime(value, "d MMM y, HH:mm:ss", rebase=False) + " UTC" if value else ""


def _day(value: date) -> str:
    """Return a day in the reader's language."""
    return str(format_date(value, "d MMM y"))


def _ago(value: datetime | None) -> str:
    """Return how long ago, or how soon, a time is, in words."""
    if value is None:
        return ""
    now = rest.current_database().clock.now().astimezone(UTC)
    return i18n.ago(value - now)


def _bytes(count: int) -> str:
    """Return a number of bytes in the reader's language and a fitting unit."""
    units = (
        ("o", "Ko", "Mo", "Go", "To") if i18n.language() == "fr" else ("B", "KB", "MB", "GB", "TB")
    )
    size, unit = float(count), 0
    while size >= 1000 and unit < len(units) - 1:
        size, unit = size / 1000, unit + 1
    digits = format_decimal(round(size, 1 if unit and size < 100 else 0))
    return f"{digits}\N{NO-BREAK SPACE}{units[unit]}"


def _duration(span: timedelta) -> str:
    """Return how long something took, in words."""
    return str(format_timedelta(span, granularity="second", threshold=1.5))


def _seconds(seconds: float) -> str:
    """Return a length of time as players show it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _thousands(number: int) -> str:
    """Return a whole number as the reader groups its digits."""
    return str(format_decimal(number))


def _breakable(name: str) -> Markup:
    """Return a host's name that a narrow column may break after its dots."""
    return escape(name).replace(".", Markup(".<wbr>"))
