"""The forms of support sessions."""

from __future__ import annotations

from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import Length

from tremplin_server import pages
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.groups import pages as groups
from tremplin_server.groups import service as group_service
from tremplin_server.i18n import lazy_gettext as _l


class PinForm(FlaskForm):  # type: ignore[misc] # the package has no types
    """What a Jump Client gets that a customer's computer is attached as."""

    jump_group = SelectField(_l("Jump Group"))
    tag = StringField(
        _l("Tag"),
        [Length(max=64)],
        description=_l("One that there is, or a new one."),
        render_kw={"list": "known-tags", "autocomplete": "off"},
    )
    name = StringField(_l("Name"), [Length(max=128)], description=_l("Empty: the computer's name."))
    comments = TextAreaField(_l("Comments"), [Length(max=1024)])

    @classmethod
    def of(cls, work: Work) -> PinForm:
        """Return the form, filled with what was sent."""
        form = cls()
        form.jump_group.choices = pages.options(groups.choices(work))
        return form


def known_tags(work: Work) -> list[str]:
    """Return the tags of the Jump Clients that the actor sees."""
    tags = select(JumpClient.tag).where(JumpClient.tag != "").distinct().order_by(JumpClient.tag)
    return list(work.session.scalars(group_service.visible(work, tags, JumpClient).limit(200)))
