"""The words of a Jump Client's states, in the reader's language."""

from __future__ import annotations

from tremplin_server.i18n import gettext as _


def states() -> dict[str, str]:
    """Return the word for each state, and for the labels `lost` and `outdated`."""
    return {
        "pending": _("Pending"),
        "online": _("Online"),
        "resting": _("Resting"),
        "offline": _("Offline"),
        "lost": _("Lost"),
        "disabled": _("Disabled"),
        "uninstalled": _("Uninstalled"),
        "removing": _("Removing"),
        "outdated": _("Outdated"),
    }
