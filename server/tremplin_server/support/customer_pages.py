"""What a customer gets who has a session key: the client for his computer. Nobody signs in."""

from __future__ import annotations

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from tremplin_agent.wire import normal_key, shown_key

from tremplin_server import pages, rest
from tremplin_server.errors import TremplinError
from tremplin_server.i18n import gettext as _
from tremplin_server.installers.visitor import platform_of
from tremplin_server.portal import pages as portal
from tremplin_server.support import downloads, keys

blp = pages.blueprint("support_customers", __name__, signed_in=False)


@blp.post("/support/session")
def enter() -> ResponseReturnValue:
    """Take the session key that was typed on the portal, and lead to its client."""
    key = request.form.get("key", "").strip()
    try:
        portal.spend_attempt()
        if not key:
            raise TremplinError("support.key_missing")
        with rest.current_database().work(portal.visitor(), read_only=True) as work:
            downloads.require(work, key)
        return redirect(url_for("support_customers.join", key=shown_key(normal_key(key))))
    except TremplinError as error:
        return portal.page(key, error)


@blp.get(f"{keys.LINKS}<key>")
def join(key: str) -> ResponseReturnValue:
    """Tell how to come into the session of a key."""
    portal.spend_attempt()
    with rest.current_database().work(portal.visitor(), read_only=True) as work:
        downloads.require(work, key)
        has = downloads.platforms(work)
    own = platform_of(request.user_agent.string)
    names = [(value, _names()[value]) for value in has]
    command = f"sh {downloads.filename(own)}"
    return render_template("support/join.html", platforms=names, platform=own, command=command)


@blp.post(f"{keys.LINKS}<key>")
def download(key: str) -> ResponseReturnValue:
    """Answer the client, with the key in it."""
    portal.spend_attempt()
    platform = request.form.get("platform", "")
    with rest.current_database().work(portal.visitor()) as work:
        found = downloads.download(work, key, platform)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.filename}"',
        "Content-Length": str(found.size),
    }
    return Response(found.chunks, mimetype="application/octet-stream", headers=headers)


def _names() -> dict[str, str]:
    return {
        "linux-64": _("Linux, Intel or AMD (x86-64)"),
        "linux-arm64": _("Linux, ARM (arm64)"),
    }
