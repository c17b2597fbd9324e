"""The pages of installers: list, form, one installer, download, revoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.db import Work
from tremplin_server.groups import pages as groups
from tremplin_server.groups import service as group_service
from tremplin_server.i18n import gettext as _
from tremplin_server.installers import service
from tremplin_server.installers.commands import Commands, commands
from tremplin_server.installers.forms import InstallerForm
from tremplin_server.installers.models import Installer
from tremplin_server.permissions import Permission

blp = pages.blueprint("installer_pages", __name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list. state: valid, expired, exhausted or revoked."""

    installer: Installer
    state: str
    group: str


@blp.get("/login/jump-clients")
def index() -> ResponseReturnValue:
    """Show the installers that the user sees, newest first."""
    with rest.reading() as work:
        found = pages.page_of(work, service.query(work))
        labels = groups.labels(work, found.rows)
        rows = [Row(row, state_of(work, row), labels[groups.value_of(row)]) for row in found.rows]
        page = pages.Page(rows, found.number, found.last, found.total)
        return render_template("installers/index.html", page=page)


@blp.get("/login/jump-clients/new")
def create() -> ResponseReturnValue:
    """Show the form that makes an installer."""
    with rest.reading() as work:
        work.actor.require(Permission.INSTALLERS_WRITE)
        return render_template("installers/create.html", form=InstallerForm.of(work))


@blp.post("/login/jump-clients/new")
def created() -> ResponseReturnValue:
    """Make an installer and show its key info, which nobody can see again."""
    with rest.writing() as work:
        work.actor.require(Permission.INSTALLERS_WRITE)
        form = InstallerForm.of(work)
        made: list[service.Created] = []
        if form.validate() and pages.attempt(
            work, form, lambda: made.append(service.create(work, form.values()))
        ):
            return _shown(work, made[0].installer, made[0].key_info), 201
        return render_template("installers/create.html", form=form), 422


@blp.get("/login/jump-clients/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """Show an installer and the history of its uses."""
    with rest.reading() as work:
        return _shown(work, service.get(work, number))


@blp.post("/login/jump-clients/<int:number>/download")
def download(number: int) -> ResponseReturnValue:
    """Answer the payload of the installer's platform with its key info stamped in."""
    with rest.writing() as work:
        installer = service.get(work, number)
        found = service.download(work, installer.installer_id, installer.platform)
    headers = {
        "Content-Disposition": f'attachment; filename="{found.filename}"',
        "Content-Length": str(found.size),
    }
    return Response(found.chunks, mimetype="application/octet-stream", headers=headers)


@blp.post("/login/jump-clients/<int:number>/revoke")
def revoke(number: int) -> ResponseReturnValue:
    """End an installer; the Jump Clients that it made stay."""
    with rest.writing() as work:
        service.revoke(work, number)
    flash(_("The installer was revoked."), "good")
    return redirect(url_for("installer_pages.show", number=number))


def state_of(work: Work, installer: Installer) -> str:
    """Return valid, expired, exhausted or revoked."""
    if installer.revoked_at is not None:
        return "revoked"
    if installer.expires_at <= work.now():
        return "expired"
    if installer.max_uses is not None and installer.uses >= installer.max_uses:
        return "exhausted"
    return "valid"


def _shown(work: Work, installer: Installer, key_info: str = "") -> str:
    said: Commands | None = None
    if key_info:
        owner = group_service.owner(work, installer.jump_group_type, installer.jump_group_id)
        said = commands(installer, owner.label, key_info)
    values: dict[str, Any] = {
        "installer": installer,
        "state": state_of(work, installer),
        "page": pages.page_of(work, service.uses(work, installer.id)),
        "facts": InstallerForm.showing(work, installer).facts(),
        "key_info": key_info,
        "commands": said,
    }
    return render_template("installers/show.html", **values)
