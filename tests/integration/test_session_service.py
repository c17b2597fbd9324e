"""Starting, redeeming, ending and listing sessions, and the limits, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from tremplin_agent.terms import Capability
from tremplin_server.accounts import service as accounts
from tremplin_server.accounts.models import User
from tremplin_server.audit.models import AuditEvent
from tremplin_server.clients import reporting
from tremplin_server.clients import service as clients
from tremplin_server.clients.lifecycle import Event
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database
from tremplin_server.errors import Denied, Invalid, NotFound, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.sessions import doom, listing, service
from tremplin_server.sessions.models import Front, JumpSession
from tremplin_server.sessions.service import Opening, Request, Started

from tests.conftest import MovableClock
from tests.personas import People
from tests.stage import WORKER, Agent, Stage

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP " + "tests"
ASKED = Request(Front.TERMINAL, keys=(KEY,), reason="because")
ROLE_START_ONLY, ROLE_NONE = 2, 3


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def agent(stage: Stage) -> Agent:
    return stage.online()


@pytest.fixture
def technician(stage: Stage, people: People) -> Actor:
    """The technician, a member of the group in the role that may only start."""
    join(stage, people.technician, ROLE_START_ONLY)
    return people.technician


def join(stage: Stage, actor: Actor, role: int | None = None) -> None:
    with stage.database.work(system_actor()) as work:
        groups.add_member(work, stage.group.id, actor.id, role)


def start(
    stage: Stage, agent: Agent, actor: Actor | None = None, asked: Request = ASKED
) -> Started:
    with stage.database.work(actor or system_actor()) as work:
        return service.start(work, agent.client_id, asked)


def refused(
    stage: Stage, agent: Agent, actor: Actor | None = None, asked: Request = ASKED
) -> TremplinError:
    """Return the error of a start, which must be in the audit log."""
    with pytest.raises(TremplinError) as caught:
        start(stage, agent, actor, asked)
    event = events(stage)[-1]
    assert event.action == "session.refused"
    assert event.detail["code"] == caught.value.code
    assert event.subject_id == agent.client_id
    return caught.value


def events(stage: Stage) -> list[AuditEvent]:
    with stage.database.work(system_actor(), read_only=True) as work:
        return list(work.session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def redeem(
    stage: Stage, started: Started, front: Front = Front.TERMINAL, who: int | None = None
) -> Opening:
    with stage.database.work(system_actor()) as work:
        return service.redeem(work, started.session_id, started.ticket, WORKER, front, who)


def call(stage: Stage, what: Any, *args: Any) -> Any:
    with stage.database.work(system_actor()) as work:
        return what(work, *args)


def session(stage: Stage, session_id: str) -> JumpSession:
    with stage.database.work(system_actor(), read_only=True) as work:
        return listing.get(work, session_id)


def age(stage: Stage, agent: Agent, version: str) -> None:
    with stage.database.work(system_actor()) as work:
        work.session.execute(
            update(JumpClient).where(JumpClient.id == agent.client_id).values(agent_version=version)
        )


def test_a_session_s_life(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    started = start(stage, agent, technician)
    made = session(stage, started.session_id)
    assert (made.state, made.actor, made.user_id) == ("starting", "technician", technician.id)
    assert made.technician_ip == "192.0.2.1"
    assert started.ticket not in (made.ticket_hash, made.id)
    opening = redeem(stage, started, who=technician.id)
    assert opening.holder == WORKER
    assert opening.host_key == agent.public_key
    assert opening.terms.keys == (KEY,)
    assert opening.terms.technician == "technician"
    assert opening.terms.capabilities == ("shell", "exec", "sftp", "forward")
    assert opening.terms.expires_at == opening.expires_at.timestamp()
    assert (opening.expires_at - clock.now()).total_seconds() == 12 * 3600
    call(stage, service.opened, started.session_id)
    record = stage.record(agent.client_id)
    assert record is not None
    assert record.last_access == clock.now()
    clock.forward(seconds=90)
    call(stage, service.ended, started.session_id, "session.idle", 10, 2**40)
    call(stage, service.ended, started.session_id, "session.host_lost", 10, 2**40)
    over = session(stage, started.session_id)
    assert (over.state, over.end_code, over.bytes_from_host) == ("ended", "session.idle", 2**40)
    told = [e for e in events(stage) if e.action.startswith("session.")]
    assert [e.action for e in told] == ["session.started", "session.ended"]
    assert (told[0].reason, told[1].detail["seconds"]) == ("because", 90)


def test_only_who_may_start_does(stage: Stage, agent: Agent, people: People) -> None:
    assert refused(stage, agent, people.outsider).code == "client.missing"
    assert refused(stage, agent, people.auditor).code == "auth.denied"
    join(stage, people.technician, ROLE_NONE)
    assert refused(stage, agent, people.technician).code == "role.perm_start"
    join(stage, people.outsider)
    assert start(stage, agent, people.outsider)
    assert start(stage, agent, people.administrator)


def test_states_that_allow_no_session(stage: Stage) -> None:
    agent = stage.online()
    stage.change(agent, Event.DISCONNECTED)
    assert refused(stage, agent).code == "client.offline"
    pending = stage.agent(fingerprint="c" * 64)
    stage.enrol(pending)
    assert refused(stage, pending).code == "jump.not_connected"
    stage.connect(agent)
    age(stage, agent, "0.0.9")
    error = refused(stage, agent)
    assert (error.code, "0.0.9" in error.text("fr")) == ("jump.version", True)
    age(stage, agent, "0.1.0")
    assert start(stage, agent)
    with stage.database.work(system_actor()) as work:
        reporting.disabled(work, agent.client_id)
    assert refused(stage, agent).code == "jump.disabled"
    with stage.database.work(system_actor()) as work:
        clients.uninstall(work, agent.client_id)
    assert refused(stage, agent).code == "client.removing"
    stage.farewell(agent)
    assert refused(stage, agent).code == "client.uninstalled"
    with stage.database.work(system_actor()) as work:
        clients.delete(work, agent.client_id)
    assert refused(stage, agent).code == "client.missing"


def test_a_client_of_a_worker_that_vanished_is_not_connected(stage: Stage, agent: Agent) -> None:
    with stage.database.work(system_actor()) as work:
        work.session.execute(update(JumpClient).values(worker_id=None))
    assert refused(stage, agent).code == "jump.not_connected"


@pytest.mark.parametrize(
    "asked",
    [
        replace(ASKED, keys=()),
        replace(ASKED, keys=("ssh-rsa",)),
        replace(ASKED, keys=(KEY + "\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP",)),
        replace(ASKED, keys=(f'command="x" {KEY}',)),
        replace(ASKED, keys=(KEY,) * 51),
        replace(ASKED, keys=("ssh-rsa " + "A" * 16_000,) * 5),
        replace(ASKED, capabilities=()),
        replace(ASKED, reason="x" * 1025),
    ],
)
def test_what_is_asked_for_is_checked(stage: Stage, agent: Agent, asked: Request) -> None:
    assert isinstance(refused(stage, agent, asked=asked), Invalid)


def test_ports_are_those_of_the_site(stage: Stage, agent: Agent) -> None:
    assert refused(stage, agent, asked=replace(ASKED, ports=(22,))).code == "session.port"
    allowed = Stage(
        replace(stage.database, config=replace(stage.database.config, session_ports=(80, 5432)))
    )
    for ports, granted in ((None, (80, 5432)), ((80,), (80,)), ((), ())):
        opening = redeem(allowed, start(allowed, agent, asked=replace(ASKED, ports=ports)))
        assert opening.terms.ports == granted
    shell = replace(ASKED, capabilities=(Capability.SHELL,))
    assert redeem(allowed, start(allowed, agent, asked=shell)).terms.ports == ()


def test_a_site_may_tell_the_host_s_users(stage: Stage, agent: Agent) -> None:
    config = replace(stage.database.config, session_notice=True, language="fr")
    telling = Stage(replace(stage.database, config=config))
    opening = redeem(telling, start(telling, agent))
    assert opening.terms.notice.startswith("Tremplin : system a ouvert une session")
    assert opening.terms.ends["session.idle"].endswith("trop longtemps inactive (session.idle)")


def test_the_end_is_told_in_the_technician_s_language(
    stage: Stage, agent: Agent, technician: Actor
) -> None:
    english = redeem(stage, start(stage, agent, technician)).terms.ends
    assert english["session.stopped"].startswith("the session was ended")
    with stage.database.work(system_actor()) as work:
        user = work.session.get_one(User, technician.id)
        user.preferred_email_language = "fr"
    french = redeem(stage, start(stage, agent, technician)).terms.ends
    assert french["session.stopped"].startswith("la session a été arrêtée")


# --- tickets --------------------------------------------------------------------------


def test_a_ticket_is_good_once_in_time_for_its_front_and_technician(
    stage: Stage, agent: Agent, technician: Actor, clock: MovableClock
) -> None:
    faults = []

    def fails(started: Started, *args: Any) -> None:
        with pytest.raises(TremplinError, match="ticket"):
            redeem(stage, started, *args)
        faults.append(events(stage)[-1].detail.get("fault"))

    started = start(stage, agent, technician)
    fails(started, Front.STREAM)
    fails(started, Front.TERMINAL, technician.id + 1)
    fails(replace(started, ticket="x" * 43))
    redeem(stage, started, Front.TERMINAL, technician.id)
    fails(started)
    late = start(stage, agent, technician)
    clock.forward(seconds=service.TICKET_SECONDS)
    fails(late)
    stopped = start(stage, agent, technician)
    call(stage, service.end, stopped.session_id)
    fails(stopped)
    assert faults == ["front", "technician", "unknown", "used", "expired", "used"]
    with pytest.raises(TremplinError, match="ticket"):
        redeem(stage, replace(started, session_id="f" * 32))


def test_two_who_redeem_at_once_are_not_both_let_in(stage: Stage, agent: Agent) -> None:
    started = start(stage, agent)
    barrier = threading.Barrier(8)

    def go(_: int) -> bool:
        barrier.wait()
        try:
            redeem(stage, started)
        except TremplinError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(go, range(8))) == 1


# --- limits ---------------------------------------------------------------------------


def test_the_21st_start_at_once_is_told_that_the_server_is_busy(stage: Stage) -> None:
    agents = [
        stage.online(fingerprint=f"{number:064x}", hostname=f"host{number}") for number in range(25)
    ]
    barrier = threading.Barrier(25)

    def go(agent: Agent) -> TremplinError | Started:
        barrier.wait()
        try:
            return start(stage, agent)
        except TremplinError as error:
            return error

    with ThreadPoolExecutor(25) as pool:
        results = list(pool.map(go, agents))
    errors = [r for r in results if isinstance(r, TremplinError)]
    assert [error.code for error in errors] == ["jump.busy"] * 5
    assert "too busy" in errors[0].text("en")
    assert "trop occupé" in errors[0].text("fr")
    begun = [r for r in results if isinstance(r, Started)]
    assert refused(stage, agents[0]).code == "jump.busy"
    # One that has opened, or ended, makes room.
    redeem(stage, begun[0])
    call(stage, service.opened, begun[0].session_id)
    assert start(stage, agents[0])
    assert refused(stage, agents[0]).code == "jump.busy"
    call(stage, service.ended, begun[1].session_id, "jump.timeout_internal")
    assert start(stage, agents[0])


def test_starts_that_nobody_came_to_do_not_count_for_ever(
    stage: Stage, agent: Agent, clock: MovableClock
) -> None:
    begun = [start(stage, agent) for _ in range(20)]
    assert refused(stage, agent).code == "jump.busy"
    clock.forward(seconds=service.START_SECONDS + 1)
    assert start(stage, agent)
    over = call(stage, service.sweep, [WORKER])
    assert sorted(over) == sorted(one.session_id for one in begun)
    assert session(stage, begun[0].session_id).end_code == "session.not_begun"


def test_a_policy_may_let_one_technician_in_at_a_time(
    stage: Stage, agent: Agent, technician: Actor
) -> None:
    with stage.database.work(system_actor()) as work:
        policy = JumpPolicy(
            display_name="One", code_name="one", simultaneous_jumps="disallow", description=""
        )
        work.session.add(policy)
        work.session.flush()
        clients.update(work, agent.client_id, {"jump_policy_id": policy.id})
    people = [replace(system_actor(), id=number) for number in range(6)]
    barrier = threading.Barrier(6)

    def go(somebody: Actor) -> str:
        barrier.wait()
        try:
            return start(stage, agent, somebody).session_id
        except TremplinError as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(go, people))
    assert results.count("jump.policy") == 5
    (only,) = [r for r in results if r != "jump.policy"]
    inside = people[results.index(only)]
    files = start(stage, agent, inside, replace(ASKED, front=Front.FILES))
    assert refused(stage, agent, technician).code == "jump.policy"
    for session_id in (only, files.session_id):
        call(stage, service.ended, session_id)
    assert start(stage, agent, technician)


# --- who sees and ends what -----------------------------------------------------------


def test_who_sees_which_sessions(
    stage: Stage, agent: Agent, technician: Actor, people: People
) -> None:
    elsewhere = stage.online(
        stage.installer(jump_group_id=stage.new_group().id), fingerprint="d" * 64
    )
    mine, other = start(stage, agent, technician), start(stage, elsewhere)

    def seen(actor: Actor, **wanted: Any) -> set[str]:
        with stage.database.work(actor, read_only=True) as work:
            return {s.id for s in work.session.scalars(listing.query(work, **wanted))}

    assert seen(technician) == {mine.session_id}
    assert seen(people.outsider) == set()
    assert seen(people.auditor) == seen(people.administrator) == {mine.session_id, other.session_id}
    assert seen(people.auditor, user="Technician") == {mine.session_id}
    assert seen(people.auditor, client_id=elsewhere.client_id) == {other.session_id}
    assert seen(people.auditor, state="open") == set()
    assert seen(people.auditor, front="stream") == set()
    with stage.database.work(people.outsider) as work, pytest.raises(NotFound):
        service.end(work, mine.session_id)
    with stage.database.work(people.auditor) as work, pytest.raises(Denied):
        service.end(work, mine.session_id)
    join(stage, people.outsider)
    with stage.database.work(people.outsider) as work, pytest.raises(Denied):
        service.end(work, mine.session_id)
    with stage.database.work(technician) as work:
        assert service.end(work, mine.session_id).end_code == "session.stopped"
    with stage.database.work(people.administrator) as work:
        service.end(work, other.session_id)


def test_sessions_outlive_their_client_and_their_technician(
    stage: Stage, agent: Agent, technician: Actor, people: People
) -> None:
    started = start(stage, agent, technician)
    redeem(stage, started)
    call(stage, service.opened, started.session_id)
    with stage.database.work(system_actor()) as work:
        accounts.delete(work, technician.id)
    assert call(stage, doom.doomed, [started.session_id]) == {started.session_id: "session.revoked"}
    with stage.database.work(system_actor()) as work:
        clients.delete(work, agent.client_id)
    kept = session(stage, started.session_id)
    assert (kept.client_id, kept.user_id) == (None, None)
    assert (kept.client_name, kept.actor) == ("web1", "technician")
    call(stage, service.ended, started.session_id)
    assert call(stage, doom.doomed, [started.session_id]) == {started.session_id: "session.ended"}


def test_the_sessions_of_a_dead_worker_end_and_may_be_found_alive(
    stage: Stage, agent: Agent
) -> None:
    started = start(stage, agent)
    redeem(stage, started)
    call(stage, service.opened, started.session_id)
    assert call(stage, service.sweep, [WORKER, "other"]) == []
    assert call(stage, service.sweep, ["other"]) == [started.session_id]
    assert session(stage, started.session_id).end_code == "session.worker_lost"
    call(stage, service.still_open, [started.session_id])
    found = session(stage, started.session_id)
    assert (found.state, found.end_code, found.ended_at) == ("open", "", None)


def test_a_stranger_at_a_session_s_door_is_audited_unless_he_invents_it(
    stage: Stage, agent: Agent
) -> None:
    started = start(stage, agent)
    before = len(events(stage))
    call(stage, service.agent_refused, "f" * 32, "token", "203.0.113.5")
    assert len(events(stage)) == before
    call(stage, service.agent_refused, started.session_id, "token", "203.0.113.5")
    last = events(stage)[-1]
    assert last.action == "session.agent_refused"
    assert last.detail["from_ip"] == "203.0.113.5"
