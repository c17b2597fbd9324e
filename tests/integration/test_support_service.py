"""The rules of support sessions on both databases: keys, who may do what, every pin error."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import select
from tremplin_agent import wire
from tremplin_agent.terms import Capability
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database
from tremplin_server.errors import TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.sessions import service as sessions
from tremplin_server.sessions.models import Front
from tremplin_server.sessions.service import Request
from tremplin_server.support import customer, downloads, members, pins, service
from tremplin_server.support.customer import AttendRequest, Position
from tremplin_server.support.models import SupportSession, SupportState

from tests.conftest import MovableClock
from tests.personas import People, api_of

PIN = b"p" * 32
SHELL = Request(Front.TERMINAL, capabilities=(Capability.SHELL,), ports=(), open=True)
FILES = Request(Front.FILES, capabilities=(Capability.SFTP,), ports=(), open=True)


@dataclass
class Client:
    """A customer's client without a network."""

    database: Database
    key: str
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    position: Position = field(default_factory=Position)
    support_id: int = 0
    fingerprint: str = field(default_factory=lambda: secrets.token_hex(32))

    def attend(self, pin: bytes = PIN, **facts: Any) -> None:
        nonce = secrets.token_bytes(32)
        signature = self.private.sign(wire.attend_bytes(self.key, nonce, pin))
        attend = wire.Attend(
            self.key,
            wire.b64encode(self.private.public_key().public_bytes_raw()),
            wire.b64encode(signature),
            wire.b64encode(pin),
            {"hostname": "desk", "console_user": "ann", **facts},
        )
        hello = wire.Hello(1, "0.1.0", "linux-64", self.fingerprint)
        request = AttendRequest(hello, attend, nonce, "192.0.2.7")
        with self.database.work(system_actor()) as work:
            found = customer.attend(work, request, frozenset({PIN}))
        self.support_id = found.support_id
        with self.database.work(system_actor()) as work:
            assert customer.arrived(work, self.support_id, "worker")

    def hears(self) -> list[Any]:
        with self.database.work(system_actor()) as work:
            said, self.position = customer.outgoing(work, self.support_id, self.position)
        return [message for message in said if not isinstance(message, wire.Chat)]

    def answers(self, number: int, *granted: str) -> None:
        answer = wire.Answer(dict.fromkeys(granted, True), number)
        with self.database.work(system_actor()) as work:
            customer.answered(work, self.support_id, answer)

    def leaves(self) -> None:
        with self.database.work(system_actor()) as work:
            customer.departed(work, self.support_id, "worker")


@dataclass
class Desk:
    """What a technician does, and with which error it ends."""

    database: Database
    actor: Actor

    def does(self, act: Any, *args: Any, **more: Any) -> str:
        """Return the code of the error, or nothing."""
        try:
            with self.database.work(self.actor) as work:
                act(work, *args, **more)
        except TremplinError as error:
            return error.code
        return ""


@pytest.fixture
def tech(database: Database, people: People) -> Desk:
    return Desk(database, people.technician)


@pytest.fixture
def admin(database: Database, people: People) -> Desk:
    return Desk(database, people.administrator)


def made(desk: Desk, **values: Any) -> Client:
    with desk.database.work(desk.actor) as work:
        created = service.create(work, **values)
        client = Client(desk.database, created.key)
        client.support_id = created.session.id
    return client


def active(desk: Desk, *granted: str) -> Client:
    client = made(desk)
    client.attend()
    assert desk.does(service.take, client.support_id) == ""
    (ask,) = client.hears()
    client.answers(ask.number, *(granted or service.GRANTS))
    return client


def kept(database: Database, client: Client) -> SupportSession:
    with database.work(system_actor()) as work:
        return work.session.get_one(SupportSession, client.support_id)


# --- keys -----------------------------------------------------------------------------------


def test_a_key_is_forgiving_and_good_once(
    database: Database, tech: Desk, clock: MovableClock
) -> None:
    client = made(tech)
    assert kept(database, client).key_hash not in (None, client.key)
    client.key = client.key.lower().replace("-", " ")
    other = Client(database, client.key)
    with pytest.raises(TremplinError) as caught:
        other.attend(pin=b"x" * 32)
    assert caught.value.code == "enrol.bad_proof"
    client.attend()
    client.attend()
    with pytest.raises(TremplinError) as caught:
        other.attend()
    assert caught.value.code == "support.key_used"
    for wrong in ("ACD-EFG-HJK", "0", "ACD-EFG-H0K"):
        with pytest.raises((TremplinError, wire.WireError)):
            Client(database, wrong).attend()


def test_a_key_that_nobody_uses_ends(database: Database, tech: Desk, clock: MovableClock) -> None:
    client = made(tech, valid_minutes=5)
    with database.work(system_actor()) as work:
        assert downloads.require(work, client.key).id == client.support_id
    clock.forward(minutes=5)
    with pytest.raises(TremplinError) as caught:
        client.attend()
    assert caught.value.code == "support.key_unknown"
    with database.work(system_actor()) as work:
        customer.sweep(work, ())
    assert kept(database, client).end_code == "support.key_expired"


@pytest.mark.parametrize(
    "values", [{"valid_minutes": 4}, {"valid_minutes": 1441}, {"wanted": []}, {"wanted": ["x"]}]
)
def test_values_that_are_not_taken(tech: Desk, values: dict[str, Any]) -> None:
    assert tech.does(service.create, **values) == "request.invalid"


# --- who may do what ------------------------------------------------------------------------


def test_who_may_do_what(database: Database, people: People, tech: Desk, admin: Desk) -> None:
    client = made(tech)
    number = client.support_id
    outsider, auditor = Desk(database, people.outsider), Desk(database, people.auditor)
    assert tech.does(service.take, number) == "support.no_customer"
    client.attend()
    assert auditor.does(service.take, number) == "auth.denied"
    assert auditor.does(service.create) == "auth.denied"
    assert tech.does(service.take, number) == ""
    assert tech.does(service.take, number) == ""
    assert outsider.does(service.take, number) == "support.taken"
    for act in (service.ask, service.raise_rights, members.leave):
        assert outsider.does(act, number) == "support.not_in"
    assert outsider.does(service.say, number, "hi") == "support.not_in"
    assert outsider.does(members.join, number) == "support.not_in"
    assert outsider.does(service.end, number) == "support.not_owner"
    assert tech.does(sessions.start, -number, SHELL) == "support.no_answer"
    assert tech.does(service.raise_rights, number) == "support.no_answer"
    (ask,) = client.hears()
    client.answers(ask.number + 1, "shell")
    assert kept(database, client).state == SupportState.ASKED, "an answer to no question"
    client.answers(ask.number, "shell", "more")
    assert kept(database, client).granted == ["shell"]
    assert outsider.does(sessions.start, -number, SHELL) == "support.not_in"
    assert tech.does(sessions.start, -number, FILES) == "support.not_granted"
    assert tech.does(service.raise_rights, number) == "support.not_granted"
    assert tech.does(members.leave, number) == "support.owner_stays"
    assert tech.does(members.invite, number, "nobody") == "support.nobody_to_add"
    assert tech.does(members.invite, number, "auditor") == "support.nobody_to_add"
    assert tech.does(members.invite, number, "outsider") == ""
    assert outsider.does(members.join, number) == ""
    assert outsider.does(members.transfer, number, "technician") == "support.not_owner"
    client.leaves()
    assert tech.does(service.ask, number) == "support.customer_away"
    assert tech.does(sessions.start, -number, SHELL) == "support.customer_away"
    client.attend(elevated=True)
    assert kept(database, client).elevated
    client.answers(0, "shell", "elevation")
    assert tech.does(service.raise_rights, number) == "support.elevated"
    assert outsider.does(members.leave, number) == ""
    assert admin.does(service.end, number) == ""
    assert tech.does(service.say, number, "hi") == "support.ended"
    (end,) = client.hears()
    assert end == wire.SupportEnd("support.closed")


def test_a_customer_that_does_not_come_back(
    database: Database, tech: Desk, clock: MovableClock
) -> None:
    client = active(tech)
    with database.work(system_actor()) as work:
        customer.sweep(work, ("another",))
    assert kept(database, client).worker_id is None
    clock.forward(minutes=customer.AWAY_MINUTES, seconds=1)
    with database.work(system_actor()) as work:
        customer.sweep(work, ())
    assert kept(database, client).end_code == "support.customer_lost"


# --- attaching ------------------------------------------------------------------------------


@pytest.fixture
def group(database: Database) -> dict[str, Any]:
    with database.work(system_actor()) as work:
        number = groups.create(work, name="Desks", code_name="desks").id
    return {"jump_group_type": "shared", "jump_group_id": number}


def answer(database: Database, client: Client, code: str) -> None:
    """Answer the request that the client hears of."""
    (pin,) = client.hears()
    assert wire.KeyInfo.decode(pin.key_info).installer_id
    with database.work(system_actor()) as work:
        customer.pinned(work, client.support_id, wire.PinAnswer(pin.number, code, "why"))


def newest(database: Database, client: Client) -> str:
    with database.work(system_actor()) as work:
        session = work.session.get_one(SupportSession, client.support_id)
        pin = pins.latest(work, session)
        assert pin is not None
        assert pin.ended_at is not None
        return pin.code


def test_every_reason_not_to_attach(
    database: Database, admin: Desk, group: dict[str, Any], clock: MovableClock
) -> None:
    early = made(admin)
    assert admin.does(pins.request, early.support_id, **group) == "pin.no_customer"
    client = active(admin)
    number = client.support_id
    assert admin.does(pins.request, number, **group) == ""
    assert admin.does(pins.request, number, **group) == "pin.pending"
    for told, known in (
        ("pin.refused", "pin.refused"),
        ("limit.total", "limit.total"),
        ("limit.active", "limit.active"),
        ("enrol.duplicate_refused", "pin.already"),
        ("what.ever", "pin.failed"),
        ("", "pin.failed"),
    ):
        answer(database, client, told)
        assert newest(database, client) == known
        assert admin.does(pins.request, number, **group) == ""
    clock.forward(minutes=pins.VALID_MINUTES, seconds=1)
    with database.work(system_actor()) as work:
        customer.sweep(work, ("worker",))
    assert newest(database, client) == "pin.timeout"
    client.leaves()
    assert admin.does(pins.request, number, **group) == "pin.customer_offline"
    client.attend()
    assert admin.does(pins.request, number, **group) == ""
    assert admin.does(service.end, number) == ""
    assert newest(database, client) == "pin.customer_offline"
    assert admin.does(pins.request, number, **group) == "pin.no_customer"


def test_a_computer_that_has_a_jump_client_or_no_room_for_one(
    app: Flask, database: Database, admin: Desk, group: dict[str, Any], make_app: Any
) -> None:
    client = active(admin)
    with database.work(system_actor()) as work:
        work.session.add(
            JumpClient(
                name="desk",
                public_key=b"k" * 32,
                fingerprint=client.fingerprint,
                shared_group_id=group["jump_group_id"],
                state=State.ONLINE,
                worker_id="worker",
                created_at=work.now(),
                updated_at=work.now(),
                statistics={},
                hostname="desk",
                fqdn="desk",
            )
        )
    assert admin.does(pins.request, client.support_id, **group) == "pin.already"
    # What another user of the computer has for himself alone is not this customer's.
    for run_as, code in (("carl", "pin.already"), ("somebody", "")):
        with database.work(system_actor()) as work:
            (record,) = work.session.scalars(select(JumpClient))
            record.install_mode, record.run_as = "user", run_as
            session = work.session.get(SupportSession, client.support_id)
            assert session is not None
            session.console_user = "carl"
        assert admin.does(pins.request, client.support_id, **group) == code
    for limit, code in (("limit_clients", "limit.total"), ("limit_active_clients", "limit.active")):
        full: Database = make_app(**{limit: 1}).extensions["tremplin"]
        desk = Desk(full, admin.actor)
        assert desk.does(pins.request, active(desk).support_id, **group) == code


def test_a_technician_attaches_only_where_he_may(tech: Desk, group: dict[str, Any]) -> None:
    client = active(tech)
    assert tech.does(pins.request, client.support_id, **group) == "role.perm_add"


# --- the API --------------------------------------------------------------------------------


def test_programs_make_and_end_sessions(app: Flask) -> None:
    api = api_of(app)
    made = api.post("/support-session", {"permissions": ["shell"], "reason": "printer"})
    assert made.status_code == 201, made.text
    assert made.json["session_key"] in made.json["link"]
    assert made.json["permissions"] == ["shell"]
    number = made.json["id"]
    (listed,) = api.get("/support-session?state=open").json
    assert listed["id"] == number
    assert "session_key" not in listed
    assert api.get(f"/support-session/{number}").json["reason"] == "printer"
    assert api.post(f"/support-session/{number}/end").json["end_code"] == "support.closed"
    assert api.post("/support-session", {"valid_minutes": 1}).status_code == 422
    assert api.get("/support-session/999").json["code"] == "support.missing"
