"""The page of requests for approval: those to decide, one's own, what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from tremplin_server import pages, rest
from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.sessions import approvals
from tremplin_server.sessions.approval_models import ApprovalState, JumpApproval

blp = pages.blueprint("approval_pages", __name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    approval: JumpApproval
    state: str
    own: bool


@blp.get("/console/approvals")
def index() -> ResponseReturnValue:
    """Show the requests that wait for the reader, and the others that he sees."""
    with rest.reading() as work:
        return render_template("sessions/approvals.html", **_shown(work))


@blp.get("/console/approvals/lists")
def lists() -> ResponseReturnValue:
    """Answer the lists alone, for a page that is open."""
    with rest.reading() as work:
        return render_template("sessions/_approvals.html", **_shown(work))


@blp.get("/console/approvals/count")
def count() -> ResponseReturnValue:
    """Answer how many wait for the reader, for the head of every page."""
    with rest.reading() as work:
        counted = select(func.count()).select_from(approvals.waiting(work).subquery())
        return render_template(
            "sessions/_approval_count.html", waiting=work.session.scalar(counted) or 0
        )


@blp.post("/console/approvals/<int:approval_id>/approve")
def approve(approval_id: int) -> ResponseReturnValue:
    """Approve a request."""
    return _decided(lambda work, why: approvals.approve(work, approval_id, why), _("Approved."))


@blp.post("/console/approvals/<int:approval_id>/deny")
def deny(approval_id: int) -> ResponseReturnValue:
    """Deny a request."""
    return _decided(lambda work, why: approvals.deny(work, approval_id, why), _("Denied."))


@blp.post("/console/approvals/<int:approval_id>/withdraw")
def withdraw(approval_id: int) -> ResponseReturnValue:
    """Take one's own request back."""
    return _decided(lambda work, _why: approvals.withdraw(work, approval_id), _("Withdrawn."))


def _decided(act: Callable[[Work, str], Any], done: str) -> ResponseReturnValue:
    comment = request.form.get("comment", "")
    with rest.writing() as work:
        if pages.attempt(work, None, lambda: act(work, comment)):
            flash(done, "good")
    return redirect(url_for("approval_pages.index"))


def _shown(work: Work) -> dict[str, Any]:
    waiting = list(work.session.scalars(approvals.waiting(work)))
    numbers = [one.id for one in waiting]
    page = pages.page_of(work, approvals.query(work).where(JumpApproval.id.not_in(numbers)))
    rows = [
        Row(one, approvals.state_of(one, work.now()), approvals.is_own(work, one))
        for one in page.rows
    ]
    return {
        "waiting": waiting,
        "page": pages.Page(rows, page.number, page.last, page.total),
        "pending": ApprovalState.PENDING.value,
    }
