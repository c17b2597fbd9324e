"""The language of an answer: the account's, else the browser's, else the site's.

Pages take their words through Flask-Babel (`gettext` and `ngettext` here, `_` in the
templates); errors bring both languages in their catalogue.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from babel.dates import format_timedelta
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, gettext, lazy_gettext, ngettext

LANGUAGES = ("en", "fr")
DEFAULT = "TREMPLIN_LANGUAGE"


def set_language(tag: str) -> None:
    """Answer this request in the language of the account. tag: such as `fr` or `en-us`."""
    g.tremplin_language = "fr" if tag.lower().startswith("fr") else "en"


def language() -> str:
    """Return `en` or `fr` for the current request, or the site's outside of one."""
    default = str(current_app.config[DEFAULT])
    if not has_request_context():
        return default
    chosen = g.get("tremplin_language")
    return str(chosen or request.accept_languages.best_match(LANGUAGES) or default)


def ago(span: timedelta, locale: str = "") -> str:
    """Return how long ago (a negative span), or how soon, something is, in words.

    locale: what `language` returns, for who asks often; empty: it is asked here.
    """
    seconds = round(span.total_seconds())
    # A list asks a hundred times; what is more than some minutes away is told in minutes.
    exact = abs(seconds) < _EXACT_SECONDS
    return _ago(locale or language(), seconds if exact else round(seconds / 60) * 60)


_EXACT_SECONDS = 300


@lru_cache(maxsize=4096)
def _ago(locale: str, seconds: int) -> str:
    span = timedelta(seconds=seconds)
    return str(format_timedelta(span, granularity="second", add_direction=True, locale=locale))


def register(app: Flask, default: str) -> None:
    """Set up Flask-Babel on `app`. default: the site's language."""
    app.config[DEFAULT] = default
    Babel(app, default_locale=default, locale_selector=language)


__all__ = [
    "LANGUAGES",
    "ago",
    "gettext",
    "language",
    "lazy_gettext",
    "ngettext",
    "register",
    "set_language",
]
