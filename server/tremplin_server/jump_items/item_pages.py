"""What is done to one or many Jump Items of the list, in a dialogue of the console."""

from __future__ import annotations

import json
from collections.abc import Callable

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from tremplin_server import pages, rest
from tremplin_server.clients import copies, wake_on_lan
from tremplin_server.clients import service as clients
from tremplin_server.clients.forms import CopyForm, PropertiesForm, ReasonForm
from tremplin_server.clients.models import ClientCopy
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, NotFound, TremplinError
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import language
from tremplin_server.jump_items import listing
from tremplin_server.jump_items.forms import ManyPropertiesForm
from tremplin_server.jump_items.sources import Item, parse_key
from tremplin_server.permissions import Permission
from tremplin_server.updates import service as updates

blp = pages.blueprint("item_pages", __name__)
_NAMED = 8
"""How many items a question names; the others are counted."""


@blp.route("/console/properties", methods=["GET", "POST"])
def properties() -> ResponseReturnValue:
    """Show the properties of the chosen items, and change them."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        items = _chosen(work)
        work.actor.require(Permission.CLIENTS_WRITE)
        if any(item.method == "rdp" for item in items):
            return _to_own_page(items)
        form, save = _form(work, items)
        if request.method == "POST" and form.validate() and pages.attempt(work, form, save):
            return done(_("Saved: %(what)s.", what=_named(items)))
        return _dialogue("console/_properties.html", items, form)


@blp.route("/console/delete", methods=["GET", "POST"])
def delete() -> ResponseReturnValue:
    """Ask for a reason, then delete the chosen items; hosts remove their agents."""
    form = ReasonForm()
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        items = _chosen(work)
        work.actor.require(Permission.CLIENTS_DELETE)
        if request.method == "POST" and form.validate():
            reason = form.reason.data or ""
            if pages.attempt(work, form, lambda: _delete(work, items, reason)):
                return done(_("Deleted: %(what)s.", what=_named(items)))
        return _dialogue("console/_delete.html", items, form)


@blp.route("/console/update", methods=["GET", "POST"])
def update() -> ResponseReturnValue:
    """Ask, then order the update of the chosen items' agents."""
    form = FlaskForm()
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        items = [item for item in _chosen(work) if item.method == "client"]
        work.actor.require(Permission.CLIENTS_WRITE)
        if not items:
            raise Conflict("update.unsupported", platform="?")
        if request.method == "POST" and form.validate():
            asked = updates.order_now(work, [item.id for item in items])
            able = sum(not one.code for one in asked)
            if not able:
                first = TremplinError(asked[0].code, platform="?", version=asked[0].version)
                return done(first.text(language()))
            if able < len(asked):
                return done(
                    _(
                        "Ordered: %(count)s; not possible: %(rest)s.",
                        count=able,
                        rest=len(asked) - able,
                    )
                )
            return done(_("The update of %(what)s is ordered.", what=_named(items)))
        return _dialogue("console/_update.html", items, form)


@blp.route("/console/copy", methods=["GET", "POST"])
def copy() -> ResponseReturnValue:
    """Ask for group, name and policies, then list a host once more there."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        items = _chosen(work)
        work.actor.require(Permission.CLIENTS_WRITE)
        if len(items) > 1 or items[0].method == "rdp":
            raise Conflict("client.one_copy")
        form = CopyForm.of(work, clients.place(work, items[0].id), new=True)
        sent = request.method == "POST" and form.validate()
        if sent and pages.attempt(work, form, lambda: form.make(work)):
            return done(_("Copied: %(what)s.", what=_named(items)))
        return _dialogue("console/_copy.html", items, form)


@blp.post("/console/wake")
def wake() -> ResponseReturnValue:
    """Have neighbours of a Jump Client switch its host on."""
    with rest.writing() as work:
        item = _chosen(work)[0]
        asked = wake_on_lan.wake(work, item.id)
    names = ", ".join(one.name for one in asked)
    return done(_("Asked to wake %(what)s: %(names)s.", what=item.name, names=names))


def _to_own_page(items: list[Item]) -> ResponseReturnValue:
    """Lead to the form of a shortcut: what shortcuts and clients have differs too much."""
    if len(items) > 1:
        raise Conflict("shortcut.one_at_a_time")
    path = url_for("shortcut_pages.edit", number=items[0].id)
    if "HX-Request" not in request.headers:
        return redirect(path)
    answer = make_response("", 204)
    answer.headers["HX-Redirect"] = path
    return answer


def _chosen(work: Work) -> list[Item]:
    items = listing.chosen(work, request.values.getlist("item"))
    if not items:
        key = parse_key(request.values.get("item", ""))
        raise NotFound("client.missing", id=key[1] if key else "?")
    return items


def _form(work: Work, items: list[Item]) -> tuple[FlaskForm, Callable[[], None]]:
    if len(items) == 1:
        place = clients.place(work, items[0].id)
        if isinstance(place, ClientCopy):
            copy = CopyForm.of(work, place)
            return copy, lambda: copy.save(work)
        one = PropertiesForm.of(work, place)
        return one, lambda: one.save(work)
    many = ManyPropertiesForm.of(work)

    def save() -> None:
        for item in items:
            change = copies.update if item.method == "copy" else clients.update
            change(work, item.id, many.changes())

    return many, save


def _delete(work: Work, items: list[Item], reason: str) -> None:
    for item in items:
        listing.source(item.method).delete(work, item.id, reason)


def _named(items: list[Item]) -> str:
    if len(items) == 1:
        return items[0].name
    return str(_("%(count)s Jump Items", count=len(items)))


def _dialogue(template: str, items: list[Item], form: FlaskForm) -> ResponseReturnValue:
    if "HX-Request" not in request.headers:
        # Without script an item's own page has the same.
        if items[0].method != "rdp":
            return redirect(url_for("client_pages.show", client_id=items[0].id))
        return redirect(url_for("shortcut_pages.show", number=items[0].id))
    names = [item.name for item in items[:_NAMED]]
    away = sum(item.state not in ("online", "resting", "uninstalled", "") for item in items)
    return render_template(
        template,
        items=items,
        form=form,
        names=names,
        more=len(items) - len(names),
        away=away,
        title=_named(items),
        only_copies=all(item.method == "copy" for item in items),
    )


def done(message: str) -> ResponseReturnValue:
    """Tell the page that is open to close its dialogue and to look again."""
    answer = make_response("", 204)
    answer.headers["HX-Trigger"] = json.dumps({"items-done": message})
    return answer
