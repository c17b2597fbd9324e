"""The console: the list of Jump Items with their groups, and the panel of one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from tremplin_server import i18n, pages, rest
from tremplin_server.accounts import preferences
from tremplin_server.clients import copies, history, measures, wake_on_lan
from tremplin_server.clients import service as clients
from tremplin_server.clients.words import states
from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.groups import service as access
from tremplin_server.i18n import gettext as _
from tremplin_server.jump_items import advice, chart, lines, listing, tree, view
from tremplin_server.jump_items.sources import Item
from tremplin_server.jump_items.view import View
from tremplin_server.sessions import listing as sessions
from tremplin_server.sessions.checks import REFUSALS

blp = pages.blueprint("console_pages", __name__)

_OPEN_SESSIONS = 5
_UNFOLDED = 50
"""How many groups stay unfolded when a page asks for the groups again."""


@blp.get("/console")
def index() -> ResponseReturnValue:
    """Show the console; for a part of the page that is open, the list alone."""
    with rest.reading() as work:
        shown = _list(work)
        if pages.is_part():
            return render_template("console/_list.html", **shown)
        pages.allow_frames()
        key = request.args.get("item", "")
        item = next(iter(listing.chosen(work, [key])), None) if key else None
        return render_template(
            "console/index.html",
            tree=tree.tree(work),
            unfolded=_unfolded(work, [shown["view"].group] if shown["view"].tag else []),
            panel=_panel(work, item) if item else None,
            refusals=_refusals(),
            **shown,
        )


@blp.get("/console/rows")
def rows() -> ResponseReturnValue:
    """Answer the list's lines alone, for a page that is open."""
    with rest.reading() as work:
        return render_template("console/_rows.html", **_list(work))


@blp.get("/console/tree")
def groups() -> ResponseReturnValue:
    """Answer the groups alone: their counts have changed. unfolded: those that show tags."""
    with rest.reading() as work:
        unfolded = _unfolded(work, request.args.getlist("unfolded")[:_UNFOLDED])
        return render_template(
            "console/_tree.html", tree=tree.tree(work), view=_view(), unfolded=unfolded
        )


@blp.get("/console/tags")
def tags() -> ResponseReturnValue:
    """Answer the tags of one group, which is unfolded."""
    group = request.args.get("group", "")
    with rest.reading() as work:
        return render_template(
            "console/_tags.html", group=group, tags=tree.tags(work, group), view=_view()
        )


@blp.get("/console/panel/<key>")
def panel(key: str) -> ResponseReturnValue:
    """Answer the panel of one Jump Item; that it is gone, when somebody deleted it."""
    with rest.reading() as work:
        item = next(iter(listing.chosen(work, [key])), None)
        if item is None:
            return render_template("console/_gone.html")
        return render_template("console/_panel.html", **_panel(work, item))


@blp.post("/console/columns")
def columns() -> ResponseReturnValue:
    """Keep which columns the person wants, and answer the list with them."""
    known = view.columns()
    chosen = [name for name in known if name in request.form.getlist("column")]
    with rest.writing() as work:
        preferences.set_columns(work, [] if request.form.get("usual") else chosen)
    with rest.reading() as work:
        return render_template("console/_list.html", **_list(work))


def _unfolded(work: Work, values: list[str]) -> dict[str, list[tuple[str, int]]]:
    return {value: tree.tags(work, value) for value in values}


def _view() -> View:
    # The form of the columns carries the view it was sent from.
    found = request.values
    return View.of(lambda name: found.get(name, "").strip(), found.getlist("in"))


def _list(work: Work) -> dict[str, Any]:
    asked = _view()
    page = listing.page(work, asked)
    columns = view.shown_columns(preferences.columns(work))
    return {
        "view": asked,
        "group_name": tree.group_name(work, asked.group) or _("Unknown group"),
        "page": page,
        "lines_of": partial(_lines, page, columns, work.now()),
        "columns": columns,
        "all_columns": view.columns(),
        "sortable": view.SORTABLE,
        "fields": view.fields(),
        "searched": [view.fields()[name] for name in asked.fields],
        "states": view.STATES,
        "method_words": method_words(),
        "view_url": view_url,
    }


def _refusals() -> dict[str, str]:
    """Return why nobody can jump to a client in a state, by the state, as a jump would say."""
    codes = {state.value: code for state, code in REFUSALS.items()}
    codes["lost"] = codes["offline"]
    return {state: TremplinError(code).text(i18n.language()) for state, code in codes.items()}


def _lines(
    page: listing.ItemPage, columns: list[tuple[str, str]], now: datetime, old: Markup
) -> Markup:
    """Return the lines of a page. old: the mark of an outdated agent."""
    state_words, kinds = (
        {key: str(word) for key, word in known.items()} for known in (states(), method_words())
    )
    words = lines.Words(i18n.language(), _("Select"), state_words, kinds, old)
    return lines.markup(page, [name for name, _label in columns], words, _address(), now)


def _address() -> Callable[[Item], str]:
    """Return what gives the page of an item: making a hundred addresses one by one is dear."""
    client = url_for("client_pages.show", client_id=0)
    own = {
        "client": client,
        "copy": client,
        "rdp": url_for("shortcut_pages.show", number=0),
    }
    return lambda item: own[item.method].replace("/0", f"/{item.id}")


def view_url(asked: View, endpoint: str = "console_pages.index", **changes: object) -> str:
    """Return the address of a view with some values changed."""
    arguments = (asked.with_(**changes) if changes else asked).arguments()
    path = url_for(endpoint)
    return f"{path}?{urlencode(arguments)}" if arguments else path


def method_words() -> dict[str, str]:
    """Return the kinds of Jump Items with their words."""
    return {
        "client": _("Jump Client"),
        "copy": _("Copy of a Jump Client"),
        "rdp": _("RDP shortcut"),
    }


def _panel(work: Work, item: Item) -> dict[str, Any]:
    shown = {
        "item": item,
        "group": listing.group_label(work, item),
        "allowed": access.allowed(work, item.owned),
    }
    if item.method == "rdp":
        return shown
    client = clients.get(work, item.id)
    is_copy = item.method == "copy"
    samples = history.of(work, client.id)
    opened = sessions.query(work, client_id=client.id, state="open").limit(_OPEN_SESSIONS)
    return {
        **shown,
        "client": clients.listed(work, item.id),
        "is_copy": is_copy,
        "copies": 0 if is_copy else copies.count(work, client.id),
        "advice": advice.advice(work, item, client),
        "wakeable": wake_on_lan.can_wake(client),
        "measures": measures.measures(client.statistics),
        "statistics": measures.figures(client.statistics),
        "lines": chart.lines(samples, work.now()),
        "chart": chart,
        "sessions": work.session.scalars(opened).all(),
    }
