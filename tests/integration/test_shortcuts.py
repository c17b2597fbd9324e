"""RDP Jump Shortcuts: who may, the list of the console, the file, and the way through a client."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select
from tremplin_server.audit.models import AuditEvent
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Database
from tremplin_server.errors import Conflict, Denied, Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.jump_items import listing, tree
from tremplin_server.jump_items.view import View
from tremplin_server.permissions import system_actor
from tremplin_server.shortcuts import connecting, service
from tremplin_server.shortcuts.models import RdpShortcut

from tests import translations as catalogues
from tests.integration.test_pages import Browser
from tests.personas import People

SYSTEM = system_actor()
START_ONLY = 2


@pytest.fixture(scope="module", autouse=True)
def translations() -> None:
    catalogues.compile_all()


@pytest.fixture
def group(database: Database, people: People) -> int:
    """A group of which the technician is a member."""
    with database.work(people.administrator) as work:
        made = groups.create(work, name="Lab")
        groups.add_member(work, made.id, people.technician.id)
    return made.id


@pytest.fixture
def desk(database: Database, people: People, group: int) -> RdpShortcut:
    with database.work(people.technician) as work:
        values = {"name": "Desk é", "hostname": "desk.example.org", "jump_group_id": group}
        return service.create(work, {**values, "tag": "office", "rdp_username": "zoé"})


@pytest.fixture
def client(database: Database, group: int) -> int:
    with database.work(SYSTEM) as work:
        made = JumpClient(
            public_key=b"k" * 32,
            fingerprint="f" * 64,
            name="relay",
            hostname="relay-host",
            shared_group_id=group,
            created_at=work.now(),
            updated_at=work.now(),
        )
        work.session.add(made)
        work.session.flush()
        return made.id


def test_a_member_sees_it_and_an_outsider_does_not(
    database: Database, people: People, desk: RdpShortcut
) -> None:
    with database.work(people.technician) as work:
        assert service.get(work, desk.id).name == "Desk é"
    with database.work(people.outsider) as work, pytest.raises(NotFound):
        service.get(work, desk.id)
    with database.work(people.outsider) as work, pytest.raises(Denied):
        service.create(work, {"name": "a", "hostname": "b", "jump_group_id": desk.shared_group_id})


def test_the_role_in_the_group_decides(
    database: Database, people: People, desk: RdpShortcut, group: int
) -> None:
    with database.work(people.administrator) as work:
        groups.change_member(work, group, people.technician.id, START_ONLY)
    with database.work(people.technician) as work:
        assert connecting.connection(work, desk.id).rdp
        with pytest.raises(Denied):
            service.update(work, desk.id, {"name": "x"})
        with pytest.raises(Denied):
            service.delete(work, desk.id)
    with database.work(people.auditor) as work, pytest.raises(Denied):
        connecting.connection(work, desk.id)


def test_a_personal_one_is_its_owners(database: Database, people: People) -> None:
    place = {"jump_group_type": "personal", "jump_group_id": people.technician.id}
    with database.work(people.technician) as work:
        made = service.create(work, {"name": "Mine", "hostname": "10.0.0.7", **place})
    with database.work(people.outsider) as work, pytest.raises(NotFound):
        service.get(work, made.id)


def test_the_file_of_a_direct_one(database: Database, people: People, desk: RdpShortcut) -> None:
    with database.work(people.technician) as work:
        service.update(work, desk.id, {"console": True, "domain": "EXAMPLE"})
        found = connecting.opened(work, desk.id)
    lines = found.rdp.split("\r\n")
    assert {
        "full address:s:desk.example.org",
        "username:s:zoé",
        "domain:s:EXAMPLE",
        "administrative session:i:1",
        "authentication level:i:2",
    } <= set(lines)
    assert found.ssh == ""
    with database.work(SYSTEM) as work:
        assert "shortcut.opened" in work.session.scalars(select(AuditEvent.action)).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hostname", "desk\r\nalternate shell:s:evil"),
        ("hostname", "desk name"),
        ("hostname", "desk:70000"),
        ("hostname", ""),
        ("rdp_username", "a\nb:s:c"),
        ("domain", "a\rb"),
        ("name", "a\nb"),
        ("jumpoint_id", 999),
        ("jump_policy_id", 999),
    ],
)
def test_what_makes_no_sense_is_refused(
    database: Database, people: People, desk: RdpShortcut, name: str, value: object
) -> None:
    with database.work(people.technician) as work, pytest.raises(Invalid) as caught:
        service.update(work, desk.id, {name: value})
    assert name in caught.value.fields


@pytest.mark.parametrize("host", ["desk", "desk:3390", "10.0.0.7", "[2001:db8::7]:3390", "::1"])
def test_hosts_that_are_taken(
    database: Database, people: People, desk: RdpShortcut, host: str
) -> None:
    with database.work(people.technician) as work:
        assert service.update(work, desk.id, {"hostname": host}).hostname == host


def test_through_a_client_ssh_forwards_the_port(
    database: Database, people: People, desk: RdpShortcut, client: int
) -> None:
    site = replace(database, config=replace(database.config, session_ports=(3389,)))
    with site.work(people.technician) as work:
        service.update(work, desk.id, {"jumpoint_id": client, "hostname": "relay-host"})
        found = connecting.connection(work, desk.id)
    port = connecting.FIRST_PORT + desk.id
    assert f"full address:s:localhost:{port}\r\n" in found.rdp
    assert found.ssh == (
        f"ssh -N -o HostKeyAlias=id-{client} -L 127.0.0.1:{port}:localhost:3389"
        f" -J technician@localhost:8022 shortcut-{desk.id}"
    )


def test_through_a_client_another_host_is_reached_and_nothing_else_is_granted(
    database: Database, people: People, desk: RdpShortcut, client: int
) -> None:
    with database.work(people.technician) as work:
        service.update(work, desk.id, {"jumpoint_id": client, "hostname": "Desk.example.org:3390"})
        found = connecting.connection(work, desk.id)
        way = connecting.passage(work, desk.id)
    port = connecting.FIRST_PORT + desk.id
    assert f"127.0.0.1:{port}:desk.example.org:3390 " in found.ssh
    assert (way.client.id, way.ports, way.targets) == (client, (), ("desk.example.org:3390",))
    with database.work(people.outsider) as work, pytest.raises(NotFound):
        connecting.passage(work, desk.id)
    with database.work(people.auditor) as work, pytest.raises(Denied):
        connecting.passage(work, desk.id)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]:3389", "127.0.0.2", "0.0.0.0", "::ffff:169.254.169.254"]
)
def test_a_special_address_needs_an_administrator(
    database: Database, people: People, desk: RdpShortcut, client: int, host: str
) -> None:
    with database.work(people.technician) as work:
        service.update(work, desk.id, {"jumpoint_id": client, "hostname": host})
        with pytest.raises(Conflict, match="an administrator has saved"):
            connecting.passage(work, desk.id)
    with database.work(people.administrator) as work:
        service.update(work, desk.id, {"hostname": host})
    with database.work(people.technician) as work:
        (granted,) = connecting.passage(work, desk.id).targets
        service.update(work, desk.id, {"tag": "seen"})
        assert connecting.passage(work, desk.id).targets == (granted,)
        service.update(work, desk.id, {"hostname": "169.254.0.9"})
        with pytest.raises(Conflict):
            connecting.passage(work, desk.id)


def test_through_a_client_what_cannot_be_says_so(
    database: Database, people: People, desk: RdpShortcut, client: int
) -> None:
    site = replace(database, config=replace(database.config, session_ports=(3389,)))
    with site.work(people.technician) as work:
        with pytest.raises(Conflict, match="directly"):
            connecting.passage(work, desk.id)
        service.update(work, desk.id, {"jumpoint_id": client})
        service.update(work, desk.id, {"hostname": "localhost:3390"})
        with pytest.raises(Conflict, match="session_ports"):
            connecting.connection(work, desk.id)


def test_a_client_that_is_deleted_does_not_make_it_a_direct_one(
    database: Database, people: People, desk: RdpShortcut, client: int
) -> None:
    with database.work(people.technician) as work:
        service.update(work, desk.id, {"jumpoint_id": client})
    with database.work(SYSTEM) as work:
        work.session.delete(work.session.get(JumpClient, client))
    with database.work(people.technician) as work:
        with pytest.raises(Conflict, match="was deleted"):
            connecting.connection(work, desk.id)
        service.update(work, desk.id, {"jumpoint_id": None})
        assert connecting.connection(work, desk.id).ssh == ""


def names(database: Database, people: People, view: View) -> list[str]:
    with database.work(people.technician) as work:
        return [item.name for item in listing.page(work, view).items]


@pytest.mark.parametrize("sort", ["name", "-name", "last_seen", "-group", "state", "tag"])
def test_the_list_has_both_kinds(
    database: Database, people: People, desk: RdpShortcut, client: int, sort: str
) -> None:
    assert sorted(names(database, people, View(sort=sort))) == ["Desk é", "relay"]


@pytest.mark.parametrize("sort", ["operating_system", "agent_version", "last_seen", "public_ip"])
def test_what_a_shortcut_lacks_stands_at_the_end(
    database: Database, people: People, desk: RdpShortcut, client: int, sort: str
) -> None:
    with database.work(system_actor()) as work:
        client_row = work.session.get_one(JumpClient, client)
        client_row.last_seen = work.now()
    for order in (sort, f"-{sort}"):
        assert names(database, people, View(sort=order)) == ["relay", "Desk é"]


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (View(method="rdp"), ["Desk é"]),
        (View(method="client"), ["relay"]),
        (View(phrase="EXAMPLE.org"), ["Desk é"]),
        (View(phrase="é", fields=("name",)), ["Desk é"]),
        (View(phrase="example", fields=("name",)), []),
        (View(phrase="lab", fields=("group",)), ["Desk é", "relay"]),
        (View(phrase="shortcut", fields=("method",)), ["Desk é"]),
        (View(tag="office"), ["Desk é"]),
        (View(state="pending"), ["relay"]),
    ],
)
def test_the_list_is_narrowed(
    app: Flask,
    database: Database,
    people: People,
    desk: RdpShortcut,
    client: int,
    view: View,
    found: list[str],
) -> None:
    with app.test_request_context():
        assert names(database, people, view) == found


def test_groups_count_them(
    database: Database, people: People, desk: RdpShortcut, client: int, group: int
) -> None:
    with database.work(people.technician) as work:
        assert [one.count for one in tree.tree(work).shared] == [2]
        assert tree.tags(work, f"shared:{group}") == [("office", 1)]
    with database.work(people.outsider) as work:
        assert tree.tree(work).total == 0


def test_the_pages(app: Flask, people: People, desk: RdpShortcut, group: int) -> None:
    browser = Browser(app.test_client())
    browser.sign_in("technician")
    new = "/console/shortcuts/new"
    wrong = browser.post(new, new, name="", hostname="a b", jump_group=f"shared:{group}")
    assert wrong.status_code == 422
    body = {"jump_policy_id": "0", "session_policy_id": "0", "quality": "quality"}
    made = browser.post(new, new, name="Büro", hostname="b", jump_group=f"shared:{group}", **body)
    assert made.status_code == 302
    page = made.headers["Location"].removeprefix("https://tremplin.example")
    assert "Büro" in browser.get(page).text
    file = browser.post(f"{page}/rdp", page)
    assert file.headers["Content-Disposition"] == 'attachment; filename="B-ro.rdp"'
    assert "full address:s:b\r\n" in file.data.decode("utf-16")
    edited = browser.post(
        f"{page}/edit", f"{page}/edit", name="Bureau", hostname="b:3390",
        jump_group=f"shared:{group}", **body,
    )  # fmt: skip
    assert edited.status_code == 302
    assert "Bureau" in browser.get("/console").text
    panel = browser.get(f"/console/panel/rdp:{page.rsplit('/', 1)[-1]}")
    assert "b:3390" in panel.text
    assert browser.post(f"{page}/delete", page).status_code == 302
    assert browser.get(page).status_code == 404


def test_the_form_takes_the_jump_client_by_its_name(
    app: Flask, database: Database, people: People, desk: RdpShortcut, client: int, group: int
) -> None:
    browser = Browser(app.test_client())
    browser.sign_in("technician")
    page = f"/console/shortcuts/{desk.id}/edit"
    body = {"jump_policy_id": "0", "session_policy_id": "0", "quality": "quality"}
    place = {"name": "Desk", "hostname": "desk", "jump_group": f"shared:{group}", **body}
    wrong = browser.post(page, page, through="nobody", **place)
    assert (wrong.status_code, "There is no such Jump Client" in wrong.text) == (422, True)
    assert browser.post(page, page, through="RELAY", **place).status_code == 302
    assert f'value="id-{client}"' in browser.get(page).text
    with database.work(people.technician) as work:
        assert service.get(work, desk.id).jumpoint_id == client
    assert browser.post(page, page, through="", **place).status_code == 302
    with database.work(people.technician) as work:
        assert service.get(work, desk.id).jumpoint_id is None


def test_the_pages_refuse_who_is_nobody_there(
    app: Flask, people: People, desk: RdpShortcut
) -> None:
    outsider = Browser(app.test_client())
    outsider.sign_in("outsider")
    page = f"/console/shortcuts/{desk.id}"
    assert outsider.get(page).status_code == 404
    assert outsider.get(f"{page}/edit").status_code == 404
    for action in ("edit", "delete", "rdp"):
        assert outsider.post(f"{page}/{action}", "/console/shortcuts/new").status_code == 404
    assert desk.name not in outsider.get(f"/console/panel/rdp:{desk.id}").text
    auditor = Browser(app.test_client())
    auditor.sign_in("auditor")
    assert "may not open" in auditor.get(page).text
    assert auditor.post(f"{page}/rdp", "/console").status_code == 403
