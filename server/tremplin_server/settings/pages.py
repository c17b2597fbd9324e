"""The page of the settings of Jump Clients."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField
from wtforms.validators import InputRequired, NumberRange

from tremplin_server import pages, rest
from tremplin_server.config import least, most
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.permissions import Permission
from tremplin_server.settings import service
from tremplin_server.settings.overlay import EXTENSION as OVERLAY
from tremplin_server.settings.overlay import Overlay

blp = pages.blueprint("setting_pages", __name__)


def _number(name: str, label: Any, description: Any = "") -> IntegerField:
    checks = [InputRequired(), NumberRange(least(name), most(name))]
    return IntegerField(label, checks, description=description)


class SettingsForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What the site does with its Jump Clients, and how many there may be."""

    lost_days = _number("lost_days", _l("Called lost after days without contact"))
    delete_days = _number(
        "delete_days",
        _l("Removed after days without contact"),
        _l("At least 15. The agent removes itself, too."),
    )
    statistics_seconds = _number("statistics_seconds", _l("Seconds between two statistics"))
    check_in_seconds = _number(
        "check_in_seconds",
        _l("Seconds between two check-ins of a passive Jump Client"),
        _l("It keeps no connection in between, and listens for the server's call."),
    )
    wake_port = _number(
        "wake_port",
        _l("Port on which passive Jump Clients listen"),
        _l("This server must reach it on their hosts; they hear of it at their next check-in."),
    )
    uninstalled_records = SelectField(
        _l("Jump Clients uninstalled on their host"),
        choices=pages.options([("keep", _l("Stay in the list")), ("remove", _l("Are removed"))]),
    )
    limit_clients = _number("limit_clients", _l("Most Jump Clients"), _l("0 is no limit."))
    limit_active_clients = _number(
        "limit_active_clients", _l("Most active Jump Clients"), _l("0 is no limit.")
    )
    limit_technicians = _number(
        "limit_technicians", _l("Most technicians signed in"), _l("0 is no limit.")
    )
    session_starts_at_once = _number(
        "session_starts_at_once", _l("Most sessions starting at once"), _l("0 is no limit.")
    )


@blp.get("/login/jump-clients/settings")
def show() -> ResponseReturnValue:
    """Show the settings."""
    with rest.reading() as work:
        shown = service.settings(work, _overlay().fixed)
        form = SettingsForm(formdata=None, data={one.name: one.value for one in shown})
        return _page(form, work.actor.may(Permission.ACCOUNTS_WRITE))


@blp.post("/login/jump-clients/settings")
def change() -> ResponseReturnValue:
    """Change the settings."""
    fixed = _overlay().fixed
    with rest.writing() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        form = SettingsForm(data={one.name: one.value for one in service.settings(work, fixed)})
        for name in fixed:
            # Read-only fields are not sent by every browser; what stands fast needs no check.
            if name in form:
                del form[name]
        values = {field.name: field.data for field in form if field.name in service.NAMES}
        if not form.validate() or not pages.attempt(
            work, form, lambda: service.change(work, values, fixed)
        ):
            return _page(form, True), 422
    _overlay().forget()
    flash(_("The settings were saved."), "good")
    return redirect(url_for("setting_pages.show"))


def _overlay() -> Overlay:
    return cast(Overlay, current_app.extensions[OVERLAY])


def _page(form: SettingsForm, may_change: bool) -> str:
    fixed = _overlay().fixed
    return render_template("settings/index.html", form=form, fixed=fixed, may_change=may_change)
