"""What forms of other features need of Jump Groups."""

from __future__ import annotations

from collections.abc import Iterable

from flask_wtf import FlaskForm
from sqlalchemy import select

from tremplin_server.accounts.models import User
from tremplin_server.db import Work
from tremplin_server.groups import item_fields, service
from tremplin_server.groups.models import Belonging, JumpGroup
from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import ActorKind


def choices(work: Work, now: Belonging | None = None) -> list[tuple[str, str]]:
    """Return value and label of each group that can be chosen: own personal one, shared ones.

    now: something whose owner is in the list whatever it is, so that a form keeps it.
    """
    made: dict[str, str] = {}
    if work.actor.kind is ActorKind.USER:
        made[f"personal:{work.actor.id}"] = _("My own Jump Clients")
    for group in work.session.scalars(service.query(work).order_by(None).order_by(JumpGroup.name)):
        made[f"shared:{group.id}"] = group.name
    if now is not None:
        made.setdefault(value_of(now), labels(work, [now])[value_of(now)])
    return list(made.items())


def lock(work: Work, form: FlaskForm, owned: Belonging, only: Iterable[str] = ()) -> None:
    """Show the fields that the actor may not change of `owned` as they are, and take nothing
    for them; `form.locked` has their names, `form.closed` says whether there are no others.

    only: looks at these fields alone.
    """
    held = service.allowed(work, owned)
    form.locked = set()
    for field in form:
        need = item_fields.NEEDS.get(_MEANT.get(field.name, field.name))
        if need is None or need in held or (only and field.name not in only):
            continue
        form.locked.add(field.name)
        field.process(None, field.object_data)
        field.raw_data = None
        field.validators = ()
        field.validate_choice = False
        field.render_kw = {**(field.render_kw or {}), "disabled": True}
    form.closed = form.locked >= {field.name for field in form} - {"csrf_token"}


_MEANT = {"jump_group": "jump_group_id", "through": "jumpoint_id"}
"""Field of a form → the property that it stands for, where the names differ."""


def value_of(owned: Belonging) -> str:
    """Return the form value of the group that something belongs to."""
    return f"{owned.jump_group_type}:{owned.jump_group_id}"


def parse(value: str) -> tuple[str, int] | None:
    """Return the type and the id of a form value; None when it is none."""
    kind, _colon, number = value.partition(":")
    if kind not in ("shared", "personal") or not number.isdecimal() or len(number) > 9:
        return None
    return kind, int(number)


def labels(work: Work, owned: Iterable[Belonging]) -> dict[str, str]:
    """Return form value → label for the groups of all `owned`, in two queries."""
    keys = {value_of(item): (item.shared_group_id, item.owner_user_id) for item in owned}
    shared = {s for s, _u in keys.values() if s is not None}
    users = {u for _s, u in keys.values() if u is not None}
    names = {
        f"shared:{row.id}": row.name
        for row in work.session.scalars(select(JumpGroup).where(JumpGroup.id.in_(shared)))
    }
    for row in work.session.scalars(select(User).where(User.id.in_(users))):
        names[f"personal:{row.id}"] = _("%(name)s (personal)", name=row.public_display_name)
    return names
