"""The pages of sessions: the terminal tab, what was done, recordings and their player."""

from __future__ import annotations

from dataclasses import dataclass

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from tremplin_agent.terms import Capability

from tremplin_server import i18n, pages, rest
from tremplin_server.accounts.pages import local_path
from tremplin_server.clients import pages as client_pages
from tremplin_server.db import Work
from tremplin_server.errors import CATALOGUE, Denied, NotFound, TremplinError
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Permission
from tremplin_server.sessions import (
    file_orders,
    listing,
    policy_gate,
    recordings,
    returning,
    service,
)
from tremplin_server.sessions.api import recording_answer
from tremplin_server.sessions.models import Front, JumpSession, SessionRecording, SessionState
from tremplin_server.sessions.service import Request

blp = pages.blueprint("session_pages", __name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list. ending: why it is over, in the reader's language."""

    session: JumpSession
    ending: str
    recordings: list[SessionRecording]
    may_watch: bool
    may_end: bool


# --- the terminal ---------------------------------------------------------------------


@blp.get("/console/clients/<int:client_id>/terminal")
def terminal(client_id: int) -> ResponseReturnValue:
    """Show the terminal tab; its script starts a session when it is told to."""
    with rest.reading() as work:
        file_orders.require_host(work, client_id)
        shown = client_pages.shown(work, client_id)
        outlook = policy_gate.of_client(work, shown["client"], shown["host_id"])
    return render_template(
        "sessions/terminal.html",
        nonce=pages.style_nonce(),
        open_address=url_for("session_pages.open_terminal", client_id=client_id),
        outlook=outlook,
        **shown,
    )


@blp.post("/console/clients/<int:client_id>/terminal")
def open_terminal(client_id: int) -> ResponseReturnValue:
    """Start a session for a terminal and tell the ticket that its WebSocket opens with."""
    asked = Request(
        Front.TERMINAL,
        capabilities=(Capability.SHELL,),
        ports=(),
        reason=request.form.get("reason", "").strip(),
        open=True,
        ticket_id=request.form.get("ticket_id", "").strip(),
        code=request.form.get("code", "").strip()[:64],
    )
    with rest.writing() as work:
        started = service.start(work, client_id, asked)
    return jsonify(session_id=started.session_id, ticket=started.ticket)


@blp.post("/console/sessions/<string(length=32):session_id>/return")
def return_to_terminal(session_id: str) -> ResponseReturnValue:
    """Tell a ticket for a page whose link broke."""
    with rest.reading() as work:
        return jsonify(session_id=session_id, ticket=returning.issue(work, session_id))


# --- what was done --------------------------------------------------------------------


@blp.get("/console/sessions")
def index() -> ResponseReturnValue:
    """Show the sessions that the reader sees, newest first."""
    chosen = pages.filters("state", "front", "user")
    if chosen.get("state") not in (None, *SessionState):
        del chosen["state"]
    if chosen.get("front") not in (None, *Front):
        del chosen["front"]
    with rest.reading() as work:
        return render_template(
            "sessions/index.html", chosen=chosen, page=_listed(work, None, **chosen)
        )


@blp.get("/console/clients/<int:client_id>/sessions")
def of_client(client_id: int) -> ResponseReturnValue:
    """Show the sessions on one Jump Client and what was recorded in them."""
    with rest.reading() as work:
        shown = client_pages.shown(work, client_id)
        page = _listed(work, client_id)
        return render_template("sessions/of_client.html", page=page, **shown)


@blp.post("/console/sessions/<string(length=32):session_id>/end")
def end(session_id: str) -> ResponseReturnValue:
    """End a session, wherever it runs."""
    with rest.writing() as work:
        service.end(work, session_id)
    flash(_("The session was ended."), "good")
    return redirect(local_path(request.form.get("next", "")))


@blp.get("/console/sessions/<string(length=32):session_id>/recordings/<int:number>")
def recording(session_id: str, number: int) -> ResponseReturnValue:
    """Show a recording in the player."""
    with rest.reading() as work:
        row = _row(work, listing.get(work, session_id))
        if not row.may_watch:
            raise Denied("auth.denied", permission=Permission.AUDIT_READ.value)
        found = next((one for one in row.recordings if one.number == number), None)
        if found is None:
            raise NotFound("session.no_recording", number=number)
    pages.allow_wasm()
    return render_template("sessions/recording.html", row=row, recording=found)


@blp.get("/console/sessions/<string(length=32):session_id>/recordings/<int:number>/cast")
def cast(session_id: str, number: int) -> ResponseReturnValue:
    """Send a recording: asciicast v2. That somebody else watches is audited."""
    with rest.writing() as work:
        path = recordings.open_file(work, session_id, number)
    answer = recording_answer(path)
    if "download" in request.args:
        name = f"{session_id}.{number}.cast"
        answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer


def _listed(work: Work, client_id: int | None, **chosen: str) -> pages.Page:
    query = listing.query(work, client_id=client_id, **chosen)
    found = pages.page_of(work, query)
    kept = _recordings(work, [session.id for session in found.rows])
    rows = [_row(work, session, kept.get(session.id, [])) for session in found.rows]
    return pages.Page(rows, found.number, found.last, found.total)


def _recordings(work: Work, session_ids: list[str]) -> dict[str, list[SessionRecording]]:
    query = select(SessionRecording).where(SessionRecording.session_id.in_(session_ids))
    kept: dict[str, list[SessionRecording]] = {}
    for one in work.session.scalars(query.order_by(SessionRecording.number)):
        kept.setdefault(one.session_id, []).append(one)
    return kept


def _row(work: Work, session: JumpSession, kept: list[SessionRecording] | None = None) -> Row:
    if kept is None:
        kept = _recordings(work, [session.id]).get(session.id, [])
    own = listing.is_own(work, session)
    ends = own or work.actor.may(Permission.GROUPS_WRITE)
    return Row(
        session=session,
        ending=_ending(session.end_code),
        recordings=kept,
        may_watch=own or work.actor.may(Permission.AUDIT_READ),
        may_end=ends
        and work.actor.may(Permission.SESSIONS_START)
        and session.state != SessionState.ENDED,
    )


def _ending(code: str) -> str:
    """Return why a session is over; nothing for a plain end."""
    if code in ("", "session.ended") or code not in CATALOGUE:
        return ""
    try:
        text = TremplinError(code).text(i18n.language())
    except KeyError:
        # The words of some refusals want values that the session does not keep.
        return code
    return text[0].upper() + text[1:]
