"""What is done to all Jump Clients that the console's list finds, not to one page of it.

A chunk at a time: each answer is a form that sends itself for the next, so that no request is
long, people see how far it is, and whoever closes the dialogue stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import func, select

from tremplin_server import pages, rest
from tremplin_server.clients import bulk
from tremplin_server.clients.forms import ReasonForm
from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import language
from tremplin_server.jump_items import client_query
from tremplin_server.jump_items.forms import ManyPropertiesForm
from tremplin_server.jump_items.item_pages import done
from tremplin_server.jump_items.pages import view_url
from tremplin_server.jump_items.view import View
from tremplin_server.permissions import Permission

blp = pages.blueprint("whole_pages", __name__)
_FAILURES_SHOWN = 10


@blp.route("/console/all/properties", methods=["GET", "POST"])
def properties() -> ResponseReturnValue:
    """Change the properties of all Jump Clients of a view."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        work.actor.require(Permission.CLIENTS_WRITE)
        form = ManyPropertiesForm.of(work)
        action = bulk.Action.UPDATE
        return _answer(work, form, lambda: bulk.deed(action, form.changes(), ""), "properties")


@blp.route("/console/all/delete", methods=["GET", "POST"])
def delete() -> ResponseReturnValue:
    """Delete all Jump Clients of a view; hosts remove their agents."""
    with rest.writing() if request.method == "POST" else rest.reading() as work:
        work.actor.require(Permission.CLIENTS_DELETE)
        form = ReasonForm()
        action = bulk.Action.DELETE
        return _answer(work, form, lambda: bulk.deed(action, {}, form.reason.data or ""), "delete")


@dataclass(slots=True)
class _Progress:
    """How far it is; the form carries it from one chunk to the next."""

    after: int
    done: int
    total: int
    failed: int
    failures: list[str]

    @classmethod
    def sent(cls) -> _Progress:
        after, done, total, failed = (_number(n) for n in ("after", "done", "total", "failed"))
        return cls(after, done, total, failed, request.form.getlist("failure")[:_FAILURES_SHOWN])

    def add(self, outcome: bulk.Outcome) -> None:
        self.after = outcome.last
        self.done += len(outcome.done)
        self.failed += len(outcome.failed)
        texts = [f"{one.name}: {one.error.text(language())}" for one in outcome.failed]
        self.failures = [*self.failures, *texts][:_FAILURES_SHOWN]


def _number(name: str) -> int:
    text = request.form.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 11 else 0


def _answer(
    work: Work, form: FlaskForm, deed: Callable[[], Callable[[Work, int], object]], kind: str
) -> ResponseReturnValue:
    # In the address alone: the form has fields of the same names.
    found = request.args
    view = View.of(lambda name: found.get(name, "").strip(), found.getlist("in"))
    address = view_url(view, f"whole_pages.{kind}")
    shown: dict[str, Any] = {"form": form, "kind": kind, "view": view, "address": address}
    progress = _Progress.sent()
    if request.method == "POST" and form.validate():
        do: list[Callable[[Work, int], object]] = []
        if pages.attempt(work, form, lambda: do.append(deed())):
            ids, left = _chunk(work, view, progress.after)
            progress.total = progress.total or left
            progress.add(bulk.apply(work, ids, do[0]))
            if left > len(ids):
                return render_template("console/_whole_progress.html", progress=progress, **shown)
            return _over(progress, shown)
    progress.total = _chunk(work, view, 0)[1]
    return render_template("console/_whole.html", progress=progress, **shown)


def _over(progress: _Progress, shown: dict[str, Any]) -> ResponseReturnValue:
    if progress.failed:
        return render_template("console/_whole_failed.html", progress=progress, **shown)
    return done(_("Done: %(count)s Jump Clients.", count=progress.done))


def _chunk(work: Work, view: View, after: int) -> tuple[list[int], int]:
    """Return the next ids of a view, by id, and how many there are from here on."""
    query = client_query.keys(work, view.with_(method=client_query.METHOD, sort="name"))
    if query is None:
        return [], 0
    found = query.order_by(None).subquery()
    behind = found.c.id > after
    count = work.session.scalar(select(func.count()).select_from(found).where(behind)) or 0
    ids = select(found.c.id).where(behind).order_by(found.c.id).limit(bulk.CHUNK)
    return list(work.session.scalars(ids)), count
