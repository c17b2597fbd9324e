"""The pages of support sessions: the queue, one session, its terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from tremplin_agent.terms import Capability

from tremplin_server import i18n, pages, rest
from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.groups import pages as groups
from tremplin_server.sessions import policy_gate
from tremplin_server.sessions import service as sessions
from tremplin_server.sessions.models import Front
from tremplin_server.sessions.service import Request
from tremplin_server.support import chat, guests, members, pins, service
from tremplin_server.support.forms import PinForm, known_tags
from tremplin_server.support.models import (
    MemberState,
    SupportMember,
    SupportSession,
    SupportState,
)

PORTAL = "/support"

blp = pages.blueprint("support_pages", __name__)


# --- the queue ------------------------------------------------------------------------


@blp.get("/console/support")
def index() -> ResponseReturnValue:
    """Show the queue, and the form that makes a session key."""
    with rest.reading() as work:
        past = service.query(work, state=SupportState.ENDED.value)
        return render_template(
            "support/index.html",
            least=service.LEAST_MINUTES,
            most=service.MOST_MINUTES,
            usual=service.DEFAULT_MINUTES,
            grants=service.GRANTS,
            past=pages.page_of(work, past),
            **_queue(work),
        )


@blp.get("/console/support/queue")
def queue() -> ResponseReturnValue:
    """Answer the queue alone, for a page that is open."""
    with rest.reading() as work:
        return render_template("support/_queue.html", **_queue(work))


def _queue(work: Work) -> dict[str, Any]:
    invited = select(SupportMember.support_id).where(
        SupportMember.user_id == work.actor.id, SupportMember.state == MemberState.INVITED
    )
    return {
        "rows": list(work.session.scalars(service.query(work, live=True))),
        "invited": set(work.session.scalars(invited)),
    }


@blp.post("/console/support")
def create() -> ResponseReturnValue:
    """Make a session key and show it, this once."""
    minutes = request.form.get("valid_minutes", "")
    with rest.writing() as work:
        made = service.create(
            work,
            valid_minutes=int(minutes) if minutes.isdecimal() and len(minutes) < 9 else 0,
            reason=request.form.get("reason", ""),
            wanted=request.form.getlist("permissions"),
        )
        portal = work.config.effective_public_urls[0] + PORTAL
    return render_template(
        "support/created.html", session=made.session, key=made.key, link=made.link, portal=portal
    )


# --- one session ----------------------------------------------------------------------


@blp.get("/console/support/<int:support_id>")
def show(support_id: int) -> ResponseReturnValue:
    """Show a support session."""
    pages.allow_frames()
    with rest.reading() as work:
        shown = _shown(work, support_id)
        form = PinForm.of(work)
        return render_template(
            "support/show.html",
            form=form,
            tags=known_tags(work),
            others=members.candidates(work, shown["session"]),
            **shown,
        )


@blp.get("/console/support/<int:support_id>/side")
def side(support_id: int) -> ResponseReturnValue:
    """Answer the customer's facts and the chat alone, for a page that is open."""
    with rest.reading() as work:
        return render_template("support/_side.html", **_shown(work, support_id))


def _shown(work: Work, support_id: int) -> dict[str, Any]:
    session = service.get(work, support_id)
    may_read = service.may_read(work, session)
    pin = pins.latest(work, session)
    return {
        "session": session,
        "members": service.members(work, session),
        "own": service.member(work, session),
        "inside": service.is_in(work, session),
        "may_read": may_read,
        "lines": list(work.session.scalars(chat.lines(session.id))) if may_read else [],
        "pin": pin,
        "pin_outcome": pins.outcome(pin, i18n.language()) if pin is not None else "",
    }


@blp.post("/console/support/<int:support_id>/say")
def say(support_id: int) -> ResponseReturnValue:
    """Say something, and answer the chat."""
    with rest.writing() as work:
        service.say(work, support_id, request.form.get("text", ""))
    if "HX-Request" in request.headers:
        return side(support_id)
    return redirect(url_for("support_pages.show", support_id=support_id))


@blp.post("/console/support/<int:support_id>/take")
def take(support_id: int) -> ResponseReturnValue:
    """Have a session whose customer waits."""
    return _done(support_id, lambda work: service.take(work, support_id))


@blp.post("/console/support/<int:support_id>/ask")
def ask(support_id: int) -> ResponseReturnValue:
    """Ask the customer again."""
    return _done(support_id, lambda work: service.ask(work, support_id))


@blp.post("/console/support/<int:support_id>/elevate")
def elevate(support_id: int) -> ResponseReturnValue:
    """Ask the customer for the administrator's rights."""
    return _done(support_id, lambda work: service.raise_rights(work, support_id))


@blp.post("/console/support/<int:support_id>/share")
def share(support_id: int) -> ResponseReturnValue:
    """Invite another technician, or hand the session over to one."""
    name = request.form.get("technician", "")
    act = members.transfer if request.form.get("how") == "transfer" else members.invite
    return _done(support_id, lambda work: act(work, support_id, name))


@blp.post("/console/support/<int:support_id>/join")
def join(support_id: int) -> ResponseReturnValue:
    """Come in as invited."""
    return _done(support_id, lambda work: members.join(work, support_id))


@blp.post("/console/support/<int:support_id>/leave")
def leave(support_id: int) -> ResponseReturnValue:
    """Go out of a session that goes on."""
    return _done(support_id, lambda work: members.leave(work, support_id))


@blp.post("/console/support/<int:support_id>/end")
def end(support_id: int) -> ResponseReturnValue:
    """End a session."""
    return _done(support_id, lambda work: service.end(work, support_id))


@blp.post("/console/support/<int:support_id>/pin")
def pin(support_id: int) -> ResponseReturnValue:
    """Ask the customer to have his computer attached as a Jump Client."""
    with rest.reading() as work:
        form = PinForm.of(work)
        if not form.validate():
            wrong = "; ".join(f"{form[k].label.text}: {v[0]}" for k, v in form.errors.items())
            flash(wrong, "wrong")
            return redirect(url_for("support_pages.show", support_id=support_id))
    kind, number = groups.parse(form.jump_group.data) or ("", 0)

    def act(work: Work) -> Any:
        return pins.request(
            work,
            support_id,
            jump_group_type=kind,
            jump_group_id=number,
            tag=form.tag.data or "",
            comments=form.comments.data or "",
            name=form.name.data or "",
        )

    return _done(support_id, act)


def _done(support_id: int, act: Callable[[Work], Any]) -> ResponseReturnValue:
    """Do something with a session and show it, or why it could not be done."""
    try:
        with rest.writing() as work:
            act(work)
    except TremplinError as error:
        if not error.code.startswith(("support.", "pin.", "limit.")) or error.entry.status == 404:
            raise
        text = error.text(i18n.language())
        flash(text[0].upper() + text[1:] + ".", "wrong")
    return redirect(url_for("support_pages.show", support_id=support_id))


# --- its terminal ---------------------------------------------------------------------


@blp.get("/console/support/<int:support_id>/terminal")
def terminal(support_id: int) -> ResponseReturnValue:
    """Show the terminal; its script starts a session when it is told to."""
    with rest.reading() as work:
        host = _host(service.get(work, support_id))
    address = url_for("support_pages.open_terminal", support_id=support_id)
    nonce = pages.style_nonce()
    return render_template(
        "sessions/terminal.html",
        nonce=nonce,
        open_address=address,
        outlook=policy_gate.Outlook(),
        **host,
    )


@blp.post("/console/support/<int:support_id>/terminal")
def open_terminal(support_id: int) -> ResponseReturnValue:
    """Start a session for a terminal and tell the ticket that its WebSocket opens with."""
    asked = Request(
        Front.TERMINAL,
        capabilities=(Capability.SHELL,),
        ports=(),
        reason=request.form.get("reason", "").strip(),
        open=True,
    )
    with rest.writing() as work:
        started = sessions.start(work, -support_id, asked)
    return jsonify(session_id=started.session_id, ticket=started.ticket)


def _host(session: SupportSession) -> dict[str, Any]:
    """Return what the pages of a host's sessions show of it."""
    return {"client": guests.guest_of(session), "state": "online"}
