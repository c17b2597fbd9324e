"""The page of the audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.audit import service

HASH = re.compile(r"[0-9a-f]{40,}")
SHOWN_OF_HASH = 12

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
    """Return an event's details as one line; what is empty is left out, hashes are cut."""
    said = {k: v for k, v in value.items() if v not in (None, "", [], {})}
    return ", ".join(f"{k}: {_short(v)}" for k, v in said.items())


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:SHOWN_OF_HASH] + "…" if HASH.fullmatch(text) else text
