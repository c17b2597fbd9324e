"""Requests for approval: made by a start, decided by others, used and over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from tremplin_server.accounts import service as accounts
from tremplin_server.audit.models import AuditEvent
from tremplin_server.clients import service as clients
from tremplin_server.db import Database
from tremplin_server.errors import NotFound, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.mail.models import Mail
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.policies import changes
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.policies.refusal import PolicyRefusal
from tremplin_server.sessions import approvals, service
from tremplin_server.sessions.approval_models import JumpApproval
from tremplin_server.sessions.models import Front
from tremplin_server.sessions.service import Request, Started

from tests.conftest import MovableClock
from tests.personas import Api, People, add_user
from tests.stage import Agent, Stage

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP " + "tests"
ASKED = Request(Front.TERMINAL, keys=(KEY,), reason="disk", ticket_id="INC-7")


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def agent(stage: Stage) -> Agent:
    return stage.online()


@pytest.fixture
def technician(stage: Stage, agent: Agent, people: People) -> Actor:
    join(stage, people.technician)
    return people.technician


@pytest.fixture
def colleague(stage: Stage, technician: Actor) -> Actor:
    """Another technician of the group."""
    actor = accounts.actor_of_user(add_user(stage.database, "colleague"), "192.0.2.2")
    join(stage, actor)
    return actor


def join(stage: Stage, actor: Actor) -> None:
    with stage.database.work(system_actor()) as work:
        groups.add_member(work, stage.group.id, actor.id, 2)


def govern(stage: Stage, agent: Agent, **rules: Any) -> int:
    with stage.database.work(system_actor()) as work:
        values = {"display_name": "Asks", "approval_required": True, **rules}
        policy = changes.create(work, JumpPolicy, values)
        clients.update(work, agent.client_id, {"jump_policy_id": policy.id})
        return policy.id


def start(stage: Stage, agent: Agent, actor: Actor, asked: Request = ASKED) -> Started:
    with stage.database.work(actor) as work:
        return service.start(work, agent.client_id, asked)


def ask(stage: Stage, agent: Agent, actor: Actor, asked: Request = ASKED) -> int:
    """Return the number of the request that a refused start makes."""
    with pytest.raises(PolicyRefusal) as caught:
        start(stage, agent, actor, asked)
    number = caught.value.details()["approval_id"]
    assert isinstance(number, int)
    assert str(number) in caught.value.text("fr")
    return number


def decide(stage: Stage, actor: Actor, number: int, what: Any, *comment: str) -> JumpApproval:
    with stage.database.work(actor) as work:
        made: JumpApproval = what(work, number, *comment)
        return made


def refused(stage: Stage, actor: Actor, number: int, what: Any = approvals.approve) -> str:
    with pytest.raises(TremplinError) as caught:
        decide(stage, actor, number, what)
    return caught.value.code


def test_two_technicians(
    stage: Stage, agent: Agent, technician: Actor, colleague: Actor, clock: MovableClock
) -> None:
    govern(stage, agent, approver_user_ids=[colleague.id], approval_minutes=30)
    number = ask(stage, agent, technician)
    assert ask(stage, agent, technician) == number
    with stage.database.work(colleague, read_only=True) as work:
        (waiting,) = work.session.scalars(approvals.waiting(work))
        assert (waiting.requester, waiting.reason, waiting.ticket_id) == (
            "technician", "disk", "INC-7",
        )  # fmt: skip
    assert refused(stage, technician, number) == "approval.own"
    made = decide(stage, colleague, number, approvals.approve, " go ahead ")
    assert (made.decided_by, made.comment) == ("colleague", "go ahead")
    assert refused(stage, colleague, number, approvals.deny) == "approval.decided"
    assert start(stage, agent, technician)
    ask(stage, agent, colleague)
    clock.forward(minutes=30)
    assert ask(stage, agent, technician) != number
    with stage.database.work(system_actor(), read_only=True) as work:
        events = work.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        told = [e for e in events if e.action.startswith("approval.")]
        assert approvals.state_of(made, clock.now()) == "over"
    assert [e.action for e in told][:2] == ["approval.requested", "approval.approved"]
    assert (told[1].reason, told[1].detail["requester"]) == ("go ahead", "technician")


def test_denied_withdrawn_and_expired_let_nobody_in(
    stage: Stage, agent: Agent, technician: Actor, colleague: Actor, clock: MovableClock
) -> None:
    govern(stage, agent, approver_group_ids=[stage.group.id], approval_request_minutes=10)
    first = ask(stage, agent, technician)
    decide(stage, colleague, first, approvals.deny, "no")
    second = ask(stage, agent, technician)
    assert refused(stage, colleague, second, approvals.withdraw) == "auth.denied"
    decide(stage, technician, second, approvals.withdraw)
    third = ask(stage, agent, technician)
    assert len({first, second, third}) == 3
    clock.forward(minutes=10)
    assert refused(stage, colleague, third) == "approval.expired"
    with stage.database.work(technician, read_only=True) as work:
        states = {
            state: list(work.session.scalars(approvals.query(work, state=state)))
            for state in ("denied", "withdrawn", "expired", "pending", "approved")
        }
    assert [len(rows) for rows in states.values()] == [1, 1, 1, 0, 0]


def test_an_approval_may_count_for_everybody(
    stage: Stage, agent: Agent, technician: Actor, colleague: Actor, people: People
) -> None:
    govern(stage, agent, approver_roles=["administrator"], approval_for_anyone=True)
    number = ask(stage, agent, technician)
    decide(stage, people.administrator, number, approvals.approve)
    assert start(stage, agent, colleague)


def test_reason_and_ticket_come_before_the_request(
    stage: Stage, agent: Agent, technician: Actor, colleague: Actor
) -> None:
    govern(stage, agent, approver_user_ids=[colleague.id], ticket_id_required=True)
    with pytest.raises(PolicyRefusal) as caught:
        start(stage, agent, technician, replace(ASKED, ticket_id=""))
    assert caught.value.details()["needs"] == ["ticket", "approval"]
    assert "approval_id" not in caught.value.details()
    assert ask(stage, agent, technician)


def test_the_outsider_sees_and_decides_nothing(
    stage: Stage, agent: Agent, technician: Actor, colleague: Actor, people: People
) -> None:
    govern(stage, agent, approver_user_ids=[colleague.id])
    number = ask(stage, agent, technician)
    for actor, codes in (
        (people.outsider, {"request.not_found"}),
        (people.auditor, {"auth.denied"}),
        (people.administrator, {"auth.denied"}),
    ):
        assert {
            refused(stage, actor, number, one) for one in (approvals.approve, approvals.deny)
        } == codes
    with stage.database.work(people.outsider) as work, pytest.raises(NotFound):
        approvals.get(work, number)


def test_letters_go_to_the_approvers_and_back(
    stage: Stage, agent: Agent, technician: Actor, colleague: Actor
) -> None:
    govern(stage, agent, approver_user_ids=[colleague.id, technician.id])
    with stage.database.work(system_actor()) as work:
        for actor in (colleague, technician):
            accounts.update(work, actor.id, {"email_address": f"{actor.name}@example.org"})
    config = replace(stage.database.config, smtp_host="mail.example.org", secret_key="k" * 32)
    posting = Stage(replace(stage.database, config=config))
    number = ask(posting, agent, technician)
    decide(posting, colleague, number, approvals.approve)
    with posting.database.work(system_actor(), read_only=True) as work:
        told = list(work.session.scalars(select(Mail.recipient).order_by(Mail.id)))
    assert told == ["colleague@example.org", "technician@example.org"]


def test_a_program_decides_by_the_api(
    stage: Stage, agent: Agent, technician: Actor, api: Api
) -> None:
    govern(stage, agent, approver_roles=["administrator"])
    number = ask(stage, agent, technician)
    (listed,) = api.get("/jump-approval?state=pending").json
    assert (listed["id"], listed["requester"], listed["state"]) == (number, "technician", "pending")
    path = f"/jump-approval/{number}"
    done = api.post(f"{path}/approve", {"comment": "by chat"})
    assert (done.status_code, done.json["comment"]) == (200, "by chat")
    assert api.get(path).json["state"] == "approved"
    assert api.post(f"{path}/deny").json["code"] == "approval.decided"
    assert api.post(f"{path}/withdraw").status_code == 403
    assert api.get("/jump-approval/999").status_code == 404
    assert start(stage, agent, technician)


def test_a_policy_names_who_decides(api: Api) -> None:
    body = {"display_name": "Nobody", "approval_required": True}
    refused = api.post("/jump-policy", body)
    assert list(refused.json["errors"]) == ["approval_required"]
    made = api.post("/jump-policy", {**body, "approver_roles": ["administrator"]})
    assert made.json["approval_minutes"] == 60
