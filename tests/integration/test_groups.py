"""Jump Groups: who sees them, who may do what in them, and when they can go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database, Work
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound
from tremplin_server.groups import service
from tremplin_server.groups.models import JumpGroup
from tremplin_server.installers.models import Installer
from tremplin_server.permissions import Actor, ItemPermission, system_actor

from tests.personas import People

SYSTEM = system_actor()
START_ONLY, NO_ACCESS = 2, 3


@pytest.fixture
def lab(database: Database, people: People) -> JumpGroup:
    """A shared group of which the technician is a member."""
    with database.work(people.administrator) as work:
        group = service.create(work, name="Lab", comments="for trials")
        service.add_member(work, group.id, people.technician.id)
    return group


def add_client(work: Work, owner: service.Owner, number: int = 1) -> JumpClient:
    client = JumpClient(
        public_key=bytes([number]) * 32,
        fingerprint="f" * 64,
        name=f"host-{number}",
        shared_group_id=owner.shared_group_id,
        owner_user_id=owner.owner_user_id,
        created_at=work.now(),
        updated_at=work.now(),
    )
    work.session.add(client)
    work.session.flush()
    return client


def add_installer(work: Work, owner: service.Owner) -> None:
    work.session.add(
        Installer(
            installer_id="0" * 32,
            secret_hash="0" * 64,
            created_at=work.now(),
            created_by="test",
            expires_at=work.now() + timedelta(days=1),
            valid_duration=1440,
            shared_group_id=owner.shared_group_id,
            owner_user_id=owner.owner_user_id,
        )
    )
    work.session.flush()


def test_code_names_are_made_of_names(database: Database) -> None:
    with database.work(SYSTEM) as work:
        made = [
            service.create(work, name=name).code_name
            for name in ("Été à Paris", "été-à paris", "日本")
        ]
    assert made == ["ete_a_paris", "ete_a_paris_2", "group"]


@pytest.mark.parametrize("values", [{"name": "LAB"}, {"name": "Other", "code_name": "Lab"}])
def test_names_and_code_names_are_unique(
    database: Database, lab: JumpGroup, values: dict[str, str]
) -> None:
    with pytest.raises(Conflict) as caught, database.work(SYSTEM) as work:
        service.create(work, **values)
    assert caught.value.code == "group.exists"


def test_changing_a_group_to_itself_is_no_change(database: Database, lab: JumpGroup) -> None:
    with database.work(SYSTEM) as work:
        service.update(work, lab.id, {"name": "Lab", "code_name": "LAB"})
        assert service.get(work, lab.id).code_name == "LAB"


def seen(database: Database, actor: Actor) -> list[str]:
    with database.work(actor) as work:
        return [group.name for group in work.session.scalars(service.query(work))]


def test_who_sees_a_shared_group(database: Database, people: People, lab: JumpGroup) -> None:
    for actor in (people.administrator, people.auditor, people.technician):
        assert seen(database, actor) == ["Lab"]
    assert seen(database, people.outsider) == []
    with database.work(people.outsider) as work, pytest.raises(NotFound):
        service.get(work, lab.id)


def test_who_sees_a_jump_item(database: Database, people: People, lab: JumpGroup) -> None:
    with database.work(SYSTEM) as work:
        add_client(work, service.owner(work, "shared", lab.id), 1)
        add_client(work, service.owner(work, "personal", people.technician.id), 2)
        add_client(work, service.owner(work, "personal", people.administrator.id), 3)

    def names(actor: Actor) -> set[str]:
        with database.work(actor) as work:
            query = service.visible(work, select(JumpClient), JumpClient)
            return {client.name for client in work.session.scalars(query)}

    assert names(people.technician) == {"host-1", "host-2"}
    assert names(people.outsider) == set()
    assert names(people.auditor) == names(people.administrator) == {"host-1", "host-2", "host-3"}


def allowed(database: Database, actor: Actor, owner: service.Owner) -> set[str]:
    with database.work(actor) as work:
        return {permission.value for permission in service.allowed(work, owner)}


EVERYTHING = {permission.value for permission in ItemPermission}
REPORT = "perm_view_jump_item_report"


@pytest.mark.parametrize(
    ("role", "expected"),
    [(None, EVERYTHING), (START_ONLY, {"perm_start", REPORT}), (NO_ACCESS, {REPORT})],
)
def test_a_role_says_what_a_member_may_do(
    database: Database, people: People, lab: JumpGroup, role: int | None, expected: set[str]
) -> None:
    with database.work(people.administrator) as work:
        service.change_member(work, lab.id, people.technician.id, role)
        owner = service.owner(work, "shared", lab.id)
    assert allowed(database, people.technician, owner) == expected
    assert allowed(database, people.outsider, owner) == set()
    assert allowed(database, people.administrator, owner) == EVERYTHING


def test_a_personal_group_is_its_users_own(database: Database, people: People) -> None:
    with database.work(SYSTEM) as work:
        owner = service.owner(work, "personal", people.technician.id)
    assert allowed(database, people.technician, owner) == EVERYTHING
    assert allowed(database, people.outsider, owner) == set()


@pytest.mark.parametrize("text", ["Lab", "lab", "jumpgroup:lab", "jumpgroup:LAB"])
def test_resolving_a_shared_group(database: Database, lab: JumpGroup, text: str) -> None:
    with database.work(SYSTEM) as work:
        assert service.resolve(work, text) == service.Owner(lab.id, None, "Lab")


def test_resolving_a_personal_group(database: Database, people: People) -> None:
    with database.work(SYSTEM) as work:
        owner = service.resolve(work, "user:Technician")
    assert owner == service.Owner(None, people.technician.id, "user:technician")


@pytest.mark.parametrize("text", ["", "other", "user:", "user:nobody", "jumpgroup:", "jumpgroup:x"])
def test_resolving_what_does_not_exist(database: Database, lab: JumpGroup, text: str) -> None:
    with database.work(SYSTEM) as work, pytest.raises(Invalid):
        service.resolve(work, text)


@pytest.mark.parametrize("kind", ["shared", "personal"])
def test_an_owner_must_exist(database: Database, kind: str) -> None:
    with database.work(SYSTEM) as work, pytest.raises(Invalid) as caught:
        service.owner(work, kind, 999)
    assert "jump_group_id" in caught.value.fields


def test_a_group_with_clients_is_not_deleted(database: Database, lab: JumpGroup) -> None:
    with database.work(SYSTEM) as work:
        add_client(work, service.owner(work, "shared", lab.id))
    with pytest.raises(Conflict) as caught, database.work(SYSTEM) as work:
        service.delete(work, lab.id)
    assert caught.value.code == "group.not_empty"
    assert caught.value.parameters["count"] == 1


def test_installers_go_with_their_group(database: Database, lab: JumpGroup) -> None:
    with database.work(SYSTEM) as work:
        add_installer(work, service.owner(work, "shared", lab.id))
        service.delete(work, lab.id)
    with database.work(SYSTEM) as work:
        assert work.session.scalars(select(Installer)).all() == []
        assert work.session.scalars(select(JumpGroup)).all() == []


def test_a_user_with_personal_clients_is_not_deleted(database: Database, people: People) -> None:
    from tremplin_server.accounts import service as accounts

    with database.work(SYSTEM) as work:
        add_client(work, service.owner(work, "personal", people.technician.id))
    with pytest.raises(Conflict) as caught, database.work(SYSTEM) as work:
        accounts.delete(work, people.technician.id)
    assert caught.value.code == "group.not_empty"


def test_members(database: Database, people: People, lab: JumpGroup) -> None:
    with database.work(people.administrator) as work:
        with pytest.raises(Invalid):
            service.add_member(work, lab.id, people.technician.id)
        with pytest.raises(Invalid):
            service.add_member(work, lab.id, 999)
        with pytest.raises(Invalid):
            service.add_member(work, lab.id, people.outsider.id, 999)
        service.remove_member(work, lab.id, people.technician.id)
        with pytest.raises(NotFound):
            service.member(work, lab.id, people.technician.id)


@pytest.mark.parametrize("persona", ["technician", "auditor", "outsider"])
def test_only_administrators_change_groups(
    database: Database, people: People, lab: JumpGroup, persona: str
) -> None:
    with database.work(getattr(people, persona)) as work:
        with pytest.raises(Denied):
            service.create(work, name="Mine")
        with pytest.raises(Denied):
            service.update(work, lab.id, {"name": "Mine"})
        with pytest.raises(Denied):
            service.delete(work, lab.id)
        with pytest.raises(Denied):
            service.add_member(work, lab.id, people.outsider.id)
