"""Accounts, users and status in a real browser, and a sign-in at a real OpenID provider."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pyotp
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from tremplin_server.accounts import service, ssh_keys
from tremplin_server.accounts import service as accounts
from tremplin_server.accounts.models import User
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.errors import TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.permissions import system_actor

from tests import personas, translations
from tests.browser.conftest import Visitor, look
from tests.provider import Provider, provider
from tests.serving import Server, servers
from tests.stage import Stage

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings(
        "ignore:get_jwt_config:DeprecationWarning",
        "ignore::authlib.deprecate.AuthlibDeprecationWarning",
    ),
]
Visit = Callable[..., Visitor]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3iB9dGe3cm2Z2mUWTDFSaQ8hWbhwzyc2FZc6cR4Xya zoe@desk"


@pytest.fixture(scope="module")
def idp() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, idp: Provider) -> Iterator[Server]:
    translations.compile_all()
    with servers(tmp_path_factory.mktemp("accounts")) as made:
        yield made.start(
            oidc_issuer=idp.issuer,
            oidc_client_id="tremplin",
            oidc_client_secret="secret",
            oidc_name="Keycloak",
            oidc_create="yes",
            oidc_role_claim="groups",
            oidc_roles="support=technician",
            limit_technicians=50,
        )


@pytest.fixture(scope="module")
def database(server: Server) -> Database:
    """The server's database, with people, groups and a few Jump Clients in it."""
    found: Database = create_app(load(server.environment)).extensions["tremplin"]
    people = personas.people(found)
    stage = Stage(found)
    stage.connect(stage.online(hostname="web01", fingerprint="c" * 64), "elsewhere")
    with found.work(system_actor()) as work:
        lab = groups.create(work, name="Laboratoire de Lyon", comments="Bâtiment B")
        groups.add_member(work, lab.id, people.technician.id, 2)
        groups.add_member(work, lab.id, people.outsider.id)
        ssh_keys.add(work, accounts.get(work, people.technician.id), KEY)
    for _ in range(found.config.sign_in_attempts):
        with pytest.raises(TremplinError), found.work(system_actor()) as work:
            service.authenticate(work, "outsider", "wrong")
    return found


@pytest.fixture
def administrator(server: Server, database: Database, visit: Visit) -> Visitor:
    visitor = visit(server.base_url)
    visitor.sign_in("administrator", personas.PASSWORD)
    return visitor


def number(database: Database, username: str) -> int:
    with database.work(system_actor(), read_only=True) as work:
        return work.session.scalars(select(User.id).where(User.username == username)).one()


def focus_by_tab(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until what has the accessible name `name` has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and (
            focused.evaluate("e => (e.labels?.[0] ?? e).innerText.trim()") == name
        ):
            return
    pytest.fail(f"Tab never comes to {name}")


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_every_page(server: Server, database: Database, visit: Visit, locale: str) -> None:
    visitor = visit(server.base_url, locale=locale)
    visitor.go("/login")
    look(visitor.page, f"sign-in-{locale}")
    visitor.sign_in("administrator", personas.PASSWORD)
    technician = number(database, "technician")
    for path in (
        "/login/status",
        "/login/account",
        "/login/users",
        "/login/users/new",
        f"/login/users/{technician}",
        f"/login/users/{number(database, 'outsider')}",
        f"/login/users/{technician}/permissions",
        "/login/users/groups",
        "/login/users/groups/1",
        "/login/users/groups/new",
        "/login/users/roles",
        "/login/users/roles/2",
        "/login/users/api-accounts",
        "/login/users/api-accounts/new",
        "/login/users/policies",
        "/login/users/policies/jump/1",
        "/login/users/policies/session/new",
        "/login/password",
        "/console/second-factor",
        "/console/keys",
    ):
        visitor.go(path)
        expect(visitor.page.locator("html")).to_have_attribute("lang", locale[:2])
        look(visitor.page, f"accounts-{locale}{path.replace('/', '-')}")


def test_a_dark_page(server: Server, database: Database, visit: Visit) -> None:
    visitor = visit(server.base_url, color_scheme="dark")
    visitor.sign_in("administrator", personas.PASSWORD)
    for path in ("/login/status", "/login/account", f"/login/users/{number(database, 'outsider')}"):
        visitor.go(path)
        look(visitor.page, f"accounts-dark{path.replace('/', '-')}")


def at_provider(visitor: Visitor, subject: str) -> None:
    """Fill the provider's form in. What its own page complains about is not ours."""
    visitor.page.locator("input[name=sub]").fill(subject)
    visitor.page.wait_for_load_state("networkidle")
    ours = [said for said in visitor.complaints if "Failed to load resource" not in said]
    visitor.complaints[:] = ours
    visitor.page.get_by_role("button", name=re.compile("authori", re.IGNORECASE)).first.click()


def test_signing_in_at_the_provider(server: Server, idp: Provider, visit: Visit) -> None:
    idp.knows("ida-7", preferred_username="ida", name="Ida Rhodes", groups=["support"])
    visitor = visit(server.base_url)
    page = visitor.page
    visitor.go("/login/account")
    page.get_by_role("link", name="Sign in with Keycloak").click()
    assert page.url.startswith(idp.issuer)
    at_provider(visitor, "ida-7")
    expect(page.get_by_role("heading", name="My account")).to_be_visible()
    assert page.url == f"{server.base_url}/login/account"
    expect(page.get_by_text("Connected as ida-7")).to_be_visible()
    expect(page.get_by_text("ida · Technician")).to_be_visible()


def test_an_account_is_connected_in_the_browser(
    administrator: Visitor, idp: Provider, server: Server
) -> None:
    page = administrator.page
    administrator.go("/login/account")
    page.get_by_role("link", name="Connect", exact=True).click()
    at_provider(administrator, "chief")
    expect(page.get_by_text("Your account is connected.")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("Not connected")).to_be_visible()


def test_signed_out_elsewhere_the_page_leads_to_the_sign_in(
    administrator: Visitor, server: Server, visit: Visit
) -> None:
    other = visit(server.base_url)
    other.sign_in("administrator", personas.PASSWORD)
    expect(other.page.locator("[data-live-label]")).to_have_attribute("data-link", "open")
    administrator.go("/login/account")
    administrator.page.get_by_role("button", name="Sign out everywhere else").click()
    expect(administrator.page.get_by_text("All other browsers are signed out.")).to_be_visible()
    expect(other.page).to_have_url(re.compile("/login"), timeout=5000)
    # What it was asking for just then is refused.
    assert [text for text in other.complaints if "401" not in text] == []
    other.complaints.clear()


def test_a_second_factor_and_a_recovery_code(
    server: Server, database: Database, visit: Visit
) -> None:
    personas.add_user(database, "zoe")
    visitor = visit(server.base_url)
    page = visitor.page
    visitor.sign_in("zoe", personas.PASSWORD)
    visitor.go("/login/account")
    page.get_by_role("link", name="Set up").click()
    secret = page.locator("code").inner_text()
    page.get_by_label("Code of your authenticator app").fill(pyotp.TOTP(secret).now())
    page.keyboard.press("Enter")
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(codes) == 10
    look(page, "accounts-recovery-codes")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").split() == codes
    page.get_by_role("link", name="I have kept them").click()
    page.locator("#account-menu summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    visitor.sign_in("zoe", personas.PASSWORD)
    expect(page.get_by_label("Code of your authenticator app")).to_be_focused()
    look(page, "accounts-code")
    page.keyboard.type(codes[0])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/console$"))
    visitor.go("/login/account")
    expect(page.get_by_text("Recovery codes left: 9")).to_be_visible()


def test_a_user_by_keyboard_alone(administrator: Visitor) -> None:
    page = administrator.page
    administrator.go("/login/users")
    focus_by_tab(page, "New user")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New user")).to_be_visible()
    focus_by_tab(page, "User name")
    page.keyboard.type("max")
    page.keyboard.press("Tab")
    page.keyboard.type("Aud")
    focus_by_tab(page, "Create")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The user was created.")).to_be_visible()
    look(page, "accounts-user-created")
    focus_by_tab(page, "Go on")
    page.keyboard.press("Enter")
    expect(page.get_by_text("max · Auditor")).to_be_visible()
    focus_by_tab(page, "Delete…")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Enter")
    focus_by_tab(page, "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The user was deleted.")).to_be_visible()


def test_members_and_roles(administrator: Visitor) -> None:
    page = administrator.page
    administrator.go("/login/users/groups")
    page.get_by_role("link", name="New Jump Group").click()
    page.get_by_label("Name", exact=True).fill("Night shift")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Now add its members")).to_be_visible()
    page.get_by_label("User", exact=True).select_option(label="auditor (auditor)")
    page.get_by_role("button", name="Add the member").click()
    expect(page.get_by_text("The member was added.")).to_be_visible()
    page.get_by_label("Jump Item Role of auditor").select_option(label="No Access")
    page.locator("#members").get_by_role("button", name="Save").click()
    expect(page.get_by_label("Jump Item Role of auditor")).to_have_value("3")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The Jump Group was deleted.")).to_be_visible()


def test_an_api_account(administrator: Visitor) -> None:
    page = administrator.page
    administrator.go("/login/users/api-accounts/new")
    page.get_by_label("Name", exact=True).fill("ansible")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("The secret is shown only now.")).to_be_visible()
    look(page, "accounts-secret")
    with page.expect_navigation():
        page.get_by_role("link", name="Go on").click()
    page.get_by_role("button", name="New secret…").click()
    look(page, "accounts-confirm")
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(page.get_by_text("The secret is shown only now.")).to_be_visible()


def test_a_lock_is_lifted_in_the_browser(administrator: Visitor, database: Database) -> None:
    page = administrator.page
    administrator.go("/login/users?state=locked")
    page.get_by_role("link", name="outsider").click()
    expect(page.get_by_text("Too many wrong passwords")).to_be_visible()
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_text("The account is unlocked.")).to_be_visible()
