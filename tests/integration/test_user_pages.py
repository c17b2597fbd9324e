"""The pages of users, groups, roles, API accounts, policies and the status."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_server.accounts import service as accounts
from tremplin_server.accounts.models import ApiAccount, User
from tremplin_server.db import Database
from tremplin_server.errors import TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup, JumpItemRole
from tremplin_server.permissions import Role, system_actor
from tremplin_server.policies.models import JumpPolicy

from tests import translations as catalogues
from tests.integration.test_pages import Browser
from tests.personas import PASSWORD, People, add_user
from tests.stage import Stage

LISTS = (
    "/login/users",
    "/login/users/groups",
    "/login/users/roles",
    "/login/users/api-accounts",
    "/login/users/policies",
)
FORMS = (
    "/login/users/new",
    "/login/users/groups/new",
    "/login/users/roles/new",
    "/login/users/api-accounts/new",
    "/login/users/policies/jump/new",
    "/login/users/policies/session/new",
)
DETAILS = (
    "/login/users/1",
    "/login/users/1/groups",
    "/login/users/roles/2",
    "/login/users/policies/jump/1",
    "/login/users/policies/session/2",
)

AsUser = Callable[[str], Browser]


@pytest.fixture(scope="module", autouse=True)
def translations() -> None:
    catalogues.compile_all()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What pages ask of a database, the services' own tests ask of both."""
    return sqlite_url


@pytest.fixture
def as_user(app: Flask, people: People) -> AsUser:
    def signed_in(name: str) -> Browser:
        browser = Browser(app.test_client())
        assert browser.sign_in(name).status_code == 302
        return browser

    return signed_in


@pytest.fixture
def administrator(as_user: AsUser) -> Browser:
    return as_user("administrator")


def user_named(database: Database, name: str) -> User:
    with database.work(system_actor(), read_only=True) as work:
        return accounts.named(work, name)


@pytest.mark.parametrize("path", [*LISTS, *FORMS, *DETAILS, "/login/status"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_administrator_sees_every_page(administrator: Browser, path: str, language: str) -> None:
    administrator.post("/login/language", page="/login/account", language=language, next=path)
    answer = administrator.get(path)
    assert answer.status_code == 200
    assert f'lang="{language}"' in answer.text
    assert "style=" not in answer.text


@pytest.mark.parametrize("path", [*LISTS, *FORMS, *DETAILS])
def test_the_outsider_sees_none_of_them(as_user: AsUser, path: str) -> None:
    assert as_user("outsider").get(path).status_code == 403


def test_an_auditor_looks_and_is_offered_no_change(as_user: AsUser) -> None:
    auditor = as_user("auditor")
    for path in (*LISTS, *DETAILS):
        page = auditor.get(path)
        assert page.status_code == 200, path
        assert 'class="btn btn-primary">' not in page.text, path
    for path in FORMS:
        assert auditor.get(path).status_code == 403, path


def test_what_an_auditor_tried_did_nothing(
    as_user: AsUser, people: People, database: Database
) -> None:
    auditor = as_user("auditor")
    number = people.technician.id
    fields = {"username": "technician", "role": "administrator", "enabled": "y"}
    page = auditor.post(f"/login/users/{number}", page="/login/account", **fields)
    assert "do not have the right" in page.text
    assert user_named(database, "technician").role == Role.TECHNICIAN


def test_a_user_is_made_changed_and_deleted(administrator: Browser, database: Database) -> None:
    new = {"username": "zoe", "role": "technician", "enabled": "y"}
    made = administrator.post("/login/users/new", page="/login/users/new", **new)
    assert made.status_code == 201
    password = re.search(r'<pre id="new-password"[^>]*>([^<]+)</pre>', made.text)
    assert password
    user = user_named(database, "zoe")
    assert (user.private_display_name, user.password_reset_next_login) == ("zoe", True)
    path = f"/login/users/{user.id}"
    changed = {**new, "username": "zoé", "role": "auditor", "two_factor_required": "y"}
    assert administrator.post(path, page=path, **changed).status_code == 302
    assert user_named(database, "zoé").role == Role.AUDITOR
    taken = administrator.post(path, page=path, **{**changed, "username": "technician"})
    assert "exists already" in taken.text
    assert administrator.post(f"{path}/delete", page=path).location == "/login/users"
    assert administrator.get(path).status_code == 404


def test_weak_passwords_are_told_beside_their_field(administrator: Browser) -> None:
    new = {"username": "zoe", "role": "technician", "enabled": "y", "password": "password12"}
    answer = administrator.post("/login/users/new", page="/login/users/new", **new)
    assert answer.status_code == 422
    assert "Too easy to guess" in answer.text


def test_the_last_administrator_stays(administrator: Browser, people: People) -> None:
    path = f"/login/users/{people.administrator.id}"
    fields = {"username": "administrator", "role": "technician", "enabled": "y"}
    assert "last administrator" in administrator.post(path, page=path, **fields).text
    assert administrator.post(f"{path}/delete", page=path).location == path
    assert "demote the account first" in administrator.get(path).text


def test_filters_and_order(administrator: Browser, database: Database) -> None:
    add_user(database, "annabel")
    with database.work(system_actor()) as work:
        accounts.update(work, accounts.named(work, "annabel").id, {"enabled": False})

    def names(query: str) -> list[str]:
        page = administrator.get(f"/login/users?{query}").text
        return re.findall(r'<span class="second">(\w+)</span></span></td>', page)

    assert names("state=disabled") == ["annabel"]
    assert names("role=auditor") == ["auditor"]
    assert names("search=ANNA") == ["annabel"]
    assert names("search=%25") == []
    assert names("sort=username") == sorted(names("sort=username"))
    assert names("sort=-username") == sorted(names("sort=username"), reverse=True)


def test_a_lock_is_shown_and_lifted(
    administrator: Browser, people: People, database: Database
) -> None:
    for _ in range(database.config.sign_in_attempts):
        with pytest.raises(TremplinError), database.work(system_actor()) as work:
            accounts.authenticate(work, "technician", "wrong")
    path = f"/login/users/{people.technician.id}"
    assert "Locked" in administrator.get("/login/users?state=locked").text
    assert "locked until" in administrator.get(path).text
    administrator.post(f"{path}/unlock", page=path)
    assert "locked until" not in administrator.get(path).text
    with database.work(system_actor()) as work:
        assert accounts.authenticate(work, "technician", PASSWORD)


def test_an_administrator_signs_somebody_out(
    administrator: Browser, as_user: AsUser, people: People
) -> None:
    technician = as_user("technician")
    assert technician.get("/login/account").status_code == 200
    path = f"/login/users/{people.technician.id}"
    assert "Sign out everywhere" in administrator.get(path).text
    administrator.post(f"{path}/sign-out", page=path)
    assert technician.get("/login/account").location.startswith("/login?")


def test_a_group_its_members_and_their_roles(
    administrator: Browser, people: People, database: Database
) -> None:
    new = "/login/users/groups/new"
    made = administrator.post(new, page=new, name="Lyon lab")
    with database.work(system_actor(), read_only=True) as work:
        group = work.session.scalars(select(JumpGroup)).one()
    path = f"/login/users/groups/{group.id}"
    assert (made.location, group.code_name) == (path, "lyon_lab")
    assert "exists already" in administrator.post(new, page=new, name="LYON LAB").text
    number = people.technician.id
    administrator.post(f"{path}/members", page=path, user_id=number, role=2)
    assert _role(database, group.id, number) == 2
    again = administrator.post(f"{path}/members", page=path, user_id=number, role=2)
    assert "already" in administrator.get(again.location.partition("#")[0]).text
    administrator.post(f"{path}/members/{number}", page=path, role=0)
    assert _role(database, group.id, number) is None
    assert "Lyon lab" in administrator.get(f"/login/users/{number}/groups").text
    part = administrator.get(f"/login/users/{number}/groups", **{"HX-Request": "true"}).text
    assert "<html" not in part
    assert "Lyon lab" in part
    administrator.post(f"{path}/members/{number}/remove", page=path)
    assert "No member yet" in administrator.get(path).text
    assert administrator.post(f"{path}/delete", page=path).location == "/login/users/groups"


def _role(database: Database, group_id: int, user_id: int) -> int | None:
    with database.work(system_actor(), read_only=True) as work:
        return groups.member(work, group_id, user_id).jump_item_role_id


def test_a_group_with_jump_clients_is_not_deleted(
    administrator: Browser, database: Database
) -> None:
    Stage(database).online()
    with database.work(system_actor(), read_only=True) as work:
        group = work.session.scalars(select(JumpGroup)).first()
    assert group is not None
    path = f"/login/users/groups/{group.id}"
    answer = administrator.post(f"{path}/delete", page=path)
    assert answer.location == path
    assert "Jump Clients" in administrator.get(path).text


def test_a_role_is_made_used_and_deleted(
    administrator: Browser, people: People, database: Database
) -> None:
    new = "/login/users/roles/new"
    assert administrator.post(new, page=new, name="Night shift", perm_start="y").status_code == 302
    with database.work(system_actor()) as work:
        role = work.session.scalars(
            select(JumpItemRole).where(JumpItemRole.name == "Night shift")
        ).one()
        group = groups.create(work, name="Lab")
        groups.add_member(work, group.id, people.technician.id, role.id)
    assert (role.perm_start, role.perm_edit_tag) == (True, False)
    path = f"/login/users/roles/{role.id}"
    assert administrator.post(path, page=path, name="Night", perm_edit_tag="y").status_code == 302
    page = administrator.get(path).text
    assert "1 memberships have this role" in page
    assert "<li>Tag</li>" in page, "what deleting it would take away"
    administrator.post(f"{path}/delete", page=path)
    assert "give them another one first" in administrator.get(path).text
    with database.work(system_actor()) as work:
        groups.change_member(work, group.id, people.technician.id, None)
    assert administrator.post(f"{path}/delete", page=path).location == "/login/users/roles"
    administrator.post("/login/users/roles/1/delete", page="/login/users/roles/1")
    assert administrator.get("/login/users/roles/1").status_code == 200, "the default one stays"


def test_an_api_account_is_made_renewed_and_deleted(
    administrator: Browser, database: Database
) -> None:
    new = "/login/users/api-accounts/new"
    fields = {"name": "ansible", "perm_command": "read_only", "enabled": "y"}
    wrong = administrator.post(new, page=new, **fields, ip_addresses="nowhere")
    assert "Not a list of addresses" in wrong.text
    made = administrator.post(new, page=new, **fields, ip_addresses="192.0.2.0/24")
    secrets = re.findall(r'<pre id="client-secret"[^>]*>([^<]+)</pre>', made.text)
    assert (made.status_code, len(secrets)) == (201, 1)
    with database.work(system_actor(), read_only=True) as work:
        account = work.session.scalars(select(ApiAccount)).one()
    assert (account.perm_command, account.ip_addresses) == ("read_only", "192.0.2.0/24")
    path = f"/login/users/api-accounts/{account.id}"
    assert secrets[0] not in administrator.get(path).text
    renewed = administrator.post(f"{path}/secret", page=path).text
    assert 'id="client-secret"' in renewed
    assert secrets[0] not in renewed
    change = {**fields, "ip_addresses": "", "comments": "of the lab"}
    assert administrator.post(path, page=path, **change).status_code == 302
    assert "of the lab" in administrator.get("/login/users/api-accounts").text
    assert administrator.post(f"{path}/delete", page=path).status_code == 302
    assert administrator.get(path).status_code == 404


def test_a_policy_is_made_changed_and_deleted(administrator: Browser, database: Database) -> None:
    new = "/login/users/policies/jump/new"
    fields = {"display_name": "One by one", "code_name": "one", "simultaneous_jumps": "disallow"}
    assert (
        "Letters, digits" in administrator.post(new, page=new, **{**fields, "code_name": "é"}).text
    )
    assert administrator.post(new, page=new, **fields).status_code == 302
    assert "exists already" in administrator.post(new, page=new, **fields).text
    with database.work(system_actor(), read_only=True) as work:
        made = work.session.scalars(select(JumpPolicy).where(JumpPolicy.code_name == "one")).one()
    path = f"/login/users/policies/jump/{made.id}"
    changed = {**fields, "display_name": "One at a time"}
    assert administrator.post(path, page=path, **changed).status_code == 302
    assert "One at a time" in administrator.get("/login/users/policies").text
    ruled = {
        **changed, "schedule_enabled": "y", "timezone": "Europe/Paris", "ticket_id_required": "y",
        "entries-0-start_day": "6", "entries-0-start_time": "22:00",
        "entries-0-end_day": "0", "entries-0-end_time": "06:00", "entries-1-start_day": "",
    }  # fmt: skip
    assert administrator.post(path, page=path, **ruled).status_code == 302
    page = administrator.get(path).text
    assert 'value="22:00"' in page
    assert "Europe/Paris" in page
    wrong = {**ruled, "timezone": "Mars/Olympus", "entries-0-end_time": "", "schedule_strict": "y"}
    refused = administrator.post(path, page=path, **{**wrong, "schedule_enabled": ""}).text
    for sentence in ("no such time zone", "Not a span", "Needs schedule_enabled"):
        assert sentence in refused
    assert administrator.post(f"{path}/delete", page=path).location == "/login/users/policies"
    administrator.post("/login/users/policies/jump/1/delete", page=new)
    assert administrator.get("/login/users/policies/jump/1").status_code == 200
    assert administrator.get("/login/users/policies/other/1").status_code == 404


def test_the_status_says_what_each_may_know(as_user: AsUser, database: Database) -> None:
    Stage(database).online()
    for name in ("administrator", "auditor"):
        page = as_user(name).get("/login/status").text
        assert "Workers" in page
        assert "Technicians signed in" in page
    technician = as_user("technician")
    page = technician.get("/login/status").text
    assert "Workers" not in page
    assert "Sessions now" in page
    part = technician.get("/login/status", **{"HX-Request": "true"}).text
    assert "<html" not in part
