"""The console's list: what it finds, who sees what, what is done to many; on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select, update
from tremplin_server.accounts import preferences
from tremplin_server.clients import history, reporting
from tremplin_server.clients import service as clients
from tremplin_server.clients.models import ClientHistory, ClientSearch, JumpClient
from tremplin_server.db import Database
from tremplin_server.errors import Denied, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.jump_items import advice, chart, listing, tree, view
from tremplin_server.jump_items.view import FIELDS, SORTABLE, View
from tremplin_server.permissions import Actor, system_actor
from tremplin_server.shortcuts import service as shortcuts

from tests.conftest import MovableClock
from tests.personas import People
from tests.stage import AGENT, Stage

FACTS = {
    "operating_system": "Debian GNU/Linux 12",
    "private_ip": "10.20.0.17",
    "console_user": "Zoé",
}


@pytest.fixture(autouse=True)
def _words(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        yield


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def site(stage: Stage) -> Stage:
    """web1 (production, online), db1 (away), old (uninstalled), in one group."""
    made = stage.installer(tag="production", comments="Rack 7, shelf 3")
    stage.online(made, hostname="web1", facts=FACTS)
    other = stage.installer()
    stage.disconnect(stage.online(other, hostname="db1", fingerprint="c" * 64))
    stage.farewell(stage.online(other, hostname="old", fingerprint="d" * 64))
    return stage


def names(database: Database, view: View, actor: Actor | None = None) -> list[str]:
    """Return the names that a view shows."""
    with database.work(actor or system_actor(), read_only=True) as work:
        return [item.name for item in listing.page(work, view).items]


def keys(database: Database, view: View) -> list[str]:
    """Return the keys that a view shows, in their order."""
    with database.work(system_actor(), read_only=True) as work:
        return [item.key for item in listing.page(work, view).items]


@pytest.mark.parametrize("sort", [*SORTABLE, *(f"-{name}" for name in SORTABLE)])
def test_every_order_shows_everything(site: Stage, database: Database, sort: str) -> None:
    shown = names(database, View(sort=sort))
    assert sorted(shown) == ["db1", "old", "web1"]
    if sort in ("name", "-name"):
        assert shown == sorted(shown, reverse=sort.startswith("-"))


@pytest.mark.parametrize("sort", [*SORTABLE, *(f"-{name}" for name in SORTABLE)])
def test_every_page_goes_on_where_the_one_before_ended(
    site: Stage, database: Database, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    with database.work(system_actor()) as work:
        group = groups.query(work).with_only_columns(JumpGroup.id).limit(1)
        owner = work.session.scalars(group).one()
        for name in ("db1", "terminals", "zoo"):
            values = {"name": name, "hostname": f"{name}.example.net", "jump_group_id": owner}
            shortcuts.create(work, values)
    whole = keys(database, View(sort=sort))
    assert len(whole) == len(set(whole)) == 6
    monkeypatch.setattr(listing, "PER_PAGE", 1)
    assert [key for page in range(1, 7) for key in keys(database, View(sort=sort, page=page))] == (
        whole
    )
    assert keys(database, View(sort=sort, page=99)) == whole[-1:]


@pytest.mark.parametrize("sort", ["name", "-last_seen", "group"])
def test_a_search_narrows_like_a_list(site: Stage, database: Database, sort: str) -> None:
    group = site.group
    for wanted in ({"tag": "production"}, {"state": "online"}, {"group": f"shared:{group.id}"}):
        listed = names(database, View(sort=sort, **wanted))
        assert names(database, View(sort=sort, phrase="e", **wanted)) == listed
        assert names(database, View(sort=sort, phrase="nowhere", **wanted)) == []


def test_a_search_follows_a_client_to_another_group(site: Stage, database: Database) -> None:
    there = site.new_group()
    with database.work(system_actor()) as work:
        number = work.session.scalars(select(JumpClient.id).where(JumpClient.name == "web1")).one()
        clients.update(work, number, {"jump_group_id": there.id, "jump_group_type": "shared"})
    found = View(phrase="web", group=f"shared:{there.id}")
    assert names(database, found) == ["web1"]
    assert names(database, View(phrase="web", group=f"shared:{site.group.id}")) == []


@pytest.mark.parametrize(
    ("field", "phrase", "found"),
    [
        ("name", "WEB", ["web1"]),
        ("hostname", "db", ["db1"]),
        ("tag", "produc", ["web1"]),
        ("comments", "rack 7, sh", ["web1"]),
        ("group", "group", ["db1", "old", "web1"]),
        ("method", "jump cl", ["db1", "old", "web1"]),
        ("state", "offl", ["db1"]),
        ("state", "uninst", ["old"]),
        ("console_user", "zoÉ", ["web1"]),
        ("operating_system", "debian", ["web1"]),
        ("private_ip", "20.0.17", ["web1"]),
        ("public_ip", "203.0.113.9", ["db1", "old", "web1"]),
        ("tag", "web", []),
        ("name", "%", []),
        ("last_access", "gibberish", []),
    ],
)
def test_a_phrase_is_found_in_its_field(
    site: Stage, database: Database, field: str, phrase: str, found: list[str]
) -> None:
    assert names(database, View(phrase=phrase, fields=(field,))) == found


def test_last_access_is_found_by_its_day(
    site: Stage, database: Database, clock: MovableClock
) -> None:
    with database.work(system_actor()) as work:
        work.session.execute(
            update(JumpClient).where(JumpClient.name == "db1").values(last_access=clock.now())
        )
    today = clock.now()
    for phrase in (f"{today:%Y}", f"{today:%Y-%m}", f"{today:%Y-%m-%d}", f"{today:%d/%m/%Y}"):
        assert names(database, View(phrase=phrase, fields=("last_access",))) == ["db1"], phrase
    assert names(database, View(phrase="1999-01", fields=("last_access",))) == []


def test_without_a_field_a_phrase_is_found_anywhere(site: Stage, database: Database) -> None:
    assert names(database, View(phrase="zoé")) == ["web1"]
    assert names(database, View(phrase="offline")) == ["db1"]
    assert names(database, View(phrase="GROUP")) == ["db1", "old", "web1"]
    assert names(database, View(phrase="rack 7 shelf")) == []


def test_what_is_searched_follows_every_writer(site: Stage, database: Database) -> None:
    record = next(one for one in site.records() if one.name == "web1")
    with database.work(AGENT) as work:
        reporting.user_changed(work, record.id, "Élodie")
    assert names(database, View(phrase="éLODIE")) == ["web1"]
    with database.work(system_actor()) as work:
        clients.update(work, record.id, {"name": "front", "comments": ""})
    assert names(database, View(phrase="front")) == ["front"]
    assert names(database, View(phrase="rack")) == []
    with database.work(system_actor()) as work:
        clients.delete(work, record.id)
    with database.work(system_actor()) as work:
        left = work.session.scalars(select(ClientSearch.client_id)).all()
    assert record.id not in left


def test_states_are_told_apart(site: Stage, database: Database, clock: MovableClock) -> None:
    assert names(database, View(state="online")) == ["web1"]
    assert names(database, View(state="offline")) == ["db1"]
    assert names(database, View(state="uninstalled")) == ["old"]
    assert names(database, View(state="outdated")) == ["db1", "web1"]
    clock.forward(days=60)
    assert names(database, View(state="lost")) == ["db1"]
    assert names(database, View(state="offline")) == []


# --- who sees what ------------------------------------------------------------------------


def test_everybody_sees_the_groups_they_are_in(
    site: Stage, database: Database, people: People
) -> None:
    with database.work(system_actor()) as work:
        groups.add_member(work, site.group.id, people.technician.id)
    mine = site.installer(people.technician, jump_group_type="personal",
                          jump_group_id=people.technician.id)  # fmt: skip
    site.online(mine, hostname="mine", fingerprint="e" * 64)
    assert names(database, View(), people.technician) == ["db1", "mine", "old", "web1"]
    assert names(database, View(), people.outsider) == []
    assert names(database, View(phrase="web"), people.outsider) == []
    with database.work(people.outsider, read_only=True) as work:
        seen = tree.tree(work)
        assert (seen.total, seen.shared, seen.people) == (0, [], [])
        assert tree.tags(work, f"shared:{site.group.id}") == []
        assert tree.group_name(work, f"personal:{people.technician.id}") == ""
        with pytest.raises(NotFound):
            listing.one(work, "client:1")
    with database.work(people.technician, read_only=True) as work:
        seen = tree.tree(work)
        assert seen.mine is not None
        assert (seen.total, seen.mine.count, seen.people) == (4, 1, [])
        assert [(group.name, group.count) for group in seen.shared] == [(site.group.name, 3)]
        assert tree.tags(work, f"shared:{site.group.id}") == [("production", 1)]
    with database.work(people.auditor, read_only=True) as work:
        assert [(group.name, group.count) for group in tree.tree(work).people] == [
            ("technician", 1)
        ]


def test_a_group_and_a_tag_narrow_the_list(site: Stage, database: Database) -> None:
    group = f"shared:{site.group.id}"
    assert names(database, View(group=group)) == ["db1", "old", "web1"]
    assert names(database, View(group=group, tag="production")) == ["web1"]
    assert names(database, View(group="personal:1")) == []


def test_only_who_may_deletes(site: Stage, database: Database, people: People) -> None:
    with pytest.raises(Denied), database.work(people.auditor) as work:
        listing.source("client").delete(work, site.records()[0].id, "")


def test_columns_are_kept_per_person(database: Database, people: People) -> None:
    with database.work(people.technician) as work:
        preferences.set_columns(work, ["state", "comments"])
    with database.work(people.technician, read_only=True) as work:
        assert preferences.columns(work) == ["state", "comments"]
    with database.work(people.auditor, read_only=True) as work:
        assert preferences.columns(work) == []


# --- a day of figures ---------------------------------------------------------------------


def test_a_day_is_kept_and_no_more(site: Stage, database: Database, clock: MovableClock) -> None:
    record = next(one for one in site.records() if one.name == "web1")
    for number in range(300):
        figures = {"cpu_percent": number % 100, "memory_used_bytes": 1, "memory_total_bytes": 4}
        with database.work(AGENT) as work:
            reporting.statistics(work, {record.id: figures})
        clock.forward(minutes=7)
    with database.work(system_actor(), read_only=True) as work:
        samples = history.of(work, record.id)
        stored = work.session.scalars(select(ClientHistory)).one()
        lines = chart.lines(samples, work.now())
    assert 90 <= len(samples) <= history.KEPT
    assert len(stored.samples) <= 7 * history.KEPT
    assert {sample.memory for sample in samples} == {25}
    assert {sample.disk for sample in samples} == {None}
    assert [line.code for line in lines] == ["processor", "memory"]
    assert (lines[1].least, lines[1].now, lines[1].most) == (25, 25, 25)


def test_a_host_that_was_away_leaves_a_gap(
    site: Stage, database: Database, clock: MovableClock
) -> None:
    record = next(one for one in site.records() if one.name == "web1")
    for pause in (15, 15, 400, 15):
        with database.work(AGENT) as work:
            reporting.statistics(work, {record.id: {"cpu_percent": 50}})
        clock.forward(minutes=pause)
    with database.work(system_actor(), read_only=True) as work:
        (line,) = chart.lines(history.of(work, record.id), work.now())
    assert len(line.paths) == 2


def test_each_state_says_what_can_be_done(
    site: Stage, database: Database, clock: MovableClock
) -> None:
    with database.work(system_actor(), read_only=True) as work:
        told = {
            item.name: advice.advice(work, item, clients.get(work, item.id))
            for item in listing.page(work, View()).items
        }
    assert "init-script status" in told["db1"][0].command
    assert "Delete the record" in told["old"][0].text
    assert ["version" in one.text for one in told["web1"]] == [True]
    clock.forward(days=60)
    with database.work(system_actor(), read_only=True) as work:
        item = listing.chosen(work, ["client:2"])[0]
        assert item.state == "lost"
        assert "leaves by itself" in advice.advice(work, item, clients.get(work, 2))[0].text


def test_every_field_has_words() -> None:
    assert set(view.fields()) == set(FIELDS)
