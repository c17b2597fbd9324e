"""The support portal: who sees it, who changes it, what a session key meets."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_server.audit.models import AuditEvent
from tremplin_server.db import Database
from tremplin_server.errors import Denied, Invalid, NotFound, Unavailable
from tremplin_server.permissions import system_actor
from tremplin_server.portal import service
from tremplin_server.portal.attempts import A_MINUTE, Attempts
from tremplin_server.portal.service import Words

from tests.integration.test_pages import Browser
from tests.integration.test_pages import translations as translations
from tests.personas import People
from tests.unit.server.portal.test_picture import png

WORDS = {
    "en": Words("Acme support", "Call us first.\r\n\r\n12 34"),
    "fr": Words("  Assistance   Acme ", "Appelez-nous d'abord."),
}


def test_words_in_both_languages(database: Database, people: People) -> None:
    with database.work(people.administrator) as work:
        service.change_words(work, WORDS)
        service.change_words(work, WORDS)
        found = service.portal(work)
        assert found.words["en"].paragraphs == ["Call us first.", "12 34"]
        assert found.words["fr"].title == "Assistance Acme"
        told = work.session.scalars(
            select(AuditEvent.subject_name).where(AuditEvent.action == "portal.text_changed")
        ).all()
    assert sorted(told) == ["en", "fr"], "the same again is no change"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"en": Words("x" * 121)}, "title_en"),
        ({"fr": Words("", "x" * 4001)}, "body_fr"),
        ({"en": Words("a\0b")}, "title_en"),
        ({"en": Words("", "a\x1bb")}, "body_en"),
        ({"de": Words("Hilfe")}, "title_de"),
    ],
)
def test_words_that_are_not_taken(
    database: Database, people: People, words: dict[str, Words], field: str
) -> None:
    with database.work(people.administrator) as work, pytest.raises(Invalid) as caught:
        service.change_words(work, words)
    assert list(caught.value.fields) == [field]


def test_a_logo_comes_and_goes(database: Database, people: People) -> None:
    with database.work(people.administrator) as work:
        first = service.set_logo(work, png()).sha256
        assert service.set_logo(work, png()).sha256 == first
        second = service.set_logo(work, png(64, 64)).sha256
        assert service.logo(work, second).content == png(64, 64)
        with pytest.raises(NotFound):
            service.logo(work, first)
        with pytest.raises(Invalid):
            service.set_logo(work, b"<svg/>")
        service.remove_logo(work)
        service.remove_logo(work)
        assert service.portal(work).logo is None
        told = work.session.scalars(
            select(AuditEvent.action).where(AuditEvent.action.startswith("portal.logo"))
        ).all()
    assert told == ["portal.logo_changed", "portal.logo_changed", "portal.logo_removed"]


def test_only_administrators_change_it(database: Database, people: People) -> None:
    for nobody in (people.technician, people.auditor, people.outsider):
        with database.work(nobody) as work:
            with pytest.raises(Denied):
                service.change_words(work, WORDS)
            with pytest.raises(Denied):
                service.set_logo(work, png())
            with pytest.raises(Denied):
                service.remove_logo(work)


def test_keys_are_tried_a_few_times_a_minute() -> None:
    attempts = Attempts()
    for _ in range(A_MINUTE):
        attempts.spend("192.0.2.1")
        # One line, many addresses: they count as one.
        attempts.spend("2001:db8::1")
    for address in ("192.0.2.1", "2001:db8::ffff:2"):
        with pytest.raises(Unavailable) as caught:
            attempts.spend(address)
        assert 0 < caught.value.retry_after <= 60
    attempts.spend("192.0.2.2")
    attempts.spend("2001:db8:0:1::1")


class TestPages:
    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_anybody_reads_it(self, app: Flask, database: Database, people: People) -> None:
        visitor = Browser(app.test_client())
        answer = visitor.get("/support", Accept_Language="fr")
        assert answer.status_code == 200
        assert "Clé de session" in answer.text
        with database.work(people.administrator) as work:
            service.change_words(work, WORDS)
            digest = service.set_logo(work, png()).sha256
        text = visitor.get("/support", Accept_Language="fr").text
        assert "Assistance Acme" in text
        assert "Acme support" not in text
        logo = visitor.get(f"/support/logo/{digest}")
        assert (logo.data, logo.mimetype) == (png(), "image/png")
        assert "immutable" in logo.headers["Cache-Control"]
        assert logo.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in logo.headers["Content-Security-Policy"]
        missing = visitor.get(f"/support/logo/{'0' * 64}")
        assert missing.status_code == 404
        assert missing.headers["Cache-Control"] == "no-store"

    def test_a_link_chooses_the_language(self, app: Flask) -> None:
        visitor = Browser(app.test_client())
        assert visitor.get("/support?lang=fr").status_code == 302
        assert 'lang="fr"' in visitor.get("/support", Accept_Language="en").text
        assert visitor.get("/support?lang=de").status_code == 200

    def test_a_key_that_nobody_made(self, app: Flask, database: Database) -> None:
        visitor = Browser(app.test_client())
        answer = visitor.post("/support/session", "/support", key=' 12"34<b> ')
        assert answer.status_code == 404
        assert "There is no such session key" in answer.text
        assert 'value="12&#34;34&lt;b&gt;"' in answer.text
        assert visitor.post("/support/session", "/support", key="").status_code == 422
        for _ in range(A_MINUTE):
            answer = visitor.post("/support/session", "/support", key="1234")
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert "Too many requests" in answer.text
        forged = visitor.client.post("/support/session", base_url="https://tremplin.example")
        assert forged.status_code == 400

    def test_the_settings(self, app: Flask, database: Database, people: People) -> None:
        page = "/login/support"
        administrator = Browser(app.test_client())
        administrator.sign_in("administrator")
        assert "frame-src 'self'" in administrator.get(page).headers["Content-Security-Policy"]
        body = {"title_en": "Acme", "body_en": "", "title_fr": "", "body_fr": "Bonjour"}
        assert administrator.post(page, page, **body).status_code == 302
        assert 'value="Acme"' in administrator.get(page).text
        refused = administrator.post(page, page, **{**body, "title_en": "x" * 121})
        assert refused.status_code == 422
        draft = {**body, "title_en": "Not saved"}
        shown = administrator.post(f"{page}/preview/en?frame", page, **draft)
        assert "Not saved" in shown.text
        assert "frame-ancestors 'self'" in shown.headers["Content-Security-Policy"]
        assert "Not saved" not in administrator.get("/support").text
        logo = (io.BytesIO(png()), "logo.png")
        assert administrator.post(f"{page}/logo", page, logo=logo).status_code == 302
        assert "/support/logo/" in administrator.get("/support").text
        wrong = (io.BytesIO(b"<svg/>"), "logo.png")
        answer = administrator.post(f"{page}/logo", page, logo=wrong)
        assert answer.status_code == 422
        assert "neither a PNG nor a JPEG" in answer.text
        assert administrator.post(f"{page}/logo", page).status_code == 422
        assert administrator.post(f"{page}/logo/remove", page).status_code == 302
        assert "/support/logo/" not in administrator.get("/support").text

    @pytest.mark.parametrize("username", ["technician", "auditor", "outsider"])
    def test_others_find_no_settings(self, app: Flask, people: People, username: str) -> None:
        page = "/login/support"
        other = Browser(app.test_client())
        other.sign_in(username)
        assert page not in other.get("/login/account").text
        assert other.get(page).status_code == 403
        for path in (page, f"{page}/logo", f"{page}/logo/remove", f"{page}/preview/en"):
            assert other.post(path, "/login/password", title_en="x").status_code == 403


def test_the_public_service_needs_nobody(database: Database) -> None:
    with database.work(system_actor()) as work:
        assert service.portal(work).words["fr"] == Words()
