"""Signing in at an OpenID provider that really runs, and everything that can go wrong."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_server.accounts import identities, service, totp
from tremplin_server.accounts.access_models import ExternalIdentity, WebSession
from tremplin_server.accounts.identities import Told
from tremplin_server.accounts.models import User
from tremplin_server.config import Config, load
from tremplin_server.db import Database
from tremplin_server.errors import TremplinError
from tremplin_server.permissions import Role, system_actor

from tests import translations as catalogues
from tests.conftest import MovableClock
from tests.integration.test_pages import BASE, Browser
from tests.personas import PASSWORD, add_user
from tests.provider import Provider, provider

# What the provider's own code has still to catch up with is not ours to mend.
pytestmark = pytest.mark.filterwarnings(
    "ignore:get_jwt_config:DeprecationWarning",
    "ignore::authlib.deprecate.AuthlibDeprecationWarning",
)
ROLES = ("it-admins=administrator", "support=technician", "audit=auditor")


@pytest.fixture(scope="module", autouse=True)
def translations() -> None:
    catalogues.compile_all()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The protocol is tried on one database; test_web_sessions tries the service on both."""
    return sqlite_url


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with provider() as made:
        yield made


class _Stay(urllib.request.HTTPRedirectHandler):
    """Gives the redirection back instead of following it."""

    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.fixture
def make_site(make_app: Callable[..., Flask], running: Provider) -> Callable[..., Flask]:
    def make(**changes: object) -> Flask:
        options: dict[str, object] = {
            "oidc_issuer": running.issuer,
            "oidc_client_id": "tremplin",
            "oidc_client_secret": "secret",
            "oidc_name": "Keycloak",
        }
        return make_app(**{**options, **changes})

    return make


def database_of(app: Flask) -> Database:
    found: Database = app.extensions["tremplin"]
    return found


def at_provider(url: str, subject: str) -> str:
    """Fill the provider's sign-in form in, and return where it sends the browser back to."""
    opener = urllib.request.build_opener(_Stay)
    body = urllib.parse.urlencode({"sub": subject}).encode()
    with pytest.raises(urllib.error.HTTPError) as answer:
        opener.open(url, body, timeout=10)
    headers: Message = answer.value.headers
    answer.value.close()
    back = str(headers["Location"])
    assert back.startswith(f"{BASE}/login/oidc/back?"), back
    return back.removeprefix(BASE)


def go(browser: Browser, subject: str, start: str = "/login/oidc") -> Any:
    """Go from our sign-in to the provider's and back."""
    answer = browser.get(start, **{"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 302, answer.text
    return browser.get(at_provider(answer.location, subject))


def test_who_is_known_by_subject_comes_in(make_site: Callable[..., Flask]) -> None:
    app = make_site()
    user = add_user(database_of(app), "zoe")
    browser = Browser(app.test_client())
    assert "Sign in with Keycloak" in browser.get("/login").text
    with database_of(app).work(service.actor_of_user(user, "")) as work:
        told = Told(work.config.oidc_issuer, "subject-1")
        identities.connect(work, told)
    answer = go(browser, "subject-1", "/login/oidc?next=/console/keys")
    assert answer.location == "/console/keys"
    assert "zoe" in browser.get("/login/account").text
    with database_of(app).work(system_actor(), read_only=True) as work:
        assert work.session.scalars(select(WebSession.way)).all() == ["oidc"]


def test_neither_name_nor_address_opens_an_account(
    make_site: Callable[..., Flask], running: Provider
) -> None:
    app = make_site(oidc_create=True, oidc_role_claim="groups", oidc_roles=ROLES)
    add_user(database_of(app), "zoe")
    running.knows("impostor", preferred_username="ZOE", email="zoe", groups=["support"])
    answer = go(Browser(app.test_client()), "impostor")
    assert answer.status_code == 403
    assert "no account here belongs to you" in answer.text.lower()


def test_an_account_is_connected_and_disconnected(make_site: Callable[..., Flask]) -> None:
    app = make_site()
    for name in ("zoe", "max"):
        add_user(database_of(app), name)
    browser = Browser(app.test_client())
    assert go(browser, "stranger").status_code == 403
    browser.sign_in("zoe")
    assert go(browser, "zoe-1", "/login/oidc?connect=1").location == "/login/account"
    assert "Connected as zoe-1" in browser.get("/login/account").text
    other = Browser(app.test_client())
    other.sign_in("max")
    go(other, "zoe-1", "/login/oidc?connect=1")
    assert "connected to another account" in other.get("/login/account").text
    browser.post("/logout", page="/login/account")
    assert go(browser, "zoe-1").status_code == 302
    browser.post("/login/account/provider/disconnect", page="/login/account")
    browser.post("/logout", page="/login/account")
    assert go(browser, "zoe-1").status_code == 403


def test_no_other_site_makes_somebody_connect(make_site: Callable[..., Flask]) -> None:
    app = make_site()
    add_user(database_of(app), "zoe")
    browser = Browser(app.test_client())
    browser.sign_in("zoe")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Referer": "https://evil.example/"}, {}):
        assert browser.get("/login/oidc?connect=1", **headers).status_code == 400


def test_an_account_is_made_and_follows_its_role(
    make_site: Callable[..., Flask], running: Provider
) -> None:
    app = make_site(oidc_create=True, oidc_role_claim="realm_access.roles", oidc_roles=ROLES)
    browser = Browser(app.test_client())

    def come(*groups: str) -> Any:
        running.knows(
            "ida-1",
            preferred_username="ida",
            name="Ida Rhodes",
            email="ida@example.org",
            realm_access={"roles": list(groups)},
        )
        return go(browser, "ida-1")

    assert "gives you no role" in come("others").text
    assert come("others", "support").status_code == 302
    page = browser.get("/login/account").text
    assert "Ida Rhodes" in page
    assert "Change the password" not in page, "it has none that anybody knows"
    browser.post("/logout", page="/login/account")
    assert come("support", "it-admins").status_code == 302
    with database_of(app).work(system_actor(), read_only=True) as work:
        made = work.session.scalars(select(User)).one()
        assert work.session.scalars(select(ExternalIdentity.made_account)).all() == [True]
    assert (made.username, made.role, made.email_address) == (
        "ida", Role.ADMINISTRATOR, "ida@example.org",
    )  # fmt: skip


def test_a_second_factor_here_is_asked_for_all_the_same(
    make_site: Callable[..., Flask], clock: MovableClock
) -> None:
    app = make_site()
    user = add_user(database_of(app), "zoe")
    with database_of(app).work(service.actor_of_user(user, "")) as work:
        identities.connect(work, Told(work.config.oidc_issuer, "zoe-2"))
        secret = totp.begin(work).secret
        totp.confirm(work, pyotp.TOTP(secret).at(clock.now()))
    browser = Browser(app.test_client())
    assert go(browser, "zoe-2", "/login/oidc?next=/console/keys").location == (
        "/login/code?next=/console/keys"
    )
    assert browser.get("/login/account").status_code == 302
    clock.forward(seconds=30)
    code = pyotp.TOTP(secret).at(clock.now())
    path = "/login/code?next=/console/keys"
    assert browser.post(path, page="/login/code", code=code).location == "/console/keys"


def test_a_disabled_account_stays_out(make_site: Callable[..., Flask]) -> None:
    app = make_site()
    user = add_user(database_of(app), "zoe")
    with database_of(app).work(service.actor_of_user(user, "")) as work:
        identities.connect(work, Told(work.config.oidc_issuer, "zoe-3"))
    with database_of(app).work(system_actor()) as work:
        service.update(work, user.id, {"enabled": False})
    answer = go(Browser(app.test_client()), "zoe-3")
    assert (answer.status_code, "disabled" in answer.text) == (401, True)


def test_an_answer_is_good_once_and_for_its_browser(make_site: Callable[..., Flask]) -> None:
    app = make_site()
    add_user(database_of(app), "zoe")
    browser, other = Browser(app.test_client()), Browser(app.test_client())
    back = at_provider(browser.get("/login/oidc").location, "somebody")
    stolen = other.get(back)
    assert (stolen.status_code, "did not sign you in" in stolen.text) == (401, True)
    assert browser.get(back).status_code == 403, "the right browser is recognised"
    assert browser.get(back).status_code == 401, "once"
    assert browser.get("/login/oidc/back?error=access_denied").status_code == 401
    assert browser.get("/login/oidc/back").status_code == 401


def test_a_provider_that_is_away_or_another_one(
    make_site: Callable[..., Flask], running: Provider
) -> None:
    running.is_down = True
    try:
        answer = Browser(make_site().test_client()).get("/login/oidc")
    finally:
        running.is_down = False
    assert (answer.status_code, "does not answer" in answer.text) == (502, True)
    away = make_site(oidc_issuer="http://localhost:9")
    assert Browser(away.test_client()).get("/login/oidc").status_code == 502
    other = make_site(oidc_issuer=running.issuer.replace("localhost", "127.0.0.1"))
    assert Browser(other.test_client()).get("/login/oidc").status_code == 302
    page = Browser(other.test_client()).get("/login")
    assert "Sign in with Keycloak" in page.text


def test_without_a_provider_there_is_nothing(app: Flask) -> None:
    browser = Browser(app.test_client())
    assert "Sign in with" not in browser.get("/login").text
    assert browser.get("/login/oidc").status_code == 404
    assert browser.get("/login/oidc/back").status_code == 404


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": "support"}, Role.TECHNICIAN),
        ({"groups": ["audit", "it-admins"]}, Role.ADMINISTRATOR),
        ({"groups": ["audit"]}, Role.AUDITOR),
        ({"groups": []}, None),
        ({"groups": {"support": True}}, None),
        ({}, None),
    ],
)
def test_the_highest_role_of_a_claim(claims: dict[str, Any], role: Role | None) -> None:
    config = Config(oidc_role_claim="groups", oidc_roles=ROLES)
    assert identities.role_of(config, claims) == role


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"OIDC_ISSUER": "http://idp.example"}, "https://"),
        ({"OIDC_ISSUER": "https://idp.example"}, "oidc_client_id"),
        ({"OIDC_SCOPES": "email"}, "openid"),
        ({"OIDC_ROLES": "support=boss"}, "VALUE=ROLE"),
        ({"OIDC_CREATE": "yes"}, "oidc_role_claim"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(values: dict[str, str], said: str) -> None:
    good = {"OIDC_ISSUER": "https://idp.example", "OIDC_CLIENT_ID": "tremplin"}
    if "OIDC_ISSUER" in values:
        good = {}
    environment = {f"TREMPLIN_{name}": value for name, value in {**good, **values}.items()}
    with pytest.raises(TremplinError) as caught:
        load(environment)
    assert said in str(caught.value)


def test_signing_in_with_the_password_still_works(make_site: Callable[..., Flask]) -> None:
    app = make_site()
    add_user(database_of(app), "zoe")
    assert Browser(app.test_client()).sign_in("zoe", PASSWORD).location == "/console"
