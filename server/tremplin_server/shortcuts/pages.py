"""The pages of RDP Jump Shortcuts: make, look at, open, change, delete."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import i18n, pages, rest
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid
from tremplin_server.groups import pages as groups
from tremplin_server.groups import service as access
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Permission
from tremplin_server.policies.refusal import PolicyRefusal
from tremplin_server.sessions import policy_gate
from tremplin_server.sessions.checks import MAX_REASON, MAX_TICKET_ID
from tremplin_server.sessions.policy_gate import Asked, Item
from tremplin_server.shortcuts import connecting, service
from tremplin_server.shortcuts.connecting import Connection
from tremplin_server.shortcuts.forms import RdpForm
from tremplin_server.shortcuts.models import RdpShortcut

blp = pages.blueprint("shortcut_pages", __name__)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a shortcut opens, or why it does not."""

    connection: Connection | None = None
    refused: str = ""


@blp.get("/console/shortcuts/new")
def create() -> ResponseReturnValue:
    """Show the form that makes a shortcut."""
    with rest.reading() as work:
        work.actor.require(Permission.CLIENTS_WRITE)
        return render_template("shortcuts/edit.html", form=RdpForm.of(work), shortcut=None)


@blp.post("/console/shortcuts/new")
def created() -> ResponseReturnValue:
    """Make a shortcut."""
    with rest.writing() as work:
        work.actor.require(Permission.CLIENTS_WRITE)
        form = RdpForm.of(work)
        made: list[RdpShortcut] = []
        if form.validate() and pages.attempt(
            work, form, lambda: made.append(service.create(work, form.values(work)))
        ):
            flash(_("The shortcut was made."), "good")
            return redirect(url_for("shortcut_pages.show", number=made[0].id))
        return render_template("shortcuts/edit.html", form=form, shortcut=None), 422


@blp.get("/console/shortcuts/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """Show a shortcut and how to open it."""
    with rest.reading() as work:
        shortcut = service.get(work, number)
        return render_template(
            "shortcuts/show.html",
            shortcut=shortcut,
            group=groups.labels(work, [shortcut])[groups.value_of(shortcut)],
            way=_way(work, shortcut),
            allowed=access.allowed(work, shortcut),
            outlook=policy_gate.outlook(
                work, shortcut.jump_policy_id, Item("shortcut", shortcut.id, shortcut.name)
            ),
        )


@blp.get("/console/shortcuts/<int:number>/edit")
def edit(number: int) -> ResponseReturnValue:
    """Show the form that changes a shortcut."""
    with rest.reading() as work:
        work.actor.require(Permission.CLIENTS_WRITE)
        shortcut = service.get(work, number)
        form = RdpForm.of(work, shortcut)
        return render_template("shortcuts/edit.html", form=form, shortcut=shortcut)


@blp.post("/console/shortcuts/<int:number>/edit")
def edited(number: int) -> ResponseReturnValue:
    """Change a shortcut."""
    with rest.writing() as work:
        shortcut = service.get(work, number)
        form = RdpForm.of(work, shortcut)
        if form.validate() and pages.attempt(
            work, form, lambda: service.update(work, number, form.values(work))
        ):
            flash(_("The shortcut was changed."), "good")
            return redirect(url_for("shortcut_pages.show", number=number))
        return render_template("shortcuts/edit.html", form=form, shortcut=shortcut), 422


@blp.post("/console/shortcuts/<int:number>/delete")
def delete(number: int) -> ResponseReturnValue:
    """Delete a shortcut."""
    with rest.writing() as work:
        service.delete(work, number)
    flash(_("The shortcut was deleted."), "good")
    return redirect(url_for("console_pages.index"))


@blp.post("/console/shortcuts/<int:number>/rdp")
def rdp(number: int) -> ResponseReturnValue:
    """Answer the `.rdp` file of a shortcut."""
    asked = Asked(
        reason=request.form.get("reason", "").strip()[:MAX_REASON],
        ticket_id=request.form.get("ticket_id", "").strip()[:MAX_TICKET_ID],
        code=request.form.get("code", "").strip()[:64],
    )
    try:
        with rest.writing() as work:
            return _file(connecting.opened(work, number, asked))
    except (PolicyRefusal, Invalid) as error:
        flash(error.text(i18n.language()), "wrong")
        return redirect(url_for("shortcut_pages.show", number=number))


def _file(found: Connection) -> Response:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", found.shortcut.name).strip("-.") or "shortcut"
    headers = {"Content-Disposition": f'attachment; filename="{name}.rdp"'}
    # What Windows writes itself; other programs read it, too.
    text = found.rdp.encode("utf-16")
    return Response(text, mimetype="application/x-rdp", headers=headers)


def _way(work: Work, shortcut: RdpShortcut) -> _Way:
    if not connecting.may_open(work, shortcut):
        return _Way(refused=_("You may not open it."))
    try:
        return _Way(connecting.connection(work, shortcut.id))
    except Conflict as error:
        return _Way(refused=error.text(i18n.language()))
