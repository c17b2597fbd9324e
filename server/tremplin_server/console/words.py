"""The words of closed sets, in the reader's language: states, roles, choices."""

from __future__ import annotations

from tremplin_server.clients import words as clients
from tremplin_server.i18n import gettext as _
from tremplin_server.support.words import grant as grant
from tremplin_server.support.words import support_colour as support_colour
from tremplin_server.support.words import support_event as support_event
from tremplin_server.support.words import support_state as support_state


def languages() -> dict[str, str]:
    """Return each language in its own words."""
    return {"en": "English", "fr": "Français"}


def state(value: str) -> str:
    """Return the word for the state of a Jump Client or an installer."""
    known = {
        **clients.states(),
        "valid": _("Valid"),
        "expired": _("Expired"),
        "exhausted": _("Used up"),
        "revoked": _("Revoked"),
    }
    return str(known.get(value, value))


def approval(value: str) -> str:
    """Return the word for the state of a request for approval."""
    known = {
        "pending": _("Waits"),
        "approved": _("Approved"),
        "denied": _("Denied"),
        "withdrawn": _("Withdrawn"),
        "expired": _("Expired"),
        "over": _("Approved, over"),
    }
    return str(known.get(value, value))


def role(value: str) -> str:
    """Return the word for the role of a user."""
    known = {
        "administrator": _("Administrator"),
        "technician": _("Technician"),
        "auditor": _("Auditor"),
    }
    return str(known.get(value, value))


def closed_by(value: str) -> str:
    """Return how a tombstone was closed."""
    known = {
        "host": _("Confirmed by the host"),
        "uninstalled": _("Was uninstalled before"),
        "hand": _("Closed by hand"),
        "expired": _("Given up: its time was over"),
        "replaced": _("Replaced by a new installation"),
    }
    return str(known.get(value, value))


def front(value: str) -> str:
    """Return the word for the way by which a technician came."""
    known = {
        "terminal": _("Terminal"),
        "files": _("Files"),
        "bastion": _("SSH bastion"),
        "stream": _("Program"),
    }
    return str(known.get(value, value))


def session_state(value: str) -> str:
    """Return the word for the state of a session."""
    known = {"starting": _("Starting"), "open": _("Open"), "ended": _("Ended")}
    return str(known.get(value, value))


def mail(value: str) -> str:
    """Return the word for what became of a message."""
    known = {
        "waiting": _("Waiting"),
        "retrying": _("Trying again"),
        "sent": _("Sent"),
        "failed": _("Not delivered"),
    }
    return str(known.get(value, value))
