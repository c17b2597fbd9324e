"""Users: signing in, administration, and what must never happen."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select
from tremplin_server.accounts import service
from tremplin_server.accounts.models import User
from tremplin_server.audit.models import AuditEvent
from tremplin_server.db import Database
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound, TremplinError
from tremplin_server.permissions import Actor, Permission, Role, system_actor

from tests.conftest import MovableClock
from tests.personas import PASSWORD, People, add_user

SYSTEM = system_actor()


def sign_in(database: Database, username: str, password: str) -> User:
    with database.work(SYSTEM) as work:
        return service.authenticate(work, username, password)


def refusal(database: Database, username: str, password: str) -> str:
    with pytest.raises(TremplinError) as caught:
        sign_in(database, username, password)
    return caught.value.code


def test_signing_in(database: Database, clock: MovableClock) -> None:
    add_user(database, "Zoé")
    assert sign_in(database, "zoÉ", PASSWORD).last_authentication == clock.now()
    assert refusal(database, "Zoé", "wrong") == "auth.bad_credentials"
    assert refusal(database, "nobody", PASSWORD) == "auth.bad_credentials"


def test_passwords_are_kept_as_argon2id(database: Database) -> None:
    assert add_user(database, "zoe").password_hash.startswith("$argon2id$")


def test_an_unknown_name_takes_as_long_as_a_known_one(database: Database) -> None:
    add_user(database, "zoe")

    def fastest(username: str) -> float:
        took = []
        for _ in range(3):
            start = time.perf_counter()
            refusal(database, username, "wrong")
            took.append(time.perf_counter() - start)
        return min(took)

    assert fastest("nobody") > fastest("zoe") / 3


def test_too_many_failures_lock_the_account_for_a_while(
    database: Database, clock: MovableClock
) -> None:
    add_user(database, "zoe")
    for _ in range(database.config.sign_in_attempts):
        assert refusal(database, "zoe", "wrong") == "auth.bad_credentials"
    assert refusal(database, "zoe", PASSWORD) == "auth.locked"
    clock.forward(minutes=database.config.sign_in_lock_minutes, seconds=1)
    assert sign_in(database, "zoe", PASSWORD).failed_logins == 0


def test_a_success_forgets_earlier_failures(database: Database) -> None:
    add_user(database, "zoe")
    for _ in range(3 * database.config.sign_in_attempts):
        refusal(database, "zoe", "wrong")
        sign_in(database, "zoe", PASSWORD)


def test_an_administrator_unlocks(database: Database, people: People) -> None:
    user = add_user(database, "zoe")
    for _ in range(database.config.sign_in_attempts):
        refusal(database, "zoe", "wrong")
    with database.work(people.administrator) as work:
        service.update(work, user.id, {"failed_logins": 0})
    assert sign_in(database, "zoe", PASSWORD).id == user.id


def test_a_disabled_account_is_refused(database: Database, people: People) -> None:
    user = add_user(database, "zoe")
    with database.work(people.administrator) as work:
        service.update(work, user.id, {"enabled": False})
    assert refusal(database, "zoe", PASSWORD) == "auth.disabled"


@pytest.mark.parametrize("changes", [{"password": "another password"}, {"enabled": False}])
def test_what_concerns_access_signs_out_everywhere(
    database: Database, people: People, changes: dict[str, object]
) -> None:
    user = add_user(database, "zoe")
    with database.work(people.administrator) as work:
        assert service.update(work, user.id, changes).session_epoch == user.session_epoch + 1
    with database.work(people.administrator) as work:
        same = service.update(work, user.id, {"email_address": "zoe@example.org"})
        assert same.session_epoch == user.session_epoch + 1


def test_names_are_unique_whatever_the_case(database: Database) -> None:
    add_user(database, "Zoé")
    with pytest.raises(Conflict) as caught:
        add_user(database, "ZOÉ")
    assert caught.value.code == "account.exists"


@pytest.mark.parametrize("password", ["short", "x" * 257])
def test_bad_passwords_are_refused(database: Database, password: str) -> None:
    with pytest.raises(Invalid) as caught, database.work(SYSTEM) as work:
        service.create(work, username="zoe", password=password)
    assert "password" in caught.value.fields


def test_own_password(database: Database, people: People) -> None:
    with database.work(people.technician) as work:
        with pytest.raises(Invalid):
            service.change_own_password(work, "wrong", "a newer password")
        service.change_own_password(work, PASSWORD, "a newer password")
    assert refusal(database, "technician", PASSWORD) == "auth.bad_credentials"
    assert sign_in(database, "technician", "a newer password")


def test_a_password_can_be_due(database: Database, clock: MovableClock) -> None:
    user = add_user(database, "zoe")
    with database.work(SYSTEM) as work:
        assert not service.must_change_password(work, user)
        service.update(work, user.id, {"password_expiration": clock.now()})
        assert service.must_change_password(work, service.get(work, user.id))


@pytest.mark.parametrize("changes", [{"role": Role.AUDITOR}, {"enabled": False}])
def test_the_last_administrator_stays(database: Database, changes: dict[str, object]) -> None:
    first = add_user(database, "first", Role.ADMINISTRATOR)
    with pytest.raises(Conflict) as caught, database.work(SYSTEM) as work:
        service.update(work, first.id, changes)
    assert caught.value.code == "account.last_administrator"
    add_user(database, "second", Role.ADMINISTRATOR)
    with database.work(SYSTEM) as work:
        service.update(work, first.id, changes)


def test_an_administrator_is_not_deleted(database: Database, people: People) -> None:
    with pytest.raises(Conflict) as caught, database.work(SYSTEM) as work:
        service.delete(work, people.administrator.id)
    assert caught.value.code == "account.administrator"


def test_deleting_a_user(database: Database, people: People) -> None:
    with database.work(people.administrator) as work:
        service.delete(work, people.technician.id)
    with pytest.raises(NotFound), database.work(people.administrator) as work:
        service.get(work, people.technician.id)


def test_what_is_done_is_audited_without_the_secret(database: Database, people: People) -> None:
    with database.work(people.administrator) as work:
        service.update(work, people.technician.id, {"password": "a newer password"})
    with database.work(SYSTEM) as work:
        last = work.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert last is not None
    assert (last.action, last.actor_name, last.source_ip) == (
        "user.changed", "administrator", "192.0.2.1",
    )  # fmt: skip
    assert last.subject_name == "technician"
    assert last.detail == {"password": "changed"}


@pytest.mark.parametrize("persona", ["technician", "auditor", "outsider"])
def test_only_administrators_change_accounts(
    database: Database, people: People, persona: str
) -> None:
    actor: Actor = getattr(people, persona)
    with database.work(actor) as work:
        with pytest.raises(Denied):
            service.create(work, username="evil", password=PASSWORD, role=Role.ADMINISTRATOR)
        with pytest.raises(Denied):
            service.update(work, actor.id, {"role": Role.ADMINISTRATOR})
        with pytest.raises(Denied):
            service.delete(work, people.technician.id)
        if not actor.may(Permission.ACCOUNTS_READ):
            with pytest.raises(Denied):
                service.query(work)
