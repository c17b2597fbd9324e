"""The pages of pushes: the form, and a push with its hosts as it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from flask import Flask, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import i18n, pages, rest
from tremplin_server.db import Work
from tremplin_server.errors import CATALOGUE, TremplinError
from tremplin_server.i18n import gettext as _
from tremplin_server.installers import payload as payloads
from tremplin_server.permissions import Permission
from tremplin_server.push import service, words
from tremplin_server.push.forms import PushForm, wanted_of
from tremplin_server.push.host import Job, Order
from tremplin_server.push.models import FINAL, HostState, PushHost, PushRun
from tremplin_server.push.plan import Outcome, Step
from tremplin_server.push.runner import Ordered, Runner

RUNNER = "tremplin-push-runner"
"""Under which the application keeps its `Runner`."""
RECENT = 10
_STEPS = (
    Step.CONNECTING,
    Step.LOOKING,
    Step.UPLOADING,
    Step.INSTALLING,
    Step.ENROLLING,
    Step.COMING_ONLINE,
)
_KEY_FILES = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}

blp = pages.blueprint("push_pages", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of a push. state: also `broken`. text: step, result or error, in words.

    share: how far it is, 0 to 1. changed_key: it has another key than in an earlier push.
    compare: the command that tells a host's key on the host itself.
    """

    host: PushHost
    state: str
    text: str
    share: float
    changed_key: bool = False
    compare: str = ""


def register(app: Flask) -> None:
    """Let `app` run pushes."""
    app.extensions[RUNNER] = Runner(app.extensions[rest.EXTENSION])


@blp.get("/login/jump-clients/push")
def create() -> ResponseReturnValue:
    """Show the form; `again` fills it with an earlier push."""
    with rest.reading() as work:
        work.actor.require(Permission.INSTALLERS_WRITE)
        again = request.args.get("again", "")
        data: dict[str, Any] = {}
        if again.isdecimal() and len(again) < 10:
            data = _data_of(work, service.get(work, int(again)))
        return _form_page(work, PushForm.of(work, data))


@blp.post("/login/jump-clients/push")
def start() -> ResponseReturnValue:
    """Begin a push."""
    with rest.writing() as work:
        work.actor.require(Permission.INSTALLERS_WRITE)
        form = PushForm.of(work)
        begun: list[Ordered] = []
        if form.validate() and pages.attempt(
            work, form, lambda: begun.append(_ordered(work, form))
        ):
            work.commit()
            cast(Runner, current_app.extensions[RUNNER]).start(begun[0])
            return redirect(url_for("push_pages.show", number=begun[0].run_id))
        return _form_page(work, form), 422


@blp.get("/login/jump-clients/push/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """Show a push; the part that changes when htmx asks for it."""
    with rest.reading() as work:
        run = service.get(work, number)
        now = work.now()
        lines = [_shown(work, run, host) for host in service.hosts(work, run)]
    through = sum(line.state in FINAL for line in lines)
    values = {
        "run": run,
        "lines": lines,
        "through": through,
        "failed": sum(line.state == HostState.FAILED for line in lines),
        "is_open": service.is_open(run, now),
        "is_broken": service.is_broken(run, now),
    }
    part = "HX-Request" in request.headers
    return render_template("push/_parts.html" if part else "push/show.html", **values)


@blp.post("/login/jump-clients/push/<int:number>/cancel")
def cancel(number: int) -> ResponseReturnValue:
    """End a push."""
    with rest.writing() as work:
        service.cancel(work, number)
    flash(_("The push is being cancelled; a step that runs is finished first."), "careful")
    return redirect(url_for("push_pages.show", number=number))


@blp.post("/login/jump-clients/push/<int:number>/hosts/<int:host_id>/accept")
def accept(number: int, host_id: int) -> ResponseReturnValue:
    """Take the key that a host showed for its own."""
    with rest.writing() as work:
        fingerprint = request.form.get("fingerprint", "")
        pages.attempt(work, None, lambda: service.accept_key(work, number, host_id, fingerprint))
    return redirect(url_for("push_pages.show", number=number))


def _ordered(work: Work, form: PushForm) -> Ordered:
    """Write the push down; the secrets go into what is returned only."""
    aims, access = form.aims(), form.access()
    kept = form.wanted()
    wanted = wanted_of(kept)
    run = service.start(work, list(aims), kept)
    ids = {host.external_id: host.id for host in service.hosts(work, run)}
    return Ordered(
        run_id=run.id,
        actor=work.actor,
        jobs={
            ids[aim.external_id]: Job(aim.target, aim.external_id, target)
            for aim, target in aims.items()
        },
        order=Order(
            wanted=wanted, payload=partial(payloads.payload, work.config), online_install=True
        ),
        access=access,
        known_keys={
            ids[aim.external_id]: tuple(service.known_keys(work, aim.address)[:1]) for aim in aims
        },
    )


def _data_of(work: Work, run: PushRun) -> dict[str, Any]:
    kept = dict(run.wanted)
    group = f"{kept.pop('jump_group_type')}:{kept.pop('jump_group_id')}"
    targets = "\n".join(host.target for host in service.hosts(work, run))
    for name in ("jump_policy_id", "session_policy_id"):
        kept[name] = kept.get(name) or 0
    return {**kept, "hosts": targets, "jump_group": group}


def _form_page(work: Work, form: PushForm) -> str:
    recent = work.session.scalars(service.query(work).limit(RECENT)).all()
    now = work.now()
    rows = [
        {
            "run": run,
            "hosts": service.hosts(work, run),
            "is_open": service.is_open(run, now),
            "is_broken": service.is_broken(run, now),
        }
        for run in recent
    ]
    return render_template("push/create.html", form=form, rows=rows)


def _shown(work: Work, run: PushRun, host: PushHost) -> Shown:
    spoken = i18n.language()
    state = host.state
    if state not in FINAL and service.is_broken(run, work.now()):
        text = TremplinError("push.broken_off").text(spoken)
        return Shown(host, "broken", text, _share(host))
    if state == HostState.DONE:
        said = words.outcome(Outcome(host.outcome), spoken)
        why = words.reason(host.reason, spoken)
        return Shown(host, state, f"{said} ({why})" if why else said, 1)
    if host.error_code:
        return Shown(host, state, _error(host).text(spoken), _share(host))
    if state == HostState.ASKING:
        earlier = service.known_keys(work, host.address, run.id)
        changed = bool(earlier) and host.fingerprint not in earlier
        kind = _KEY_FILES.get(host.key_kind, "ecdsa")
        compare = f"ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub"
        return Shown(host, state, "", _share(host), changed, compare)
    step = words.step(Step(host.step), spoken) if host.step else words.waiting(spoken)
    return Shown(host, state, step, _share(host))


def _share(host: PushHost) -> float:
    known = [step.value for step in _STEPS]
    return (known.index(host.step) + 1) / (len(known) + 1) if host.step in known else 0


def _error(host: PushHost) -> TremplinError:
    """Return the error that ended the push to a host, as this version of the program says it."""
    try:
        if host.error_code in CATALOGUE:
            return TremplinError(host.error_code, **host.error_detail)
    except KeyError:
        # An older version gave this error other values.
        pass
    return TremplinError("push.host", host=host.target, detail=host.error_code)
