"""Roles, policies and approvals in a real browser, in both languages, usable by anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from tremplin_server.accounts.models import User
from tremplin_server.app import create_app
from tremplin_server.config import load
from tremplin_server.db import Database
from tremplin_server.groups import group_policies
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpItemRole
from tremplin_server.permissions import ItemPermission, system_actor
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.sessions.approval_models import ApprovalState, JumpApproval

from tests import personas, translations
from tests.browser.conftest import Visitor, look
from tests.serving import Server, servers

pytestmark = pytest.mark.timeout(180)
Visit = Callable[..., Visitor]
SYSTEM = system_actor()
LOCALES = ["en-GB", "fr-FR"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    translations.compile_all()
    with servers(tmp_path_factory.mktemp("permissions")) as made:
        yield made.start()


@pytest.fixture(scope="module")
def database(server: Server) -> Database:
    found: Database = create_app(load(server.environment)).extensions["tremplin"]
    people = personas.people(found)
    with found.work(SYSTEM) as work:
        lab = groups.create(work, name="Lab")
        groups.add_member(work, lab.id, people.technician.id, 2)
        place = {"jump_group_id": lab.id, "jump_item_role_id": 2, "final": True}
        said = {"clients.delete": {"allowed": False, "final": True}}
        everybody = {"name": "Night", "site_roles": ["technician"], "permissions": said}
        group_policies.create(work, {**everybody, "jump_groups": [place]})
    return found


@pytest.mark.parametrize("locale", LOCALES)
def test_the_editor_of_roles(server: Server, database: Database, visit: Visit, locale: str) -> None:
    visitor = visit(server.base_url, locale=locale)
    visitor.sign_in("administrator", personas.PASSWORD)
    page = visitor.page
    visitor.go("/login/users/roles/new")
    look(page, f"role-new-{locale}")
    page.fill("#name", f"Tagger {locale}")
    page.get_by_label("Tag" if locale == "en-GB" else "Étiquette", exact=True).check()
    page.get_by_role("button", name="Create" if locale == "en-GB" else "Créer").click()
    page.get_by_role("link", name=f"Tagger {locale}").click()
    expect(page.locator("#perm_edit_tag")).to_be_checked()
    expect(page.locator("#perm_start")).to_be_checked()
    expect(page.locator("#perm_edit_jump_policy")).not_to_be_checked()
    look(page, f"role-{locale}")
    # Deleting says what it would take away.
    visitor.go("/login/users/roles/2")
    page.locator("[data-dialog=delete-role]").click()
    lost = page.locator("#delete-role li")
    expect(lost).to_have_count(2)
    look(page, f"role-delete-{locale}")
    with database.work(SYSTEM, read_only=True) as work:
        named = select(JumpItemRole).where(JumpItemRole.name == f"Tagger {locale}")
        held = work.session.scalars(named).one().permissions
    assert held == {ItemPermission.START, ItemPermission.EDIT_TAG}


@pytest.mark.parametrize("locale", LOCALES)
def test_the_editor_of_jump_policies(
    server: Server, database: Database, visit: Visit, locale: str
) -> None:
    visitor = visit(server.base_url, locale=locale)
    visitor.sign_in("administrator", personas.PASSWORD)
    page = visitor.page
    visitor.go("/login/users/policies/jump/new")
    look(page, f"jump-policy-new-{locale}")
    page.fill("#display_name", f"Office {locale}")
    page.fill("#code_name", f"office-{locale}")
    page.locator("#schedule_enabled").check()
    page.fill("#timezone", "Europe/Paris")
    page.select_option("#entries-0-start_day", "0")
    page.fill("#entries-0-start_time", "08:00")
    page.select_option("#entries-0-end_day", "0")
    page.fill("#entries-0-end_time", "18:00")
    page.locator("#ticket_id_required").check()
    page.get_by_role("button", name="Create" if locale == "en-GB" else "Créer").click()
    page.get_by_role("link", name=f"Office {locale}").click()
    expect(page.locator("#entries-0-start_time")).to_have_value("08:00")
    expect(page.locator("#ticket_id_required")).to_be_checked()
    look(page, f"jump-policy-{locale}")


@pytest.mark.parametrize("locale", LOCALES)
def test_the_page_of_approvals(
    server: Server, database: Database, visit: Visit, locale: str
) -> None:
    with database.work(SYSTEM) as work:
        asking = work.session.scalars(select(User.id).where(User.username == "technician")).one()
        policy = work.session.get_one(JumpPolicy, 1)
        policy.approval_required, policy.approver_roles = True, ["administrator"]
        made = JumpApproval(
            item_kind="client",
            item_id=1,
            item_name=f"web-{locale}",
            jump_policy_id=1,
            policy_name="Default",
            requester_kind="user",
            requester_id=asking,
            requester="technician",
            reason="the disk is full",
            ticket_id="INC-7",
            state=ApprovalState.PENDING,
            created_at=work.now(),
            expires_at=work.now() + timedelta(hours=1),
            for_anyone=False,
        )
        work.session.add(made)
        work.session.flush()
        number = made.id
    visitor = visit(server.base_url, locale=locale)
    visitor.sign_in("administrator", personas.PASSWORD)
    page = visitor.page
    visitor.go("/console/approvals")
    expect(page.get_by_text(f"web-{locale}")).to_be_visible()
    look(page, f"approvals-{locale}")
    approve = "Approve" if locale == "en-GB" else "Approuver"
    page.get_by_role("button", name=approve).first.click()

    def state() -> str:
        with database.work(SYSTEM, read_only=True) as work:
            return str(work.session.get_one(JumpApproval, number).state)

    expect(page.get_by_role("button", name=approve)).to_have_count(0)
    assert state() == "approved"
    look(page, f"approvals-done-{locale}")


@pytest.mark.parametrize("locale", LOCALES)
def test_group_policies_and_why(
    server: Server, database: Database, visit: Visit, locale: str
) -> None:
    visitor = visit(server.base_url, locale=locale)
    visitor.sign_in("administrator", personas.PASSWORD)
    page = visitor.page
    for path in ("", "/new", "/1"):
        visitor.go(f"/login/users/group-policies{path}")
        look(page, f"group-policies-{locale}{path.replace('/', '-')}")
    expect(page.locator("#says_clients_delete")).to_have_value("deny_final")
    with database.work(SYSTEM, read_only=True) as work:
        number = groups.member_ids(work, 1)[0]
    visitor.go(f"/login/users/{number}")
    why = page.get_by_role("link", name="Night")
    expect(why).to_have_count(2)
    look(page, f"why-{locale}")
    why.first.click()
    expect(page).to_have_url(f"{server.base_url}/login/users/group-policies/1")
