"""What everybody sees to for themselves: SSH keys and the second factor."""

from __future__ import annotations

from io import BytesIO
from typing import cast

import segno
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import PasswordField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from tremplin_server import pages, rest
from tremplin_server.accounts import own_pages, passwords, ssh_keys, totp
from tremplin_server.accounts.pages import CodeForm
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l

blp = pages.blueprint("key_pages", __name__)


class KeyForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """A public key and what to call it."""

    public_key = TextAreaField(
        _l("Public key"),
        [InputRequired(), Length(max=ssh_keys.MAX_LENGTH)],
        description=_l("The line of a file such as ~/.ssh/id_ed25519.pub."),
        render_kw={"rows": 4, "spellcheck": "false", "autocomplete": "off"},
    )
    comment = StringField(_l("Name"), [Length(max=255)], description=_l("To tell keys apart."))


class RemoveFactorForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """The password, which whoever only found an open console does not know."""

    password = PasswordField(
        _l("Current password"),
        [InputRequired(), Length(max=passwords.MAX_LENGTH)],
        render_kw={"autocomplete": "current-password"},
    )


@blp.route("/console/keys", methods=["GET", "POST"])
def index() -> ResponseReturnValue:
    """Show one's own keys, and register another."""
    form = KeyForm()
    if form.validate_on_submit():
        with rest.writing() as work:
            owner = ssh_keys.acting_owner(work)
            added = pages.attempt(
                work,
                form,
                lambda: ssh_keys.add(work, owner, form.public_key.data, form.comment.data or ""),
            )
        if added:
            flash(_("The key was registered."), "good")
            return redirect(url_for("key_pages.index"))
    with rest.reading() as work:
        keys = work.session.scalars(ssh_keys.query(work, ssh_keys.acting_owner(work))).all()
        return render_template("accounts/keys.html", form=form, keys=keys)


@blp.post("/console/keys/<int:key_id>/remove")
def remove(key_id: int) -> ResponseReturnValue:
    """Take one of one's own keys away."""
    with rest.writing() as work:
        ssh_keys.remove(work, ssh_keys.acting_owner(work), key_id)
    flash(_("The key was removed."), "good")
    return redirect(url_for("key_pages.index"))


@blp.route("/console/second-factor", methods=["GET", "POST"])
def second_factor() -> ResponseReturnValue:
    """Set the second factor up, or take it away."""
    with rest.writing() as work:
        if totp.enabled(work):
            return _enabled()
        setup = totp.pending(work) or totp.begin(work)
    form = CodeForm()
    if form.validate_on_submit():
        with rest.writing() as work:
            codes: list[str] = []
            if pages.attempt(work, form, lambda: codes.extend(totp.confirm(work, form.code.data))):
                flash(_("The second factor is set up."), "good")
                return own_pages.show_codes(codes)
    return render_template(
        "accounts/second_factor.html", form=form, setup=setup, picture=_picture(setup.uri)
    )


def _enabled() -> ResponseReturnValue:
    return render_template("accounts/second_factor.html", form=RemoveFactorForm(), setup=None)


@blp.post("/console/second-factor/remove")
def remove_second_factor() -> ResponseReturnValue:
    """Take one's own second factor away."""
    form = RemoveFactorForm()
    if form.validate_on_submit():
        with rest.writing() as work:
            if pages.attempt(work, form, lambda: totp.remove_own(work, form.password.data)):
                flash(_("The second factor was removed."), "good")
                return redirect(url_for("own_pages.index"))
    return cast(
        ResponseReturnValue,
        render_template("accounts/second_factor.html", form=form, setup=None),
    )


def _picture(uri: str) -> Markup:
    """Return the QR code as inline SVG, without styles, which the page's policy forbids."""
    out = BytesIO()
    segno.make(uri, error="m").save(
        out, kind="svg", xmldecl=False, svgns=True, scale=5, border=4, light="#fff", nl=False
    )
    return Markup(out.getvalue().decode("ascii"))  # noqa: S704 - made here, of nothing typed
