"""The pages of installers: list, form, one installer, download, revoke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from tremplin_server import pages, rest
from tremplin_server.db import Work
from tremplin_server.errors import Denied
from tremplin_server.groups import pages as groups
from tremplin_server.groups import service as group_service
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import language
from tremplin_server.installers import links, mailing, service
from tremplin_server.installers.commands import Commands, commands
from tremplin_server.installers.forms import ExtendForm, InstallerForm, SendForm
from tremplin_server.installers.link_pages import answer
from tremplin_server.installers.models import Installer
from tremplin_server.installers.visitor import platform_of
from tremplin_server.mail import service as mail
from tremplin_server.permissions import ItemPermission, Permission

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
        rows = [
            Row(row, service.state(work, row), labels[groups.value_of(row)]) for row in found.rows
        ]
        page = pages.Page(rows, found.number, found.last, found.total)
        return render_template("installers/index.html", page=page)


@blp.get("/login/jump-clients/new")
def create() -> ResponseReturnValue:
    """Show the form that makes an installer."""
    with rest.reading() as work:
        work.actor.require(Permission.INSTALLERS_WRITE)
        return render_template("installers/create.html", form=_fresh(work))


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
    return answer(found)


@blp.post("/login/jump-clients/<int:number>/revoke")
def revoke(number: int) -> ResponseReturnValue:
    """End an installer; the Jump Clients that it made stay."""
    with rest.writing() as work:
        service.revoke(work, number)
    flash(_("The installer was revoked."), "good")
    return redirect(url_for("installer_pages.show", number=number))


@blp.post("/login/jump-clients/<int:number>/extend")
def extend(number: int) -> ResponseReturnValue:
    """Make an installer last longer, or for more machines."""
    with rest.writing() as work:
        form = ExtendForm()
        values = {"valid_duration": form.valid_duration.data, "max_uses": form.max_uses.data}
        if form.validate() and pages.attempt(
            work, form, lambda: service.extend(work, number, **values)
        ):
            flash(_("The installer was extended."), "good")
            return redirect(url_for("installer_pages.show", number=number))
        return _shown(work, service.get(work, number), extending=form), 422


@blp.post("/login/jump-clients/<int:number>/send")
def send(number: int) -> ResponseReturnValue:
    """Send the installer's link by e-mail, to several at once."""
    with rest.writing() as work:
        form = SendForm()
        values = {name: form[name].data or "" for name in ("recipients", "language", "note")}
        counts: list[int] = []
        if form.validate() and pages.attempt(
            work, form, lambda: counts.append(mailing.send(work, number, **values))
        ):
            flash(_("Messages on their way: %(count)s.", count=counts[0]), "good")
            return redirect(url_for("installer_pages.show", number=number))
        return _shown(work, service.get(work, number), sending=form), 422


def _fresh(work: Work) -> InstallerForm:
    """Return the form of a new installer, for the visitor's own kind of machine."""
    form = InstallerForm.of(work)
    form.platform.data = platform_of(request.user_agent.string)
    return form


def _shown(
    work: Work,
    installer: Installer,
    key_info: str = "",
    *,
    extending: ExtendForm | None = None,
    sending: SendForm | None = None,
) -> str:
    state = service.state(work, installer)
    gives = state == "valid" and _may_hand_out(work, installer)
    said: Commands | None = None
    if gives:
        owner = group_service.owner(work, installer.jump_group_type, installer.jump_group_id)
        said = commands(installer, owner.label, key_info)
    url = work.config.effective_public_urls[0]
    values: dict[str, Any] = {
        "installer": installer,
        "state": state,
        "link": url + links.path(work, installer) if gives else "",
        "letters": work.session.scalars(mail.about("installer", installer.id).limit(50)).all(),
        "mail_on": bool(work.config.smtp_host),
        "extending": extending or ExtendForm(formdata=None),
        "sending": sending
        or SendForm(
            formdata=None, data={"recipients": installer.recipients, "language": language()}
        ),
        "page": pages.page_of(work, service.uses(work, installer.id)),
        "facts": InstallerForm.showing(work, installer).facts(),
        "key_info": key_info,
        "commands": said,
    }
    return render_template("installers/show.html", **values)


def _may_hand_out(work: Work, installer: Installer) -> bool:
    if not work.actor.may(Permission.INSTALLERS_WRITE):
        return False
    try:
        group_service.require_item(work, installer, ItemPermission.ADD)
    except Denied:
        return False
    return True
