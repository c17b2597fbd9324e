"""The pages of the reports."""

from __future__ import annotations

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound as NoPage

from tremplin_server import pages, rest
from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.reports import service

blp = pages.blueprint("report_pages", __name__)
CHART_HEIGHT = 80


def _words() -> dict[str, str]:
    return {
        "sessions": _("Sessions"),
        "clients": _("Jump Client history"),
        "deployments": _("Deployments"),
        "audit": _("Audit"),
    }


def _heads(kind: str) -> list[str]:
    known = {
        "when": _("When"),
        "who": _("Who"),
        "client": _("Jump Client"),
        "way": _("Way"),
        "state": _("State"),
        "ended": _("Ended"),
        "reason": _("Reason"),
        "from": _("From"),
        "action": _("Action"),
        "detail": _("Details"),
        "host": _("Host"),
        "installer": _("Installer"),
        "result": _("Result"),
        "subject": _("On"),
    }
    return [known[name] for name in service.HEADS[kind]]


@blp.get("/login/reports")
def index() -> ResponseReturnValue:
    """Show the sessions' report."""
    return show("sessions")


@blp.get("/login/reports/<kind>")
def show(kind: str) -> ResponseReturnValue:
    """Show a report: how many a day, and its rows."""
    with rest.reading() as work:
        within = _asked(work, kind)
        days = service.per_day(work, kind, within)
        return render_template(
            "reports/index.html",
            kind=kind,
            kinds=[(name, _words()[name]) for name in service.kinds(work)],
            heads=_heads(kind),
            span=within,
            days=days,
            most=max(count for _day, count in days) or 1,
            height=CHART_HEIGHT,
            page=pages.page_of(work, service.query(work, kind, within)),
        )


@blp.get("/login/reports/<kind>.csv")
def file(kind: str) -> ResponseReturnValue:
    """Answer a report as CSV."""
    with rest.reading() as work:
        within = _asked(work, kind)
        text = service.as_csv(work, kind, within)
    name = f"{kind}-{within.first}-{within.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, mimetype="text/csv", headers=headers)


def _asked(work: Work, kind: str) -> service.Span:
    if kind not in service.KINDS:
        raise NoPage
    first, last = (request.args.get(name, "").strip() for name in ("first", "last"))
    return service.span(first, last, work.now().date())
