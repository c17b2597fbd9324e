"""The lines of the console's list: what items say is text, wherever it stands."""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup
from tremplin_server.groups.service import Owner
from tremplin_server.jump_items import lines
from tremplin_server.jump_items.client_query import TEXTS
from tremplin_server.jump_items.listing import ItemPage
from tremplin_server.jump_items.sources import Item

EVIL = "\"><script>alert('x')</script>&"
WORDS = lines.Words("en", "Select", {"online": "Online"}, {"client": EVIL}, Markup("<i>old</i>"))
COLUMNS = [*TEXTS, "state", "group", "method", "agent_version", "last_seen"]
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def page(*items: Item) -> ItemPage:
    return ItemPage(items, {"shared:1": EVIL}, 2, 3, 250)


def item(**values: object) -> Item:
    given = {"name": "web", **values}
    return Item("client", 7, Owner(1, None, ""), **given)  # type: ignore[arg-type]


def test_what_a_host_tells_is_only_text() -> None:
    told = item(**dict.fromkeys(TEXTS, EVIL), agent_version=EVIL, state="online")
    made = lines.markup(page(told), COLUMNS, WORDS, lambda _item: f"/?{EVIL}", NOW)
    assert "<script" not in made
    # Name: its attributes, cell and the line of a phone; every other text once; and the rest.
    assert made.count("&lt;script&gt;") >= len(COLUMNS) - 2
    assert made.count('"') == made.count('="') * 2, "no value ends its attribute"


def test_lines_know_their_place_and_their_marks() -> None:
    rows = lines.markup(
        page(item(outdated=True), item()), ["name", "state"], WORDS, lambda one: f"/c/{one.id}", NOW
    ).split("\n")
    assert [f'aria-rowindex="{101 + n}"' in row for n, row in enumerate(rows)] == [True, True]
    assert ["<i>old</i>" in row for row in rows] == [True, False]
    assert ['tabindex="0"' in row for row in rows] == [True, False]
    assert all('href="/c/7"' in row for row in rows)


def test_what_has_no_state_says_what_it_is() -> None:
    shortcut = Item("rdp", 3, Owner(1, None, ""), name="Desk")
    words = lines.Words("en", "Select", {}, {"rdp": "RDP shortcut"}, Markup())
    made = lines.markup(page(shortcut), ["state", "tag"], words, lambda _item: "/", NOW)
    assert '<span class="kind">RDP shortcut</span>' in made
    assert ">–</td>" in made
