"""Jump Policies at the start of sessions: the rules with real rows, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import select, update
from tremplin_agent.terms import Capability
from tremplin_server.accounts import totp
from tremplin_server.accounts.models import User
from tremplin_server.audit.models import AuditEvent
from tremplin_server.clients import service as clients
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database
from tremplin_server.errors import Denied, Invalid, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.mail.models import Mail
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.policies import changes
from tremplin_server.policies.models import JumpPolicy, SessionPolicy
from tremplin_server.policies.refusal import PolicyRefusal
from tremplin_server.sessions import listing, policy_gate, service
from tremplin_server.sessions.models import Front, JumpSession
from tremplin_server.sessions.service import Request
from tremplin_server.shortcuts import connecting
from tremplin_server.shortcuts import service as shortcuts

from tests.conftest import MovableClock
from tests.personas import Api, People
from tests.stage import WORKER, Agent, Stage

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP " + "tests"
ASKED = Request(Front.TERMINAL, keys=(KEY,))
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WORK = {"start_day": 0, "start_time": "08:00", "end_day": 0, "end_time": "18:00"}


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def agent(stage: Stage, clock: MovableClock) -> Agent:
    clock.moment = MONDAY
    return stage.online()


@pytest.fixture
def technician(stage: Stage, agent: Agent, people: People) -> Actor:
    with stage.database.work(system_actor()) as work:
        groups.add_member(work, stage.group.id, people.technician.id, 2)
    return people.technician


def govern(stage: Stage, agent: Agent, **rules: Any) -> int:
    """Give the Jump Client a policy and return its id."""
    with stage.database.work(system_actor()) as work:
        policy = changes.create(work, JumpPolicy, {"display_name": "Ruled", **rules})
        clients.update(work, agent.client_id, {"jump_policy_id": policy.id})
        return policy.id


def start(stage: Stage, agent: Agent, actor: Actor, **asked: Any) -> JumpSession:
    with stage.database.work(actor) as work:
        started = service.start(work, agent.client_id, replace(ASKED, **asked))
    return session(stage, started.session_id)


def session(stage: Stage, session_id: str) -> JumpSession:
    with stage.database.work(system_actor(), read_only=True) as work:
        return listing.get(work, session_id)


def refusal(stage: Stage, agent: Agent, actor: Actor, **asked: Any) -> dict[str, object]:
    with pytest.raises(PolicyRefusal) as caught:
        start(stage, agent, actor, **asked)
    event = events(stage)[-1]
    assert (event.action, event.detail["rule"]) == ("session.refused", caught.value.rule)
    return caught.value.details()


def events(stage: Stage) -> list[AuditEvent]:
    with stage.database.work(system_actor(), read_only=True) as work:
        return list(work.session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def give_factor(stage: Stage, actor: Actor, clock: MovableClock) -> pyotp.TOTP:
    """Give a person a second factor, as long ago that its proof is old."""
    with stage.database.work(actor) as work:
        secret = pyotp.TOTP(totp.begin(work).secret)
        totp.confirm(work, secret.at(clock.now()))
    clock.forward(minutes=1)
    return secret


def test_a_schedule_refuses_and_says_when_it_opens(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    govern(stage, agent, schedule_entries=[WORK], timezone="Europe/Paris")
    assert start(stage, agent, technician).limit_code == "session.time_up"
    clock.moment = MONDAY.replace(hour=17)
    told = refusal(stage, agent, technician)
    assert told["opens_at"] == "2026-11-30T07:00:00+00:00"
    assert events(stage)[-1].detail["opens_at"] == told["opens_at"]


def test_a_strict_end_ends_sessions_with_a_warning(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    policy_id = govern(stage, agent, schedule_entries=[WORK], schedule_strict=True)
    clock.moment = MONDAY.replace(hour=17, minute=30)
    with stage.database.work(technician) as work:
        opening = service.start_here(work, agent.client_id, ASKED, WORKER)
    closes = MONDAY.replace(hour=18)
    assert (opening.expires_at, opening.limit_code) == (closes, "session.policy_closed")
    assert opening.terms.expires_at == closes.timestamp()
    assert opening.terms.warn_seconds == 300
    assert "5 min" in opening.terms.warning
    assert "session.policy_closed" in opening.terms.ends["session.time_up"]
    # What the agent and the clock of the worker call the end is told for what it is.
    with stage.database.work(system_actor()) as work:
        assert service.doomed(work, [opening.session_id]) == {}
        changes.update(
            work, JumpPolicy, policy_id, {"schedule_entries": [{**WORK, "end_time": "17:00"}]}
        )
    with stage.database.work(system_actor()) as work:
        assert service.doomed(work, [opening.session_id]) == {
            opening.session_id: "session.policy_closed"
        }
        service.ended(work, opening.session_id, "session.time_up")
    assert session(stage, opening.session_id).end_code == "session.policy_closed"


def test_a_schedule_that_is_not_strict_ends_nothing(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    govern(stage, agent, schedule_entries=[WORK])
    made = start(stage, agent, technician)
    clock.moment = MONDAY.replace(hour=20)
    with stage.database.work(system_actor()) as work:
        assert service.doomed(work, [made.id]) == {}


def test_a_longest_session(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    govern(stage, agent, max_session_minutes=30)
    made = start(stage, agent, technician)
    assert made.expires_at == clock.now() + timedelta(minutes=30)
    assert made.limit_code == "session.time_up"


def test_reason_and_ticket_are_kept_and_audited(
    stage: Stage, agent: Agent, technician: Actor
) -> None:
    policy_id = govern(stage, agent, reason_required=True, ticket_id_required=True)
    assert refusal(stage, agent, technician)["needs"] == ["reason", "ticket"]
    assert refusal(stage, agent, technician, reason="disk")["needs"] == ["ticket"]
    made = start(stage, agent, technician, reason="disk", ticket_id="INC-7 ")
    assert (made.ticket_id, made.jump_policy_id) == ("INC-7", policy_id)
    assert events(stage)[-1].detail["ticket_id"] == "INC-7"
    with pytest.raises(Invalid) as caught:
        start(stage, agent, technician, ticket_id="x" * 256)
    assert list(caught.value.fields) == ["ticket_id"]


def test_the_second_factor_is_asked_again(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    govern(
        stage, agent, two_factor_challenge_required=True, two_factor_minutes=10,
        ticket_id_required=True,
    )  # fmt: skip
    assert refusal(stage, agent, technician, ticket_id="1") == {"rule": "factor", "policy": "Ruled"}
    secret = give_factor(stage, technician, clock)
    clock.forward(minutes=10)
    assert refusal(stage, agent, technician, ticket_id="1")["needs"] == ["factor"]
    # A code is not spent on a start that something else refuses.
    code = secret.at(clock.now())
    assert refusal(stage, agent, technician, code=code)["needs"] == ["ticket", "factor"]
    assert start(stage, agent, technician, ticket_id="1", code=code)
    clock.forward(minutes=9)
    assert start(stage, agent, technician, ticket_id="1")
    clock.forward(minutes=1)
    assert refusal(stage, agent, technician, ticket_id="1")["needs"] == ["factor"]


def test_wrong_codes_are_counted_like_wrong_passwords(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    govern(stage, agent, two_factor_challenge_required=True)
    secret = give_factor(stage, technician, clock)
    right = secret.at(clock.now())
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    for _ in range(stage.database.config.sign_in_attempts):
        with pytest.raises(Invalid) as caught:
            start(stage, agent, technician, code=wrong)
        assert list(caught.value.fields) == ["code"]
    with pytest.raises(TremplinError) as locked:
        start(stage, agent, technician, code=right)
    assert locked.value.code == "auth.locked"
    with stage.database.work(system_actor(), read_only=True) as work:
        user = work.session.get(User, technician.id)
        assert user is not None
        assert user.locked_until is not None


def test_files_go_on_at_another_worker_without_another_code(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    govern(stage, agent, two_factor_challenge_required=True)
    secret = give_factor(stage, technician, clock)
    files = {"front": Front.FILES}
    assert refusal(stage, agent, technician, **files)["needs"] == ["factor"]
    first = start(stage, agent, technician, code=secret.at(clock.now()), **files)
    second = start(stage, agent, technician, **files)
    assert refusal(stage, agent, technician)["needs"] == ["factor"]
    with stage.database.work(system_actor()) as work:
        for one in (first, second):
            service.ended(work, one.id)
    assert refusal(stage, agent, technician, **files)["needs"] == ["factor"]


def test_the_site_says_what_global_means(stage: Stage, agent: Agent, people: People) -> None:
    govern(stage, agent)
    start(stage, agent, people.administrator)
    other = replace(people.administrator, id=people.auditor.id)
    assert start(stage, agent, other)
    alone = Stage(
        replace(
            stage.database, config=replace(stage.database.config, simultaneous_jumps="disallow")
        )
    )
    assert refusal(alone, agent, other)["rule"] == "simultaneous"


def test_who_is_told_by_mail(stage: Stage, agent: Agent, technician: Actor) -> None:
    govern(stage, agent, notify_recipients="boss@example.org, log@example.org")
    start(stage, agent, technician)
    posting = Stage(
        replace(
            stage.database,
            config=replace(
                stage.database.config, smtp_host="mail.example.org", secret_key="k" * 32
            ),
        )
    )
    made = start(posting, agent, technician)
    with posting.database.work(system_actor()) as work:
        service.ended(work, made.id)
    with posting.database.work(system_actor(), read_only=True) as work:
        told = sorted(work.session.scalars(select(Mail.recipient)))
    assert told == ["boss@example.org"] * 2 + ["log@example.org"] * 2


def test_the_form_is_told_what_will_be_asked(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    number = govern(
        stage, agent, schedule_entries=[WORK], ticket_id_required=True, reason_required=True
    )
    clock.moment = MONDAY.replace(hour=20)
    item = policy_gate.Item("client", agent.client_id, "web1", agent.client_id)
    with stage.database.work(technician, read_only=True) as work:
        outlook = policy_gate.outlook(work, number, item)
        assert outlook.wanted == ("reason", "ticket")
        assert outlook.refusal is not None
        assert outlook.refusal.details()["opens_at"] == "2026-11-30T08:00:00+00:00"
        assert policy_gate.outlook(work, None, item) == policy_gate.Outlook()


def test_a_shortcut_obeys_its_policy(stage: Stage, agent: Agent, technician: Actor) -> None:
    with stage.database.work(system_actor()) as work:
        policy = changes.create(
            work, JumpPolicy, {"display_name": "RDP", "ticket_id_required": True}
        )
        made = shortcuts.create(
            work,
            {
                "name": "Desk",
                "hostname": "desk",
                "jump_group_id": stage.group.id,
                "jump_policy_id": policy.id,
                "jumpoint_id": None,
            },
        ).id
    with stage.database.work(technician) as work, pytest.raises(PolicyRefusal):
        connecting.opened(work, made)
    with stage.database.work(technician) as work:
        assert connecting.opened(work, made, policy_gate.Asked(ticket_id="INC-7")).rdp
    assert events(stage)[-1].detail["ticket_id"] == "INC-7"


# --- the API ----------------------------------------------------------------------------


def test_the_api_of_jump_policies(api: Api) -> None:
    made = api.post("/jump-policy", {"display_name": "Bureau fermé"})
    assert (made.status_code, made.json["code_name"]) == (201, "bureau_ferme")
    assert made.json["schedule_enabled"] is False
    assert made.json["simultaneous_jumps"] == "global"
    again = api.post("/jump-policy", {"display_name": "Bureau fermé"})
    assert again.json["code_name"] == "bureau_ferme_2"
    ruled = {
        "display_name": "Nights",
        "schedule": {"timezone": "Europe/Paris", "entries": [WORK]},
        "schedule_strict": True,
        "ticket_id_required": True,
        "two_factor_challenge_required": True,
        "two_factor_minutes": 15,
        "max_session_minutes": 60,
        "notify_recipients": "boss@example.org",
    }
    nights = api.post("/jump-policy", ruled).json
    assert {name: nights[name] for name in ruled} == ruled
    assert nights["schedule_enabled"] is True
    path = f"/jump-policy/{nights['id']}"
    assert api.get(f"{path}/schedule").json == ruled["schedule"]
    assert api.get("/jump-policy/999/schedule").status_code == 404
    moved = api.patch(path, {"schedule": {"timezone": "UTC"}}).json
    assert moved["schedule"] == {"timezone": "UTC", "entries": [WORK]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"schedule_strict": True}, "schedule_strict"),
        ({"schedule": {"timezone": "Mars/Olympus"}}, "timezone"),
        ({"schedule": {"entries": [{**WORK, "start_day": 7}]}}, "schedule"),
        ({"schedule": {"entries": [{**WORK, "end_time": "24:00"}]}}, "schedule"),
        ({"schedule": {"entries": [WORK] * 101}}, "schedule"),
        (
            {
                "simultaneous_jumps": "disallow",
                "simultaneous_jump_behavior_applies_to_copies": True,
            },
            "simultaneous_jump_behavior_applies_to_copies",
        ),
        ({"simultaneous_jumps": "never"}, "simultaneous_jumps"),
        ({"two_factor_minutes": -1}, "two_factor_minutes"),
        ({"max_session_minutes": 10_081}, "max_session_minutes"),
        ({"notify_recipients": "nobody"}, "notify_recipients"),
    ],
)
def test_what_is_wrong_with_a_policy_is_told_by_field(
    api: Api, body: dict[str, Any], field: str
) -> None:
    for answer in (
        api.post("/jump-policy", {"display_name": "Bad", **body}),
        api.patch("/jump-policy/1", body),
    ):
        assert answer.status_code == 422
        assert list(answer.json["errors"]) == [field]


def test_a_start_by_the_api_is_told_what_is_missing(stage: Stage, agent: Agent, api: Api) -> None:
    govern(stage, agent, ticket_id_required=True)
    path = f"/jump-client/{agent.client_id}/session"
    refused = api.post(path, {"public_keys": [KEY]})
    assert refused.status_code == 409
    assert refused.json["code"] == "jump.policy"
    assert (refused.json["rule"], refused.json["needs"]) == ("ticket", ["ticket"])
    started = api.post(path, {"public_keys": [KEY], "ticket_id": "INC-7"})
    assert started.status_code == 201
    assert api.get(f"/session/{started.json['session_id']}").json["ticket_id"] == "INC-7"


def test_the_outsider_changes_no_policy(database: Database, people: People) -> None:
    with database.work(people.outsider) as work, pytest.raises(Denied):
        changes.update(work, JumpPolicy, 1, {"ticket_id_required": False})


# --- session policies -------------------------------------------------------------------


def permit(stage: Stage, agent: Agent, field: str = "unattended", **rules: Any) -> int:
    """Give the Jump Client a session policy and return its id."""
    with stage.database.work(system_actor()) as work:
        policy = changes.create(work, SessionPolicy, {"display_name": "Narrow", **rules})
        clients.update(work, agent.client_id, {f"{field}_session_policy_id": policy.id})
        return policy.id


def test_a_session_policy_narrows_what_a_session_gets(
    stage: Stage, agent: Agent, technician: Actor
) -> None:
    number = permit(
        stage, agent, allow_shell=False, allow_upload=False, record=False, idle_minutes=5
    )
    with stage.database.work(technician) as work:
        opening = service.start_here(work, agent.client_id, ASKED, WORKER)
    terms = opening.terms
    assert terms.capabilities == ("exec", "sftp.download", "forward")
    assert (terms.record_bytes, terms.idle_seconds) == (0, 300)
    made = session(stage, opening.session_id)
    assert (made.session_policy_id, made.recorded) == (number, False)
    assert events(stage)[-1].detail["capabilities"] == list(terms.capabilities)
    with pytest.raises(Denied) as caught:
        start(stage, agent, technician, capabilities=(Capability.SHELL,))
    assert caught.value.code == "session.not_granted"
    assert events(stage)[-1].detail["code"] == "session.not_granted"


def test_another_session_policy_counts_while_somebody_is_signed_in_there(
    stage: Stage, agent: Agent, technician: Actor
) -> None:
    permit(stage, agent, "attended", allow_forward=False)
    assert "forward" in start(stage, agent, technician).capabilities
    with stage.database.work(system_actor()) as work:
        work.session.execute(update(JumpClient).values(console_user="zoe"))
    assert "forward" not in start(stage, agent, technician).capabilities


def test_the_api_of_session_policies(api: Api) -> None:
    body = {"display_name": "Look only", "allow_shell": False, "record": False, "idle_minutes": 10}
    made = api.post("/session-policy", body).json
    assert {name: made[name] for name in body} == body
    assert made["allow_exec"] is True
    changed = api.patch(f"/session-policy/{made['id']}", {"allow_exec": False}).json
    assert (changed["allow_exec"], changed["allow_shell"]) == (False, False)
    wrong = api.patch(f"/session-policy/{made['id']}", {"idle_minutes": 1441, "record": "no"})
    assert set(wrong.json["errors"]) == {"idle_minutes", "record"}
