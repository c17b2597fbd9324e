"""Sending an installer's link by e-mail."""

from __future__ import annotations

from datetime import datetime

from flask import render_template
from flask_babel import force_locale

from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.installers import links, service
from tremplin_server.mail import service as mail
from tremplin_server.mail.service import Letter


def send(work: Work, number: int, *, recipients: str, language: str, note: str = "") -> int:
    """Queue a letter with the link of a valid installer; return to how many it goes.

    recipients: addresses, separated as people do. language: `en` or `fr`. Needs what the
    installer's download needs. Raises Invalid, Conflict (mail.off, installer.revoked) and
    TremplinError (install.key_expired).
    """
    installer = service.usable(work, number)
    found = mail.addresses(recipients)
    url = work.config.effective_public_urls[0] + links.path(work, installer)
    text = letter(url, installer.installer_id, installer.expires_at, language, note)
    name = installer.name or installer.tag or installer.installer_id
    return len(mail.queue(work, text, found, "installer", installer.id, name))


def letter(url: str, installer_id: str, expires_at: datetime, language: str, note: str) -> Letter:
    """Return the letter that leads to an installer, in one language."""
    file = f"tremplin-scc-{installer_id}.bin"
    values = {"url": url, "file": file, "expires_at": expires_at, "note": note.strip()}
    with force_locale(language):
        return Letter(
            _("Install the remote support agent"),
            render_template("mail/installer.txt", language=language, **values),
            render_template("mail/installer.html", language=language, **values),
        )
