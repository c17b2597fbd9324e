"""SSH keys and second factors: whose they are, what they must look like, who may touch them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select
from tremplin_server.accounts import callers, programs, service, ssh_keys, totp
from tremplin_server.accounts.models import SshKey, User
from tremplin_server.audit.models import AuditEvent
from tremplin_server.db import Database, Work
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound, TremplinError
from tremplin_server.permissions import Actor, ActorKind, system_actor

from tests.conftest import MovableClock
from tests.personas import PASSWORD, Api, People

ADDRESS = "192.0.2.7"
KINDS = {
    "ed25519": ["-t", "ed25519"],
    "ecdsa": ["-t", "ecdsa", "-b", "384"],
    "rsa": ["-t", "rsa", "-b", "2048"],
}


def made(directory: Path, *words: str, name: str = "key") -> str:
    """Make a key pair with ssh-keygen and return the public line."""
    file = directory / name
    command = ["ssh-keygen", "-q", "-N", "", "-C", "zoe@desk", "-f", str(file), *words]
    subprocess.run(command, check=True)
    return file.with_suffix(".pub").read_text("ascii")


@pytest.fixture
def line(tmp_path: Path) -> str:
    return made(tmp_path, "-t", "ed25519")


def user_of(work: Work, actor: Actor) -> User:
    found = work.session.get(User, actor.id)
    assert found is not None
    return found


def actions(database: Database) -> list[str]:
    with database.work(system_actor(), read_only=True) as work:
        return list(work.session.scalars(select(AuditEvent.action).order_by(AuditEvent.id)))


# --- keys -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_known_by_the_fingerprint_that_ssh_keygen_shows(tmp_path: Path, kind: str) -> None:
    text = made(tmp_path, *KINDS[kind])
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, text=True
    ).stdout
    parsed = ssh_keys.parse(text)
    assert parsed.fingerprint == shown.split()[1]
    assert parsed.comment == "zoe@desk"
    assert parsed.line == " ".join(text.split()[:2])


WRONG = {
    "nothing": " ",
    "no key": "hello world",
    "cut": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA",
    "no base64": "ssh-ed25519 é",
    "old": "ssh-dss AAAAB3NzaC1kc3MAAACBAP",
    "private": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n",
    "options": 'command="ls" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA',
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_is_no_public_key_is_refused_in_both_languages(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        ssh_keys.parse(text)
    english, french = (raised.value.fields_in(tag)["public_key"] for tag in ("en", "fr"))
    assert english != french


def test_two_keys_or_a_small_one_or_another_kind_in_front_are_refused(tmp_path: Path) -> None:
    small = made(tmp_path, "-t", "rsa", "-b", "1024", name="small")
    good = made(tmp_path, "-t", "ed25519", name="good")
    for text in (small, good + good, good.replace("ssh-ed25519", "ssh-rsa")):
        with pytest.raises(Invalid):
            ssh_keys.parse(text)


def test_people_see_to_their_own_keys_only(database: Database, people: People, line: str) -> None:
    with database.work(people.technician) as work:
        own = ssh_keys.add(work, ssh_keys.acting_owner(work), line)
    with database.work(people.outsider) as work:
        other = user_of(work, people.technician)
        for attempt in (
            lambda: ssh_keys.add(work, other, line),
            lambda: ssh_keys.query(work, other),
            lambda: ssh_keys.remove(work, other, own.id),
        ):
            with pytest.raises(Denied):
                attempt()
        with pytest.raises(NotFound):
            ssh_keys.get(work, ssh_keys.acting_owner(work), own.id)
    with database.work(people.auditor) as work:
        other = user_of(work, people.technician)
        assert work.session.scalars(ssh_keys.query(work, other)).all()
        with pytest.raises(Denied):
            ssh_keys.remove(work, other, own.id)
    with database.work(people.administrator) as work:
        ssh_keys.remove(work, user_of(work, people.technician), own.id)
    assert actions(database)[-2:] == ["ssh_key.added", "ssh_key.removed"]


def test_a_key_belongs_to_one_account_and_goes_with_it(
    database: Database, people: People, line: str
) -> None:
    with database.work(people.administrator) as work:
        ssh_keys.add(work, user_of(work, people.technician), line)
        account, _secret = programs.create(work, name="ansible")
        with pytest.raises(Conflict) as raised:
            ssh_keys.add(work, account, line)
        assert raised.value.code == "ssh_key.taken"
        service.delete(work, people.technician.id)
        assert not work.session.scalars(select(SshKey)).all()
        ssh_keys.add(work, account, line, comment="controller")


def test_the_api_registers_lists_and_removes_keys(api: Api, tmp_path: Path) -> None:
    user = api.post(
        "/user",
        {
            "username": "zoe",
            "password": PASSWORD,
            "public_display_name": "Zoe",
            "private_display_name": "Zoe",
        },
    ).json
    account = api.post("/api-account", {"name": "controller"}).json
    owners = ["", f"/user/{user['id']}", f"/api-account/{account['id']}"]
    for number, owner in enumerate(owners):
        line = made(tmp_path, "-t", "ed25519", name=f"key{number}")
        answer = api.post(f"{owner}/ssh-key", {"public_key": line})
        assert answer.status_code == 201, answer.text
        key = answer.json
        assert key["comment"] == "zoe@desk"
        assert key["last_used"] is None
        listed = api.get(f"{owner}/ssh-key").json
        assert [one["id"] for one in listed] == [key["id"]]
        assert api.get(f"{owner}/ssh-key/{key['id']}").json == key
        others = [other for other in owners if other != owner]
        assert {api.get(f"{o}/ssh-key/{key['id']}").status_code for o in others} == {404}
        again = api.post(f"{owner}/ssh-key", {"public_key": line})
        assert (again.status_code, again.json["code"]) == (409, "ssh_key.taken")
    for owner in owners:
        (key,) = api.get(f"{owner}/ssh-key").json
        assert api.delete(f"{owner}/ssh-key/{key['id']}").status_code == 204
        assert api.get(f"{owner}/ssh-key").json == []


# --- who signs in over SSH ------------------------------------------------------------


def test_a_key_opens_for_its_own_account_only(
    database: Database, people: People, line: str
) -> None:
    with database.work(people.technician) as work:
        key = ssh_keys.add(work, ssh_keys.acting_owner(work), line)
    with database.work(system_actor()) as work:
        caller = callers.by_key(work, "Technician", key.fingerprint, ADDRESS)
        assert caller.actor.name == "technician"
        assert caller.actor.source_ip == ADDRESS
        assert caller.keys == (key.public_key,)
        callers.signed_in(work, caller)
        for name, fingerprint in (("outsider", key.fingerprint), ("technician", "SHA256:other")):
            with pytest.raises(TremplinError) as raised:
                callers.by_key(work, name, fingerprint, ADDRESS)
            assert raised.value.code == "auth.bad_credentials"
    with database.work(system_actor()) as work:
        used = work.session.get(SshKey, key.id)
        assert used is not None
        assert used.last_used == work.now()
    assert actions(database)[-1] == "user.signed_in"


def test_a_caller_is_asked_anew_before_anything_is_opened(
    database: Database, people: People, line: str
) -> None:
    with database.work(people.technician) as work:
        key = ssh_keys.add(work, ssh_keys.acting_owner(work), line)
        caller = callers.by_key(work, "technician", key.fingerprint, ADDRESS)
        assert callers.again(work, caller) == caller

    def code() -> str:
        with database.work(system_actor()) as work, pytest.raises(TremplinError) as raised:
            callers.again(work, caller)
        return raised.value.code

    with database.work(people.administrator) as work:
        service.update(work, people.technician.id, {"enabled": False})
    assert code() == "auth.disabled"
    with database.work(people.administrator) as work:
        service.update(work, people.technician.id, {"enabled": True})
    assert code() == "auth.required", "it was signed out everywhere"
    with database.work(people.technician) as work:
        caller = callers.by_key(work, "technician", key.fingerprint, ADDRESS)
        ssh_keys.remove(work, ssh_keys.acting_owner(work), key.id)
    assert code() == "auth.required"


def test_an_api_account_signs_in_from_where_it_may(database: Database, line: str) -> None:
    with database.work(system_actor()) as work:
        account, _secret = programs.create(work, name="ansible", ip_addresses="192.0.2.0/24")
        key = ssh_keys.add(work, account, line)
        caller = callers.by_key(work, "ansible", key.fingerprint, ADDRESS)
        assert caller.actor.kind is ActorKind.API_ACCOUNT
        with pytest.raises(Denied):
            callers.by_key(work, "ansible", key.fingerprint, "198.51.100.1")


# --- second factors -------------------------------------------------------------------


def with_factor(database: Database, actor: Actor) -> pyotp.TOTP:
    """Give the person a second factor and return what makes its codes."""
    with database.work(actor) as work:
        app = pyotp.TOTP(totp.begin(work).secret)
        totp.confirm(work, app.at(work.now()))
    return app


def test_a_second_factor_counts_once_its_first_code_was_right(
    database: Database, people: People, clock: MovableClock
) -> None:
    with database.work(people.technician) as work:
        setup = totp.begin(work)
        assert "technician" in setup.uri
        assert totp.pending(work) == setup
        with pytest.raises(Invalid):
            totp.confirm(work, "000000")
        assert not totp.enabled(work)
    app = pyotp.TOTP(setup.secret)
    with database.work(people.technician) as work:
        totp.confirm(work, app.at(clock.now()))
        assert totp.enabled(work)
        with pytest.raises(Conflict):
            totp.begin(work)
    assert actions(database)[-2:] == ["user.totp_enabled", "user.recovery_codes_made"]


def test_a_code_is_good_once_and_for_its_own_time(
    database: Database, people: People, clock: MovableClock
) -> None:
    app = with_factor(database, people.technician)
    clock.forward(seconds=90)

    def accepted(code: str) -> bool:
        with database.work(system_actor()) as work:
            return totp.accept(work, user_of(work, people.technician), code)

    now = app.at(clock.now())
    assert accepted(f"{now[:3]} {now[3:]}")
    assert not accepted(now), "a code is used up"
    clock.forward(seconds=30)
    assert not accepted(now)
    assert accepted(app.at(clock.now()))
    late = app.at(clock.now())
    clock.forward(seconds=90)
    assert not accepted(late)
    assert not any(accepted(wrong) for wrong in ("", "abcdef", "1234567", "١٢٣٤٥٦"))


def sign_in(database: Database, username: str, password: str, code: str) -> str:
    """Sign in with password and code; return who came in, or the error's code."""
    try:
        with database.work(system_actor()) as work:
            return callers.by_password(work, username, password, code, ADDRESS).actor.name
    except TremplinError as error:
        return error.code


def test_over_ssh_a_password_needs_a_second_factor(
    database: Database, people: People, clock: MovableClock
) -> None:
    assert sign_in(database, "technician", PASSWORD, "") == "auth.no_second_factor"
    app = with_factor(database, people.technician)
    clock.forward(seconds=30)
    assert sign_in(database, "technician", PASSWORD, app.at(clock.now())) == "technician"
    assert sign_in(database, "technician", PASSWORD, "000000") == "auth.bad_credentials"
    clock.forward(seconds=30)
    wrong = sign_in(database, "technician", "wrong password", app.at(clock.now()))
    assert wrong == "auth.bad_credentials"
    with database.work(people.administrator) as work:
        service.update(work, people.technician.id, {"password_reset_next_login": True})
    right = sign_in(database, "technician", PASSWORD, app.at(clock.now()))
    assert right == "auth.password_expired"


def test_wrong_codes_lock_the_account_although_the_password_is_right(
    database: Database, people: People, clock: MovableClock
) -> None:
    app = with_factor(database, people.technician)
    clock.forward(seconds=30)
    for _ in range(5):
        assert sign_in(database, "technician", PASSWORD, "000000") == "auth.bad_credentials"
    assert sign_in(database, "technician", PASSWORD, app.at(clock.now())) == "auth.locked"
    clock.forward(minutes=16)
    assert sign_in(database, "technician", PASSWORD, app.at(clock.now())) == "technician"


def test_only_the_password_or_an_administrator_takes_a_second_factor_away(
    database: Database, people: People, api: Api
) -> None:
    with_factor(database, people.technician)
    with database.work(people.technician) as work, pytest.raises(Invalid):
        totp.remove_own(work, "not the password")
    with database.work(people.outsider) as work, pytest.raises(Denied):
        totp.remove(work, people.technician.id)
    path = f"/user/{people.technician.id}"
    assert api.get(path).json["two_factor_enabled"] is True
    assert api.delete(f"{path}/second-factor").status_code == 204
    assert api.get(path).json["two_factor_enabled"] is False
    with_factor(database, people.technician)
    with database.work(people.technician) as work:
        assert totp.remove_own(work, PASSWORD)
