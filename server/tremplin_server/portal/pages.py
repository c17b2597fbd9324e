"""The public page `/support`: who needs help reads it and types a session key."""

from __future__ import annotations

from typing import cast

from flask import Flask, Response, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import i18n, pages, rest
from tremplin_server.errors import TremplinError, Unavailable
from tremplin_server.permissions import Actor, ActorKind
from tremplin_server.portal import service
from tremplin_server.portal.attempts import Attempts
from tremplin_server.portal.service import Portal, Words

ATTEMPTS = "tremplin-portal-attempts"
"""Under which the application keeps its `Attempts`."""
MAX_KEY = 64

blp = pages.blueprint("portal_pages", __name__, signed_in=False)


def register(app: Flask) -> None:
    """Count the attempts of `app`."""
    app.extensions[ATTEMPTS] = Attempts()


def visitor() -> Actor:
    """Return the person who is here without an account."""
    return Actor(ActorKind.SYSTEM, "support portal", source_ip=request.remote_addr or "")


@blp.get("/support")
def show() -> ResponseReturnValue:
    """Show the portal. `?lang=fr` chooses the language of this browser, for links to it."""
    chosen = request.args.get("lang", "")
    if chosen in i18n.LANGUAGES:
        session["language"] = chosen
        return redirect(url_for("portal_pages.show"))
    return page()


@blp.get("/support/logo/<sha256>")
def logo(sha256: str) -> ResponseReturnValue:
    """Answer the logo. Its address names its content, so a browser may keep it."""
    with rest.current_database().work(visitor(), read_only=True) as work:
        found = service.logo(work, sha256)
    pages.allow_keeping()
    return Response(found.content, mimetype=found.mimetype)


def spend_attempt() -> None:
    """Count an attempt of this address; Unavailable (request.too_many) when none is left."""
    cast(Attempts, current_app.extensions[ATTEMPTS]).spend(request.remote_addr or "")


def page(key: str = "", error: TremplinError | None = None) -> ResponseReturnValue:
    """Answer the portal's page. key and error: what was typed, and why it leads nowhere."""
    with rest.current_database().work(visitor(), read_only=True) as work:
        found = service.portal(work)
    said = error.text(i18n.language()) if error else ""
    text = rendered(found, key=key[:MAX_KEY], said=said)
    if error is None:
        return text
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else {}
    return text, error.entry.status, headers


def rendered(found: Portal, *, key: str = "", said: str = "", preview: bool = False) -> str:
    """Return the page in the reader's language. preview: nothing on it can be sent."""
    words: Words = found.words[i18n.language()]
    return render_template(
        "portal/support.html", portal=found, said=said, key=key, words_here=words, preview=preview
    )
