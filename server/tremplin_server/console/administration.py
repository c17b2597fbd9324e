"""The tabs of the administration: everything below /login, and who sees which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from tremplin_server.i18n import gettext as _
from tremplin_server.permissions import Actor, Permission


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab. label: its words in the reader's language. permission: None is everybody.

    covers: paths of pages that belong to it and do not stand below its own.
    """

    path: str
    icon: str
    label: Callable[[], str]
    permission: Permission | None = None
    covers: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Return whether a page belongs to this tab."""
        return any(path == own or path.startswith(f"{own}/") for own in (self.path, *self.covers))


TABS = (
    Tab("/login/status", "activity-heartbeat", lambda: _("Status"), Permission.CLIENTS_READ),
    Tab(
        "/login/account",
        "user-circle",
        lambda: _("My account"),
        covers=("/console/keys", "/console/second-factor", "/login/password"),
    ),
    Tab(
        "/login/jump-clients",
        "device-desktop-plus",
        lambda: _("Jump Clients"),
        Permission.INSTALLERS_READ,
    ),
    Tab("/login/users", "users", lambda: _("Users"), Permission.ACCOUNTS_READ),
    Tab("/login/reports", "report", lambda: _("Reports"), Permission.SESSIONS_READ),
    Tab("/login/audit", "history", lambda: _("Audit"), Permission.AUDIT_READ),
    Tab("/console/removed", "trash-x", lambda: _("Removed"), Permission.CLIENTS_READ),
    Tab("/login/support", "lifebuoy", lambda: _("Support portal"), Permission.ACCOUNTS_WRITE),
)


def tabs(actor: Actor | None) -> list[Tab]:
    """Return the tabs that `actor` may open, in their order."""
    if actor is None:
        return []
    seen = [tab for tab in TABS if tab.permission is None or actor.may(tab.permission)]
    return [tab for tab in seen if _exists(tab.path)]


def account_path() -> str:
    """Return where a person finds what is about them."""
    return "/login/account" if _exists("/login/account") else "/console/keys"


def area(path: str) -> str:
    """Return which part of the site `path` belongs to: console, sessions, approvals, support,
    administration."""
    if path.startswith("/console/support"):
        return "support"
    if path.startswith("/console/sessions"):
        return "sessions"
    if path.startswith("/console/approvals"):
        return "approvals"
    if path.startswith(("/login", "/console/removed", "/console/keys", "/console/second-factor")):
        return "administration"
    return "console"


def _exists(path: str) -> bool:
    try:
        current_app.url_map.bind("").match(path)
    except RequestRedirect:
        return True
    except HTTPException:
        return False
    return True
