"""Browsers that are signed in: listed, revoked, limited; recovery codes; the password policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_server.accounts import (
    identities,
    passwords,
    recovery,
    service,
    totp,
    web_sessions,
)
from tremplin_server.accounts.access_models import OldPassword, RecoveryCode, Way, WebSession
from tremplin_server.accounts.identities import Told
from tremplin_server.audit.models import AuditEvent
from tremplin_server.config import Config
from tremplin_server.db import Database
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound, TremplinError
from tremplin_server.permissions import Actor, Role, system_actor

from tests import translations as catalogues
from tests.conftest import MovableClock
from tests.integration.test_pages import Browser
from tests.personas import PASSWORD, People, add_user

SYSTEM = system_actor()
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(scope="module", autouse=True)
def translations() -> None:
    catalogues.compile_all()


def begin(database: Database, name: str, browser: str = FIREFOX) -> tuple[int, str]:
    """Sign somebody in; return the number of the session and its token."""
    with database.work(SYSTEM) as work:
        made, token = web_sessions.begin(work, service.named(work, name), Way.PASSWORD, browser)
    return made.id, token


def holds(database: Database, token: str) -> bool:
    with database.work(SYSTEM, read_only=True) as work:
        return web_sessions.holder(work, token) is not None


def test_a_token_is_kept_as_a_hash_and_is_good_for_a_time(
    database: Database, people: People, clock: MovableClock
) -> None:
    number, token = begin(database, "technician")
    with database.work(SYSTEM, read_only=True) as work:
        kept = work.session.get(WebSession, number)
    assert kept is not None
    assert token not in vars(kept).values()
    assert holds(database, token)
    assert not holds(database, token + "x")
    clock.forward(hours=database.config.sign_in_hours)
    assert not holds(database, token)
    with database.work(SYSTEM) as work:
        assert web_sessions.expire(work) == 1
        assert web_sessions.living(work, [number]) == set()


def test_it_is_noted_when_a_browser_was_seen_but_not_at_every_request(
    database: Database, people: People, clock: MovableClock
) -> None:
    number, token = begin(database, "technician")

    def stale() -> bool:
        with database.work(SYSTEM, read_only=True) as work:
            found = web_sessions.holder(work, token)
        assert found is not None
        return found.stale

    assert not stale()
    clock.forward(minutes=2)
    assert stale()
    with database.work(replace(people.technician, source_ip="198.51.100.7")) as work:
        web_sessions.touch(work, number)
    assert not stale()
    with database.work(people.technician, read_only=True) as work:
        seen = work.session.scalars(web_sessions.query(work, people.technician.id)).one()
    assert (seen.source_ip, seen.seen_at) == ("198.51.100.7", clock.now())


@pytest.mark.parametrize(
    "changes", [{"enabled": False}, {"role": Role.AUDITOR}, {"password": "another password"}]
)
def test_what_concerns_access_ends_them(
    database: Database, people: People, changes: dict[str, object]
) -> None:
    _, token = begin(database, "technician")
    with database.work(people.administrator) as work:
        service.update(work, people.technician.id, changes)
    assert not holds(database, token)


def test_they_go_with_their_account(database: Database, people: People) -> None:
    _, token = begin(database, "technician")
    with database.work(people.administrator) as work:
        service.delete(work, people.technician.id)
    assert not holds(database, token)


def test_ending_some_leaves_the_others(database: Database, people: People) -> None:
    first, token = begin(database, "technician")
    second, other = begin(database, "technician")
    _, of_auditor = begin(database, "auditor")
    with database.work(people.technician) as work:
        web_sessions.end(work, people.technician.id, first)
    assert (holds(database, token), holds(database, other)) == (False, True)
    third, _ = begin(database, "technician")
    with database.work(people.technician) as work:
        assert web_sessions.end_all(work, people.technician.id, but=third) == 1
    with database.work(SYSTEM, read_only=True) as work:
        assert web_sessions.living(work, [first, second, third]) == {third}
    assert holds(database, of_auditor)


@pytest.mark.parametrize("persona", ["technician", "outsider", "auditor"])
def test_nobody_ends_those_of_another(database: Database, people: People, persona: str) -> None:
    number, token = begin(database, "administrator")
    actor: Actor = getattr(people, persona)
    with database.work(actor) as work:
        with pytest.raises(Denied):
            web_sessions.end(work, people.administrator.id, number)
        with pytest.raises(Denied):
            web_sessions.end_all(work, people.administrator.id)
        with pytest.raises(NotFound):
            web_sessions.end(work, actor.id, number)
    if persona != "auditor":
        with pytest.raises(Denied), database.work(actor) as work:
            web_sessions.query(work, people.administrator.id)
    assert holds(database, token)


def test_as_many_technicians_as_the_site_allows(
    make_app: Callable[..., Flask], clock: MovableClock
) -> None:
    database: Database = make_app(limit_technicians=2).extensions["tremplin"]
    for name in ("ida", "max", "zoe"):
        add_user(database, name)
    add_user(database, "root", Role.ADMINISTRATOR)
    begin(database, "ida")
    begin(database, "max")
    begin(database, "max")
    with pytest.raises(Denied) as caught:
        begin(database, "zoe")
    assert caught.value.code == "limit.technicians"
    assert "2 technicians" in caught.value.text("en")
    begin(database, "ida")
    begin(database, "root")
    clock.forward(minutes=30)
    begin(database, "zoe")


# --- recovery codes -------------------------------------------------------------------


def set_up(database: Database, who: Actor, clock: MovableClock) -> list[str]:
    """Give somebody a second factor; return the recovery codes."""
    with database.work(who) as work:
        code = pyotp.TOTP(totp.begin(work).secret).at(clock.now())
        return totp.confirm(work, code)


def accepts(database: Database, who: Actor, code: str) -> bool:
    try:
        with database.work(SYSTEM) as work:
            service.authenticate_code(work, who.id, code)
    except TremplinError as error:
        return error.code != "auth.bad_credentials"
    return True


def test_a_recovery_code_signs_in_once(
    database: Database, people: People, clock: MovableClock
) -> None:
    codes = set_up(database, people.technician, clock)
    assert len(set(codes)) == recovery.COUNT
    with database.work(SYSTEM, read_only=True) as work:
        kept = work.session.scalars(select(RecoveryCode.code_hash)).all()
    assert not set(codes) & set(kept)
    assert accepts(database, people.technician, codes[0].upper().replace("-", " "))
    assert not accepts(database, people.technician, codes[0])
    assert accepts(database, people.technician, codes[1])
    with database.work(SYSTEM, read_only=True) as work:
        assert recovery.left(work, people.technician.id) == recovery.COUNT - 2
        audited = work.session.scalars(
            select(AuditEvent.detail).where(AuditEvent.action == "user.recovery_code_used")
        ).all()
    assert [detail["left"] for detail in audited] == [9, 8]


def test_a_recovery_code_is_good_for_its_owner_only(
    database: Database, people: People, clock: MovableClock
) -> None:
    codes = set_up(database, people.technician, clock)
    set_up(database, people.auditor, clock)
    assert not accepts(database, people.auditor, codes[0])


def test_new_codes_replace_the_old_ones(
    database: Database, people: People, clock: MovableClock
) -> None:
    with pytest.raises(Conflict), database.work(people.technician) as work:
        totp.renew_recovery_codes(work, PASSWORD)
    old = set_up(database, people.technician, clock)
    with pytest.raises(Invalid), database.work(people.technician) as work:
        totp.renew_recovery_codes(work, "wrong")
    with database.work(people.technician) as work:
        new = totp.renew_recovery_codes(work, PASSWORD)
    assert not accepts(database, people.technician, old[0])
    assert accepts(database, people.technician, new[0])
    with database.work(people.administrator) as work:
        totp.remove(work, people.technician.id)
        assert recovery.left(work, people.technician.id) == 0


# --- subjects of a provider -----------------------------------------------------------


ISSUER = "https://idp.example"


@pytest.fixture
def with_provider(make_app: Callable[..., Flask]) -> Database:
    made: Database = make_app(
        oidc_issuer=ISSUER,
        oidc_client_id="tremplin",
        oidc_create=True,
        oidc_role_claim="groups",
        oidc_roles=("support=technician", "bosses=administrator"),
    ).extensions["tremplin"]
    return made


def come(database: Database, subject: str, **claims: object) -> tuple[int, str]:
    """Come from the provider; return the account's number and role."""
    with database.work(SYSTEM) as work:
        user = identities.recognised(work, Told(ISSUER, subject, claims))
        return user.id, str(user.role)


def test_a_subject_makes_one_account_and_keeps_it(with_provider: Database) -> None:
    first = come(with_provider, "s-1", preferred_username="ida", groups=["support"])
    assert first[1] == "technician"
    again = come(with_provider, "s-1", preferred_username="renamed", groups=["bosses"])
    assert again == (first[0], "administrator")
    with pytest.raises(Conflict) as caught:
        come(with_provider, "s-1", groups=["support"])
    assert caught.value.code == "account.last_administrator"
    with pytest.raises(Denied) as refused:
        come(with_provider, "s-1", groups=[])
    assert refused.value.code == "oidc.no_role"
    with pytest.raises(Denied) as taken:
        come(with_provider, "s-2", preferred_username="IDA", groups=["support"])
    assert taken.value.code == "oidc.unknown"


def test_a_subject_is_bound_to_one_account(with_provider: Database) -> None:
    zoe, max_ = (
        service.actor_of_user(add_user(with_provider, name), "") for name in ("zoe", "max")
    )
    told = Told(ISSUER, "s-3")
    for _ in range(2):
        with with_provider.work(zoe) as work:
            identities.connect(work, told)
    with pytest.raises(Conflict) as caught, with_provider.work(max_) as work:
        identities.connect(work, told)
    assert caught.value.code == "oidc.taken"
    with pytest.raises(Denied), with_provider.work(max_) as work:
        identities.disconnect(work, zoe.id)
    assert come(with_provider, "s-3") == (zoe.id, "technician"), "its role is given here"
    with with_provider.work(zoe) as work:
        identities.connect(work, Told(ISSUER, "s-4"))
    with pytest.raises(Denied):
        come(with_provider, "s-3")
    with with_provider.work(zoe) as work:
        assert identities.disconnect(work, zoe.id)
        assert not identities.disconnect(work, zoe.id)


# --- passwords ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password", ["password12", "qwertyuiop", "1234567890", "Motdepasse1", "aaaaaaaaaaaaaaaa"]
)
def test_what_everybody_guesses_first_is_refused(password: str) -> None:
    assert passwords.problems(Config(), password) == [
        "Too easy to guess. Take more words, or less common ones."
    ]


def test_names_of_the_account_make_a_password_weaker() -> None:
    assert passwords.problems(Config(), "zoe.lefebvre") == []
    personal = ("zoe.lefebvre", "zoe.lefebvre@example.org")
    assert passwords.problems(Config(), "zoe.lefebvre", personal) != []


def test_the_site_says_how_long_and_how_strong() -> None:
    assert passwords.problems(Config(password_strength=0), "password12") == []
    assert passwords.problems(Config(password_length=12), "elevenchars") == [
        "Length must be between 12 and 256."
    ]
    assert passwords.problems(Config(), "long " * 40 + "words of no use to anybody") == []


def test_none_of_the_last_passwords_is_taken_again(
    make_app: Callable[..., Flask],
) -> None:
    database: Database = make_app(password_history=3).extensions["tremplin"]
    user = add_user(database, "zoe")
    actor = service.actor_of_user(user, "")
    used = [PASSWORD, "second of many", "third of many", "fourth of many"]

    def change(old: str, new: str) -> None:
        with database.work(actor) as work:
            service.change_own_password(work, old, new)

    for old, new in pairwise(used):
        with pytest.raises(Invalid) as caught:
            change(old, old)
        assert "last passwords" in caught.value.fields["password"][0]
        change(old, new)
    for taken in used[1:]:
        with pytest.raises(Invalid):
            change(used[3], taken)
    change(used[3], PASSWORD)
    with database.work(SYSTEM, read_only=True) as work:
        assert len(work.session.scalars(select(OldPassword)).all()) == 2


# --- the pages ------------------------------------------------------------------------


@pytest.fixture
def browser(app: Flask, people: People) -> Browser:
    made = Browser(app.test_client())
    assert made.sign_in("technician").status_code == 302
    return made


def test_my_account_lists_and_ends_sessions(app: Flask, browser: Browser) -> None:
    other = Browser(app.test_client())
    other.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    other.sign_in("technician")
    page = browser.get("/login/account").text
    assert "Firefox on Linux" in page
    assert page.count("This browser") == 1
    number = re.findall(r"/login/account/sessions/(\d+)/end", page)[0]
    browser.post(f"/login/account/sessions/{number}/end", page="/login/account")
    assert other.get("/login/account").status_code == 302
    assert browser.get("/login/account").status_code == 200
    assert (
        browser.post(f"/login/account/sessions/{number}/end", page="/login/account").status_code
        == 404
    )


def test_everywhere_else_and_signing_out(app: Flask, browser: Browser) -> None:
    other = Browser(app.test_client())
    other.sign_in("technician")
    browser.post("/login/account/sessions/end-others", page="/login/account")
    assert other.get("/login/account").status_code == 302
    cookie = browser.client.get_cookie("session", domain="tremplin.example")
    assert cookie is not None
    assert (cookie.http_only, cookie.secure, cookie.same_site) == (True, True, "Lax")
    browser.post("/logout", page="/login/account")
    browser.client.set_cookie("session", cookie.value, domain="tremplin.example")
    assert browser.get("/login/account").status_code == 302, "a copy of the cookie is worth nothing"


def test_changing_the_password_signs_other_browsers_out(app: Flask, browser: Browser) -> None:
    other = Browser(app.test_client())
    other.sign_in("technician")
    path = "/login/password"
    form = {"password": PASSWORD, "new_password": PASSWORD, "again": PASSWORD}
    assert "last passwords" in browser.post(path, page=path, **form).text
    form |= {"new_password": "entirely new words", "again": "entirely new words"}
    assert browser.post(path, page=path, **form).location == "/login/account"
    assert browser.get("/login/account").status_code == 200
    assert other.get("/login/account").status_code == 302


def test_language_and_appearance_are_the_accounts(app: Flask, browser: Browser) -> None:
    path = "/login/account/preferences"
    browser.post(path, page="/login/account", language="fr", theme="dark")
    elsewhere = Browser(app.test_client())
    elsewhere.sign_in("technician")
    page = elsewhere.get("/login/account").text
    assert '<html lang="fr" data-bs-theme="dark">' in page
    assert elsewhere.post(path, page="/login/account", language="de", theme="").status_code == 422
    elsewhere.post("/login/language", page="/login/account", language="en", next="/console")
    assert 'lang="en"' in browser.get("/login/account").text


def test_recovery_codes_are_shown_once(browser: Browser, clock: MovableClock) -> None:
    page = browser.get("/console/second-factor").text
    secret = re.findall(r"<code>([A-Z2-7]{32})</code>", page)[0]
    code = pyotp.TOTP(secret).at(clock.now())
    done = browser.post("/console/second-factor", page="/console/second-factor", code=code).text
    codes = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", done)
    assert len(codes) == recovery.COUNT
    assert "Recovery codes left: 10" in browser.get("/login/account").text
    browser.post("/logout", page="/login/account")
    assert browser.sign_in("technician").location == "/login/code"
    assert browser.post("/login/code", page="/login/code", code=codes[0]).status_code == 302
    assert "Recovery codes left: 9" in browser.get("/login/account").text
    path = "/login/account/recovery-codes"
    assert "is wrong" in browser.post(path, page=path, password="no").text
    again = browser.post(path, page=path, password=PASSWORD).text
    assert not set(codes) & set(re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", again))
