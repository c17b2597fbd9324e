"""How a person wants to see the pages; it changes nothing else, so it is not audited."""

from __future__ import annotations

from collections.abc import Sequence

from tremplin_server.accounts.models import User
from tremplin_server.db import Work
from tremplin_server.errors import Invalid, NotFound
from tremplin_server.i18n import LANGUAGES

THEMES = ("", "light", "dark")
"""Empty follows the system of the reader."""


def set_theme(work: Work, theme: str) -> None:
    """Keep the appearance that the acting person chose; Invalid if there is no such."""
    if theme not in THEMES:
        raise Invalid({"theme": ["Must be one of: light, dark, or empty."]})
    _own(work).theme = theme


def set_language(work: Work, language: str) -> None:
    """Keep the language that the acting person chose; Invalid if there is no such."""
    if language not in LANGUAGES:
        raise Invalid({"language": ["Must be one of: en, fr."]})
    _own(work).preferred_email_language = language


def columns(work: Work) -> list[str]:
    """Return the names of the columns that the acting person chose; empty: the usual ones."""
    return [name for name in _own(work).console_columns.split(",") if name]


def set_columns(work: Work, names: Sequence[str]) -> None:
    """Keep the columns that the acting person chose, in their order."""
    _own(work).console_columns = ",".join(names)


def _own(work: Work) -> User:
    user = work.session.get(User, work.actor.id)
    if user is None:
        raise NotFound("request.not_found", what="user", id=work.actor.id)
    return user
