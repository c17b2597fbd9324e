"""The tab "Support portal": its words and logo, with a preview of what visitors see."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import StringField, TextAreaField
from wtforms.validators import Length

from tremplin_server import i18n, pages, rest
from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.i18n import lazy_gettext as _l
from tremplin_server.permissions import Permission
from tremplin_server.portal import picture, service
from tremplin_server.portal.pages import rendered
from tremplin_server.portal.service import Portal, Words

blp = pages.blueprint("portal_admin_pages", __name__)


def _title() -> StringField:
    return StringField(
        _l("Title"),
        [Length(max=service.MAX_TITLE)],
        description=_l("Empty leaves the standard words."),
    )


def _body() -> TextAreaField:
    return TextAreaField(
        _l("Text"),
        [Length(max=service.MAX_BODY)],
        description=_l("Plain text; an empty line begins a paragraph."),
        render_kw={"rows": 6},
    )


class WordsForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What the portal says in each language."""

    title_en = _title()
    body_en = _body()
    title_fr = _title()
    body_fr = _body()

    def said(self) -> dict[str, Words]:
        """Return the words of each language."""
        return {
            name: Words(self[f"title_{name}"].data or "", self[f"body_{name}"].data or "")
            for name in service.LANGUAGES
        }


class LogoForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """The picture above the text."""

    logo = FileField(
        _l("Picture"),
        [FileRequired(_l("Choose a picture first."))],
        description=_l("PNG or JPEG, at most 512 KB and 2000 pixels on each side."),
        render_kw={"accept": "image/png,image/jpeg"},
    )


@blp.get("/login/support")
def index() -> ResponseReturnValue:
    """Show the settings of the portal."""
    with rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        return _page(work)


@blp.post("/login/support")
def change() -> ResponseReturnValue:
    """Say something else."""
    with rest.writing() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        form = WordsForm()
        if form.validate() and pages.attempt(
            work, form, lambda: service.change_words(work, form.said())
        ):
            flash(_("The support portal was saved."), "good")
            return redirect(url_for("portal_admin_pages.index"))
        return _page(work, words=form), 422


@blp.post("/login/support/logo")
def set_logo() -> ResponseReturnValue:
    """Show another logo."""
    with rest.writing() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        form = LogoForm()
        if form.validate():
            # One byte more than is taken tells that there is too much.
            data = form.logo.data.read(picture.MAX_BYTES + 1)
            if pages.attempt(work, form, lambda: service.set_logo(work, data)):
                flash(_("The logo was saved."), "good")
                return redirect(url_for("portal_admin_pages.index"))
        return _page(work, logo=form), 422


@blp.post("/login/support/logo/remove")
def remove_logo() -> ResponseReturnValue:
    """Show no logo any more."""
    with rest.writing() as work:
        service.remove_logo(work)
    flash(_("The logo was removed."), "good")
    return redirect(url_for("portal_admin_pages.index"))


@blp.route("/login/support/preview/<shown>", methods=["GET", "POST"])
def preview(shown: str) -> ResponseReturnValue:
    """Show the portal as visitors see it: as it is, or with words that were not saved yet."""
    with rest.reading() as work:
        work.actor.require(Permission.ACCOUNTS_WRITE)
        found = service.portal(work)
    if request.method == "POST":
        found = Portal(WordsForm().said(), found.logo)
    i18n.set_language(shown)
    return rendered(found, preview=True)


def _page(work: Work, *, words: WordsForm | None = None, logo: LogoForm | None = None) -> str:
    found = service.portal(work)
    data: dict[str, Any] = {}
    for name, said in found.words.items():
        data |= {f"title_{name}": said.title, f"body_{name}": said.body}
    pages.allow_frames()
    return render_template(
        "portal/settings.html",
        portal=found,
        form=words or WordsForm(formdata=None, data=data),
        logo_form=logo or LogoForm(formdata=None),
        address=work.config.effective_public_urls[0] + url_for("portal_pages.show"),
    )
