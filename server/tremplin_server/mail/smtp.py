"""Carrying a message to the mail server."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from tremplin_server.config import Config
from tremplin_server.mail.service import Outgoing

TIMEOUT_SECONDS = 30.0


class Refused(Exception):
    """The mail server did not take a message. for_good: trying again makes no sense."""

    def __init__(self, message: str, *, for_good: bool) -> None:
        super().__init__(message)
        self.for_good = for_good


def send(config: Config, outgoing: Outgoing) -> None:
    """Hand a message to the mail server of `config`; raises Refused. Blocks: for a thread."""
    try:
        with _connect(config) as server:
            server.send_message(_message(config, outgoing))
    except smtplib.SMTPRecipientsRefused as error:
        code, reason = next(iter(error.recipients.values()))
        raise Refused(f"{code} {_said(reason)}", for_good=code >= 500) from error
    except smtplib.SMTPAuthenticationError as error:
        # Somebody corrects the password; the messages shall not be lost meanwhile.
        raise Refused(f"{error.smtp_code} {_said(error.smtp_error)}", for_good=False) from error
    except smtplib.SMTPResponseException as error:
        text = f"{error.smtp_code} {_said(error.smtp_error)}"
        raise Refused(text, for_good=error.smtp_code >= 500) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Refused(str(error) or type(error).__name__, for_good=False) from error


def _connect(config: Config) -> smtplib.SMTP:
    where = (config.smtp_host, config.smtp_port)
    context = ssl.create_default_context(cafile=config.smtp_ca)
    server: smtplib.SMTP
    if config.smtp_security == "tls":
        server = smtplib.SMTP_SSL(*where, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(*where, timeout=TIMEOUT_SECONDS)
    try:
        if config.smtp_security == "starttls":
            server.starttls(context=context)
        if config.smtp_user:
            server.login(config.smtp_user, config.smtp_password)
    except BaseException:
        server.close()
        raise
    return server


def _message(config: Config, outgoing: Outgoing) -> EmailMessage:
    message = EmailMessage()
    message["From"] = config.mail_from
    message["To"] = outgoing.recipient
    message["Subject"] = " ".join(outgoing.letter.subject.split())
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=config.mail_from.rpartition("@")[2].strip("> "))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(outgoing.letter.text)
    message.add_alternative(outgoing.letter.html, subtype="html")
    return message


def _said(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
