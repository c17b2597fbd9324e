"""Copies: the same host in several groups, each with its own policies; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from tremplin_server.clients import copies, housekeeping
from tremplin_server.clients import service as clients
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import FIRST_COPY_ID, ClientCopy
from tremplin_server.db import Database
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.jump_items import listing
from tremplin_server.jump_items.view import View
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.sessions import naming, service
from tremplin_server.sessions.models import Front

from tests.conftest import MovableClock
from tests.personas import Api, People
from tests.stage import Agent, Stage


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def web(stage: Stage) -> Agent:
    return stage.online(stage.installer(tag="front"), hostname="web1")


def copy(stage: Stage, agent: Agent, group: JumpGroup, actor: Actor | None = None) -> ClientCopy:
    values = {"jump_group_id": group.id, "jump_group_type": "shared", "name": "web, for others"}
    with stage.database.work(actor or system_actor()) as work:
        return copies.make(work, clients.place(work, agent.client_id), values)


def shared_with(stage: Stage, user: Actor, role: int | None = None) -> JumpGroup:
    group = stage.new_group()
    with stage.database.work(system_actor()) as work:
        groups.add_member(work, group.id, user.id, role)
    return group


def test_a_copy_shows_the_host_under_its_own_name(stage: Stage, web: Agent, api: Api) -> None:
    group = stage.new_group()
    body = {"name": "web, for others", "jump_group_id": group.id, "jump_group_type": "shared"}
    answer = api.post(f"/jump-client/{web.client_id}/copy", body)
    assert answer.status_code == 200
    assert (answer.json["action"], answer.json["success"]) == ("copy", "1")
    number = answer.json["destId"]
    assert number >= FIRST_COPY_ID
    seen = api.get(f"/jump-client/{number}").json
    assert (seen["id"], seen["name"], seen["copy_of"]) == (number, "web, for others", web.client_id)
    assert (seen["hostname"], seen["state"], seen["tag"]) == ("web1", "online", "front")
    assert seen["jump_group_id"] == group.id
    changed = api.patch(f"/jump-client/{number}", {"tag": "guests", "name": "w"}).json
    assert (changed["tag"], changed["name"]) == ("guests", "w")
    assert api.get(f"/jump-client/{web.client_id}").json["tag"] == "front"
    # Programs that count hosts count this one once.
    assert [one["id"] for one in api.get("/jump-client").json] == [web.client_id]
    assert [one["id"] for one in api.get("/jump-client/copy").json] == [number]


def test_a_host_is_in_a_group_once(stage: Stage, web: Agent) -> None:
    group = stage.new_group()
    copy(stage, web, group)
    for taken in (group, stage.group):
        with pytest.raises(Invalid):
            copy(stage, web, taken)


def test_the_end_of_a_copy_touches_no_host(stage: Stage, web: Agent, api: Api) -> None:
    number = copy(stage, web, stage.new_group()).id
    for path in (f"/jump-client/{number}/uninstall",):
        assert api.post(path).json["code"] == "client.is_copy"
    assert api.delete(f"/jump-client/{number}").status_code == 204
    assert api.get(f"/jump-client/{number}").status_code == 404
    assert stage.state(web) is State.ONLINE
    assert stage.pending(web) == []
    assert stage.tombstones() == []


def test_a_copy_leaves_with_its_host(stage: Stage, web: Agent, api: Api) -> None:
    number = copy(stage, web, stage.new_group()).id
    assert api.delete(f"/jump-client/{web.client_id}").status_code == 204
    assert api.get(f"/jump-client/{number}").status_code == 404


def test_a_date_ends_the_copy_alone(stage: Stage, web: Agent, clock: MovableClock) -> None:
    number = copy(stage, web, stage.new_group()).id
    with stage.database.work(system_actor()) as work:
        copies.update(work, number, {"remove_at": clock.now() + timedelta(days=1)})
    clock.forward(days=2)
    with stage.database.work(system_actor()) as work:
        housekeeping.sweep(work)
    with pytest.raises(NotFound), stage.database.work(system_actor()) as work:
        copies.get(work, number)
    assert stage.record(web.client_id) is not None


def test_who_sees_the_copy_only_reaches_the_host(stage: Stage, web: Agent, people: People) -> None:
    mine = shared_with(stage, people.technician)
    number = copy(stage, web, mine).id
    wanted = service.Request(front=Front.TERMINAL, open=True)
    with stage.database.work(people.technician) as work:
        assert naming.resolve(work, f"id-{number}").id == number
        assert service.start_here(work, number, wanted, "worker-1").client_id == web.client_id
        with pytest.raises(NotFound):
            clients.get(work, web.client_id)
        with pytest.raises(Conflict):
            clients.update(work, number, {"tag": "x"})
    with pytest.raises(NotFound), stage.database.work(people.outsider) as work:
        clients.get(work, number)


def test_rights_of_the_group_that_a_copy_is_in(stage: Stage, web: Agent, people: People) -> None:
    no_access = 3
    number = copy(stage, web, shared_with(stage, people.technician, no_access)).id
    wanted = service.Request(front=Front.TERMINAL, open=True)
    with stage.database.work(people.technician) as work:
        for act in (
            lambda: service.start_here(work, number, wanted, "worker-1"),
            lambda: copies.update(work, number, {"tag": "x"}),
            lambda: copies.remove(work, number),
        ):
            with pytest.raises(Denied):
                act()
    with pytest.raises(NotFound):
        copy(stage, web, stage.new_group(), people.technician)


def test_the_console_lists_and_finds_copies(stage: Stage, web: Agent, app: Flask) -> None:
    group = stage.new_group()
    number = copy(stage, web, group).id
    with app.test_request_context(), stage.database.work(system_actor(), read_only=True) as work:
        for view in (
            View(),
            View(group=f"shared:{group.id}"),
            View(phrase="for others"),
            View(phrase="web1", fields=("hostname",)),
            View(state="online", sort="-last_seen"),
            View(method="copy"),
        ):
            assert f"copy:{number}" in [item.key for item in listing.page(work, view).items], view
        for view in (View(phrase="nowhere"), View(state="offline"), View(method="client")):
            assert f"copy:{number}" not in [i.key for i in listing.page(work, view).items], view
