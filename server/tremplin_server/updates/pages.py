"""The page of updates: the policy, how the fleet stands, and what became of each."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, NumberRange
from wtforms.widgets import CheckboxInput

from tremplin_server import pages, rest
from tremplin_server.clients.models import JumpClient
from tremplin_server.config import least, most
from tremplin_server.db import Work
from tremplin_server.errors import CATALOGUE, TremplinError
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import language
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.permissions import Permission
from tremplin_server.settings import service as settings
from tremplin_server.settings.overlay import EXTENSION as OVERLAY
from tremplin_server.settings.overlay import Overlay
from tremplin_server.updates import service
from tremplin_server.updates.policy import DAYS

blp = pages.blueprint("update_pages", __name__)


class PolicyForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """When agents are updated without anybody asking."""

    update_mode = SelectField(
        _l("Update by itself"),
        choices=pages.options(
            [
                ("off", _l("Never")),
                ("this_version", _l("To this version")),
                ("always", _l("To the version of this server")),
            ]
        ),
    )
    update_version = StringField(_l("This version"), [Length(max=32)])
    update_days = SelectMultipleField(
        _l("On these days"),
        [InputRequired()],
        option_widget=CheckboxInput(),
        choices=pages.options(
            [
                ("mon", _l("Monday")),
                ("tue", _l("Tuesday")),
                ("wed", _l("Wednesday")),
                ("thu", _l("Thursday")),
                ("fri", _l("Friday")),
                ("sat", _l("Saturday")),
                ("sun", _l("Sunday")),
            ]
        ),
    )
    update_from = StringField(_l("From"), [InputRequired()], description=_l("Such as 22:00."))
    update_until = StringField(
        _l("Until"), [InputRequired()], description=_l("Such as 06:00, which is the next day then.")
    )
    update_zone = StringField(
        _l("Time zone"), [InputRequired()], description=_l("Such as Europe/Paris.")
    )
    update_concurrent = IntegerField(
        _l("Agents at once"),
        [InputRequired(), NumberRange(least("update_concurrent"), most("update_concurrent"))],
    )
    update_bandwidth = IntegerField(
        _l("Bytes per second for all of them"),
        [InputRequired(), NumberRange(0, most("update_bandwidth"))],
        description=_l("0 is no limit."),
    )

    def values(self) -> dict[str, Any]:
        """Return the settings of the fields that are there."""
        found = {field.name: field.data for field in self if field.name in settings.NAMES}
        if "update_days" in found:
            found["update_days"] = ",".join(day for day in DAYS if day in found["update_days"])
        return found

    def validate(self, *arguments: Any, **named: Any) -> bool:
        """Check the fields, and that a version is named where one is meant."""
        good = bool(super().validate(*arguments, **named))
        if "update_version" not in self or "update_mode" not in self:
            return good
        if self.update_mode.data == "this_version" and not self.update_version.data:
            self.update_version.errors = [_("Name the version.")]
            return False
        return good


@blp.get("/login/jump-clients/updates")
def show() -> ResponseReturnValue:
    """Show the policy and how the fleet stands."""
    with rest.reading() as work:
        return _page(work, _form(work, formdata=None))


@blp.post("/login/jump-clients/updates")
def change() -> ResponseReturnValue:
    """Change the policy."""
    fixed = _overlay().fixed
    with rest.writing() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        form = _form(work)
        for name in fixed:
            if name in form:
                del form[name]
        if not form.validate() or not pages.attempt(
            work, form, lambda: settings.change(work, form.values(), fixed)
        ):
            return _page(work, form), 422
    _overlay().forget()
    flash(_("The settings were saved."), "good")
    return redirect(url_for("update_pages.show"))


@blp.post("/login/jump-clients/updates/all")
def update_all() -> ResponseReturnValue:
    """Order the update of everything that is outdated."""
    with rest.writing() as work:
        asked = service.order_all(work)
    able = sum(not one.code for one in asked)
    flash(_("Updates ordered: %(count)s.", count=able), "good")
    if able < len(asked):
        flash(_("Not possible: %(count)s.", count=len(asked) - able), "bad")
    return redirect(url_for("update_pages.show"))


def reason(code: str) -> str:
    """Return in the reader's language why an update failed."""
    if not code or code not in CATALOGUE:
        return code
    blanks = {"platform": "?", "version": "?"}
    return TremplinError(code, **blanks).text(language())


def _form(work: Work, **options: Any) -> PolicyForm:
    data = {name: getattr(work.config, name) for name in settings.NAMES}
    data["update_days"] = [day.strip() for day in data["update_days"].split(",")]
    return PolicyForm(data=data, **options)


def _overlay() -> Overlay:
    return cast(Overlay, current_app.extensions[OVERLAY])


def _page(work: Work, form: PolicyForm) -> str:
    found = pages.page_of(work, service.query(work))
    names = {row.client_id: work.session.get(JumpClient, row.client_id) for row in found.rows}
    return render_template(
        "updates/index.html",
        form=form,
        fixed=_overlay().fixed,
        may_change=work.actor.may(Permission.ACCOUNTS_WRITE),
        fleet=service.fleet(work),
        page=found,
        clients=names,
        reason=reason,
        update_states=update_states(),
    )


def update_states() -> dict[str, str]:
    """Return the word for each state of an update."""
    return {
        "wanted": _("Waiting"),
        "ordered": _("Under way"),
        "done": _("Done"),
        "failed": _("Failed"),
    }
