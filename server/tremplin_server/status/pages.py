"""The page of the site's status."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.i18n import gettext as _
from tremplin_server.status import service

blp = pages.blueprint("status_pages", __name__)


@blp.get("/login/status")
def index() -> ResponseReturnValue:
    """Show how the site is; the part that changes when htmx asks for it."""
    with rest.reading() as work:
        found = service.status(work)
    part = "HX-Request" in request.headers
    names = {
        "technicians": _("Technicians signed in"),
        "clients": _("Jump Clients installed"),
        "active_clients": _("Of these with an active connection"),
        "session_starts": _("Sessions that are starting"),
    }
    template = "status/_parts.html" if part else "status/index.html"
    return render_template(template, status=found, names=names)
