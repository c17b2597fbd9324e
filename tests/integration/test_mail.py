"""E-mail through a real SMTP server on loopback: sent, refused, tried again, given up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select
from tremplin_server.audit.models import AuditEvent
from tremplin_server.config import Config
from tremplin_server.db import Database, Work
from tremplin_server.errors import Conflict, Invalid
from tremplin_server.gateway.post import Post
from tremplin_server.gateway.store import Store
from tremplin_server.mail import service
from tremplin_server.mail.models import Mail
from tremplin_server.permissions import system_actor

from tests.conftest import MovableClock
from tests.serving import free_port

LETTER = service.Letter("Bonjour\r\nBcc: all@example.org", "Ça marche.", "<p>Ça marche.</p>")


class Inbox(Message):
    """Keeps what it takes; answers to some addresses what it was told to."""

    def __init__(self) -> None:
        super().__init__(EmailMessage)
        self.messages: list[EmailMessage] = []
        self.refusals: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def handle_message(self, message: Any) -> None:
        self.messages.append(message)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def smtp_port(inbox: Inbox) -> Iterator[int]:
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    yield server.port
    server.stop()


@pytest.fixture
def site(database: Database, smtp_port: int) -> Database:
    """The database of a site with that mail server."""
    config = replace(
        database.config,
        smtp_host="127.0.0.1",
        smtp_port=smtp_port,
        smtp_security="none",
        mail_from="Support <support@example.org>",
    )
    return replace(database, config=config)


def queue(site: Database, *recipients: str) -> None:
    with site.work(system_actor()) as work:
        service.queue(work, LETTER, recipients, "test", 1, "test")


def deliver(site: Database, config: Config | None = None) -> int:
    async def once() -> int:
        store = Store(site)
        try:
            return await Post(store, config or site.config).deliver()
        finally:
            await store.close()

    return asyncio.run(once())


def mails(site: Database) -> dict[str, Mail]:
    with site.work(system_actor(), read_only=True) as work:
        return {mail.recipient: mail for mail in work.session.scalars(select(Mail))}


def test_each_recipient_gets_a_message_of_his_own(site: Database, inbox: Inbox) -> None:
    queue(site, "zoe@example.org", "ana@example.org")
    assert deliver(site) == 2
    assert sorted(message["To"] for message in inbox.messages) == [
        "ana@example.org",
        "zoe@example.org",
    ]
    first = inbox.messages[0]
    assert first["From"] == "Support <support@example.org>"
    assert first["Subject"] == "Bonjour Bcc: all@example.org"
    assert first["Bcc"] is None
    texts = {part.get_content_type(): part for part in first.walk()}
    for kind in ("text/plain", "text/html"):
        assert "Ça marche." in texts[kind].get_payload(decode=True).decode("utf-8")
    kept = mails(site)["zoe@example.org"]
    assert (kept.state, kept.sealed) == ("sent", None)
    assert deliver(site) == 0


def test_the_text_that_waits_is_sealed(site: Database) -> None:
    queue(site, "zoe@example.org")
    sealed = mails(site)["zoe@example.org"].sealed
    assert sealed is not None
    assert b"marche" not in sealed


def test_an_address_that_does_not_exist_is_given_up(site: Database, inbox: Inbox) -> None:
    inbox.refusals["nobody@example.org"] = "550 no such user"
    queue(site, "nobody@example.org")
    assert deliver(site) == 0
    kept = mails(site)["nobody@example.org"]
    assert (kept.state, kept.error, kept.sealed) == ("failed", "550 no such user", None)
    with site.work(system_actor()) as work:
        assert "mail.failed" in work.session.scalars(select(AuditEvent.action)).all()


def test_a_server_that_is_busy_is_tried_again(
    site: Database, inbox: Inbox, clock: MovableClock
) -> None:
    inbox.refusals["zoe@example.org"] = "451 later"
    queue(site, "zoe@example.org")
    assert deliver(site) == 0
    assert mails(site)["zoe@example.org"].state == "retrying"
    inbox.refusals.clear()
    assert deliver(site) == 0, "not before its time"
    clock.forward(minutes=1)
    assert deliver(site) == 1
    assert mails(site)["zoe@example.org"].state == "sent"


def test_a_server_that_is_away_is_given_up_at_last(site: Database, clock: MovableClock) -> None:
    away = replace(site.config, smtp_port=1)
    queue(site, "zoe@example.org")
    for delay in service.DELAYS:
        deliver(site, away)
        assert mails(site)["zoe@example.org"].state == "retrying"
        clock.forward(seconds=delay.total_seconds())
    deliver(site, away)
    kept = mails(site)["zoe@example.org"]
    assert kept.state == "failed"
    assert "refused" in kept.error


def test_a_password_does_not_go_over_a_line_that_is_not_safe(site: Database) -> None:
    """The server offers no STARTTLS: nothing is sent, and it is said why."""
    queue(site, "zoe@example.org")
    deliver(site, replace(site.config, smtp_security="starttls"))
    kept = mails(site)["zoe@example.org"]
    assert kept.state == "retrying"
    assert "STARTTLS" in kept.error


def test_two_workers_do_not_send_the_same(site: Database) -> None:
    queue(site, "zoe@example.org")
    with site.work(system_actor()) as work:
        assert len(service.claim(work)) == 1
    with site.work(system_actor()) as work:
        assert service.claim(work) == []


def test_a_worker_that_died_leaves_its_message_to_others(
    site: Database, clock: MovableClock
) -> None:
    queue(site, "zoe@example.org")
    with site.work(system_actor()) as work:
        service.claim(work)
    clock.forward(seconds=service.LEASE.total_seconds())
    assert deliver(site) == 1


def test_without_a_mail_server_nothing_is_queued(database: Database) -> None:
    def try_it(work: Work) -> None:
        service.queue(work, LETTER, ["zoe@example.org"], "test", 1, "test")

    with database.work(system_actor()) as work, pytest.raises(Conflict, match="smtp_host"):
        try_it(work)


@pytest.mark.parametrize(
    "text", ["", " , ", "zoe", "zoe@", "a@b@c", "zoe@example.org\n,<x@example.org>"]
)
def test_wrong_addresses_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        service.addresses(text)


def test_addresses_are_taken_once() -> None:
    found = service.addresses("zoe@example.org, ana@example.org;zoe@example.org\nbo@example.org")
    assert found == ["zoe@example.org", "ana@example.org", "bo@example.org"]
    many = ",".join(f"u{number}@example.org" for number in range(service.MOST_RECIPIENTS + 1))
    with pytest.raises(Invalid):
        service.addresses(many)
