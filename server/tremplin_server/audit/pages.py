"""The page of the audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.audit import service

blp = pages.blueprint("audit_pages", __name__)


@blp.get("/login/audit")
def index() -> ResponseReturnValue:
    """Show who did what, newest first."""
    chosen = pages.filters("actor_name", "action")
    with rest.reading() as work:
        page = pages.page_of(
            work,
            service.events(work, actor_name=chosen.get("actor_name"), action=chosen.get("action")),
        )
        return render_template("audit/index.html", chosen=chosen, page=page)


@blp.app_template_filter("details")
def details(value: Mapping[str, Any]) -> str:
    """Return an event's details as one line a person can read; what is empty is left out."""
    said = {k: v for k, v in value.items() if v not in (None, "", [], {})}
    return ", ".join(f"{k}: {v if isinstance(v, str) else json.dumps(v)}" for k, v in said.items())
