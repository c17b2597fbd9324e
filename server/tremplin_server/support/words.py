"""The words of support sessions, in the reader's language."""

from __future__ import annotations

from tremplin_server.i18n import gettext as _


def support_state(value: str) -> str:
    """Return the word for the state of a support session."""
    known = {
        "open": _("Waits for its customer"),
        "waiting": _("Customer waits"),
        "asked": _("Customer is asked"),
        "active": _("Active"),
        "ended": _("Ended"),
    }
    return str(known.get(value, value))


def support_colour(value: str) -> str:
    """Return the state of a Jump Client whose colour a support session's state has."""
    return {"waiting": "pending", "asked": "pending", "active": "online"}.get(value, "offline")


def grant(value: str) -> str:
    """Return the words for what a customer may allow."""
    known = {
        "shell": _("See the computer and run commands"),
        "files": _("Files"),
        "elevation": _("Ask for the administrator's rights"),
    }
    return str(known.get(value, value))


def support_event(what: str, who: str) -> str:
    """Return the words for something that happened. who: a name, or what was granted."""
    granted = ", ".join(grant(one) for one in who.split(", ")) if what == "granted" else ""
    known = {
        "arrived": _("%(who)s came with the session key.", who=who),
        "away": _("The customer's computer is not connected."),
        "back": _("The customer's computer is connected again."),
        "taken": _("%(who)s took the session.", who=who),
        "asked": _("%(who)s asked for permission again.", who=who),
        "granted": _("The customer allows: %(what)s", what=granted),
        "refused": _("The customer allows nothing."),
        "withdrawn": _("The customer took permissions back."),
        "joined": _("%(who)s came in.", who=who),
        "left": _("%(who)s left.", who=who),
        "transferred": _("%(who)s takes over.", who=who),
        "terminal": _("%(who)s opened a terminal.", who=who),
        "files": _("%(who)s opened the files.", who=who),
        "raise_asked": _("%(who)s asked for the administrator's rights.", who=who),
        "raise_refused": _("The administrator's rights were not given."),
        "elevated": _("The session has the administrator's rights."),
        "pin_asked": _("%(who)s asked to attach the computer as a Jump Client.", who=who),
        "pinned": _("The computer is attached as a Jump Client."),
        "pin_failed": _("The computer was not attached."),
        "ended": _("The session is over (%(who)s).", who=who or "–"),
    }
    return str(known.get(what, what))
