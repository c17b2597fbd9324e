"""The pages of Jump Clients: one client, removing it, what was removed."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.clients import copies, measures, service, tombstones
from tremplin_server.clients.copies import AsListed
from tremplin_server.clients.forms import CopyForm, PropertiesForm, ReasonForm
from tremplin_server.clients.lifecycle import State, is_lost
from tremplin_server.clients.models import ClientCopy, JumpClient
from tremplin_server.db import Work
from tremplin_server.groups import pages as groups
from tremplin_server.groups import service as access
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Permission

blp = pages.blueprint("client_pages", __name__)


@blp.route("/console/clients/<int:client_id>", methods=["GET", "POST"])
def show(client_id: int) -> ResponseReturnValue:
    """Show a Jump Client, and change its properties."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        form = _form(work, client_id) if _may_edit(work) else None
        if request.method == "POST":
            work.actor.require(Permission.CLIENTS_WRITE)
            if form and form.validate() and pages.attempt(work, form, lambda: form.save(work)):
                flash(_("Saved."), "good")
                return redirect(url_for("client_pages.show", client_id=client_id))
        return render_template("clients/show.html", form=form, **shown(work, client_id))


@blp.get("/console/clients/<int:client_id>/facts")
def facts(client_id: int) -> ResponseReturnValue:
    """Answer the facts of a Jump Client alone, for a page that is open."""
    with rest.reading() as work:
        return render_template("clients/_facts.html", **shown(work, client_id))


@blp.route("/console/clients/<int:client_id>/delete", methods=["GET", "POST"])
def delete(client_id: int) -> ResponseReturnValue:
    """Ask for a reason, then delete the record; the host removes the agent."""
    form = ReasonForm()
    if form.validate_on_submit():
        with rest.writing() as work:
            name = service.place(work, client_id).name
            if copies.is_copy(client_id):
                copies.remove(work, client_id, form.reason.data or "")
            else:
                service.delete(work, client_id, form.reason.data)
        flash(_("%(name)s was deleted.", name=name), "good")
        return redirect("/console")
    return _removal(client_id, form)


@blp.route("/console/clients/<int:client_id>/uninstall", methods=["GET", "POST"])
def uninstall(client_id: int) -> ResponseReturnValue:
    """Ask for a reason, then order the host to remove the agent; the record waits for it."""
    form = ReasonForm()
    if form.validate_on_submit():
        with rest.writing() as work:
            service.uninstall(work, client_id, form.reason.data)
        flash(_("The host was told to uninstall."), "good")
        return redirect(url_for("client_pages.show", client_id=client_id))
    return _removal(client_id, form)


@blp.get("/console/removed")
def tombstones_page() -> ResponseReturnValue:
    """Show what was deleted, and whether the hosts have confirmed it."""
    chosen = pages.filters("open")
    with rest.reading() as work:
        query = tombstones.query(work, open_only=bool(chosen))
        page = pages.page_of(work, query)
        return render_template("clients/tombstones.html", chosen=chosen, page=page)


@blp.post("/console/removed/<int:tombstone_id>/close")
def close_tombstone(tombstone_id: int) -> ResponseReturnValue:
    """Close a tombstone by hand: the host will never come back."""
    with rest.writing() as work:
        tombstones.close(work, tombstone_id)
    flash(_("Closed."), "good")
    return redirect(url_for("client_pages.tombstones_page", open="1"))


def _form(work: Work, client_id: int) -> PropertiesForm | CopyForm:
    found = service.place(work, client_id)
    if isinstance(found, ClientCopy):
        return CopyForm.of(work, found)
    return PropertiesForm.of(work, found)


def _label(work: Work, client: JumpClient | copies.AsListed) -> str:
    state = State(client.state)
    lost = is_lost(state, client.last_seen, work.now(), work.config.lost_days)
    return "lost" if lost else state.value


def shown(work: Work, client_id: int) -> dict[str, Any]:
    """Return what every page of one Jump Client shows of it."""
    client = service.listed(work, client_id)
    return {
        "client": client,
        "is_copy": copies.is_copy(client_id),
        "host_id": client.host_id if isinstance(client, copies.AsListed) else client.id,
        "state": _label(work, client),
        "group": groups.labels(work, [client])[groups.value_of(client)],
        "allowed": access.allowed(work, client),
        "listens": _listens(client),
        "measures": measures.measures(client.statistics),
        "statistics": measures.figures(client.statistics),
    }


def _listens(client: JumpClient | AsListed) -> str:
    """Return where a passive client is woken, or why it cannot be."""
    listening = client.listening or {}
    if not listening.get("port"):
        return str(listening.get("fault") or "")
    where = ", ".join(listening.get("addresses", ()))
    return str(_("port %(port)s: %(where)s", port=listening["port"], where=where))


def _may_edit(work: Work) -> bool:
    return work.actor.may(Permission.CLIENTS_WRITE)


def _removal(client_id: int, form: ReasonForm) -> ResponseReturnValue:
    with rest.reading() as work:
        work.actor.require(Permission.CLIENTS_DELETE)
        return render_template("clients/remove.html", form=form, **shown(work, client_id))
