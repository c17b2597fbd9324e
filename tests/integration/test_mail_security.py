"""E-mail over TLS and with a password, through real SMTP servers on loopback."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from tremplin_server.config import Config
from tremplin_server.db import Database

from tests.conftest import MovableClock
from tests.integration.test_mail import Inbox, deliver, mails, queue
from tests.serving import free_port

USER, PASSWORD = "tremplin", "correct horse"
ZOE = "zoe@example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PEM of key and certificate of a mail server at 127.0.0.1, made for these tests."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("mail") / "mail.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


class _Server(Controller):
    """A mail server; told by its arguments how it is safe. It keeps what passwords it heard."""

    def __init__(self, inbox: Inbox, port: int, certificate: Path, security: str) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        self.signed_in: list[bytes] = []
        starttls = security == "starttls"
        options: dict[str, Any] = {"ssl_context": context} if security == "tls" else {}
        super().__init__(
            inbox,
            hostname="127.0.0.1",
            port=port,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=self._authenticate,
            # aiosmtpd does not know that a line with TLS from the first byte is safe.
            auth_required=starttls,
            auth_require_tls=starttls,
            **options,
        )

    def _authenticate(self, *arguments: Any) -> AuthResult:
        given = arguments[-1]
        assert isinstance(given, LoginPassword)
        self.signed_in.append(given.login)
        good = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)


@contextmanager
def running(inbox: Inbox, port: int, certificate: Path, security: str) -> Iterator[_Server]:
    server = _Server(inbox, port, certificate, security)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def site_of(database: Database, certificate: Path, security: str, **values: Any) -> Database:
    """Return the database of a site that sends through a server at a free port."""
    config = replace(
        database.config,
        smtp_host="127.0.0.1",
        smtp_port=free_port(),
        smtp_security=security,
        smtp_user=USER,
        smtp_password=PASSWORD,
        smtp_ca=certificate,
        mail_from="support@example.org",
    )
    return replace(database, config=replace(config, **values))


def said(site: Database) -> str:
    """Return what became of the message, and what the mail server said."""
    kept = mails(site)[ZOE]
    return f"{kept.state}: {kept.error}"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_goes_over_tls_with_a_password(
    database: Database, inbox: Inbox, certificate: Path, security: str
) -> None:
    site = site_of(database, certificate, security)
    queue(site, ZOE)
    with running(inbox, site.config.smtp_port, certificate, security) as server:
        assert deliver(site) == 1, said(site)
    assert server.signed_in == [USER.encode()]
    assert [message["To"] for message in inbox.messages] == [ZOE]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_is_not_whom_we_know_hears_no_password(
    database: Database, inbox: Inbox, certificate: Path, security: str
) -> None:
    site = site_of(database, certificate, security, smtp_ca=None)
    queue(site, ZOE)
    with running(inbox, site.config.smtp_port, certificate, security) as server:
        assert deliver(site) == 0
    assert (server.signed_in, inbox.messages) == ([], [])
    assert "retrying" in said(site)
    assert "certificate" in said(site).lower()


def test_a_wrong_password_is_tried_again_until_it_is_corrected(
    database: Database, inbox: Inbox, certificate: Path, clock: MovableClock
) -> None:
    site = site_of(database, certificate, "starttls")
    queue(site, ZOE)
    with running(inbox, site.config.smtp_port, certificate, "starttls"):
        wrong: Config = replace(site.config, smtp_password="wrong")
        assert deliver(site, wrong) == 0
        assert said(site).startswith("retrying: 535")
        assert PASSWORD not in said(site)
        clock.forward(minutes=1)
        assert deliver(site) == 1


def test_one_refused_recipient_holds_up_no_other(
    database: Database, inbox: Inbox, certificate: Path
) -> None:
    site = site_of(database, certificate, "starttls")
    inbox.refusals["nobody@example.org"] = "550 no such user"
    queue(site, "nobody@example.org", ZOE)
    with running(inbox, site.config.smtp_port, certificate, "starttls"):
        assert deliver(site) == 1
    assert {name: mail.state for name, mail in mails(site).items()} == {
        "nobody@example.org": "failed",
        ZOE: "sent",
    }


def test_a_server_that_was_down_gets_the_message_when_it_is_back(
    database: Database, inbox: Inbox, certificate: Path, clock: MovableClock
) -> None:
    site = site_of(database, certificate, "starttls")
    queue(site, ZOE)
    for minutes in (1, 5):
        assert deliver(site) == 0
        assert "refused" in said(site)
        clock.forward(minutes=minutes)
    with running(inbox, site.config.smtp_port, certificate, "starttls"):
        assert deliver(site) == 1
    assert said(site) == "sent: "
    assert len(inbox.messages) == 1
