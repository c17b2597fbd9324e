"""One page of the console's list, whatever kinds of Jump Items are in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import Select, Subquery, func, select, union_all

from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.groups import pages as groups
from tremplin_server.jump_items.client_source import ClientSource
from tremplin_server.jump_items.shortcut_source import ShortcutSource
from tremplin_server.jump_items.sources import Item, Source, parse_key
from tremplin_server.jump_items.view import PER_PAGE, View

SOURCES: tuple[Source, ...] = (ClientSource(), ShortcutSource())


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of the list. groups: label of each item's group by its form value."""

    items: Sequence[Item]
    groups: dict[str, str]
    number: int
    last: int
    total: int

    def group(self, item: Item) -> str:
        """Return the label of the group that an item belongs to."""
        return self.groups[groups.value_of(item.owned)]

    @property
    def first_row(self) -> int:
        """The place in the whole list of the first item shown; 0 when there is none."""
        return (self.number - 1) * PER_PAGE + 1 if self.items else 0

    @property
    def last_row(self) -> int:
        """The place of the last item shown."""
        return self.first_row + len(self.items) - 1 if self.items else 0


def page(work: Work, view: View) -> ItemPage:
    """Return the page of a view; past the end, the last one."""
    queries = [query for source in SOURCES if (query := source.keys(work, view)) is not None]
    if not queries:
        return ItemPage([], {}, 1, 1, 0)
    query = _ordered(queries, view)
    if view.phrase:
        rows, total = _searched(work, query, view.page)
    else:
        total = sum(_count(work, query) for query in queries)
        rows = _cut(work, query, min(view.page, _last(total)))
    last = _last(total)
    number = min(view.page, last)
    items = _items(work, [(row[0], row[1]) for row in rows])
    return ItemPage(items, groups.labels(work, (i.owned for i in items)), number, last, total)


def _last(total: int) -> int:
    return max(1, ceil(total / PER_PAGE))


def _cut(work: Work, query: Select[Any], number: int) -> Sequence[Any]:
    cut = query.limit(PER_PAGE).offset((number - 1) * PER_PAGE)
    return work.session.execute(cut).all()


def _searched(work: Work, query: Select[Any], number: int) -> tuple[Sequence[Any], int]:
    """Return a page and the total at once: searching is dearer than ordering what was found."""
    counted = query.add_columns(func.count().over().label("total"))
    rows = _cut(work, counted, number)
    if not rows and number > 1:
        first = _cut(work, counted, 1)
        total = first[0].total if first else 0
        return _cut(work, counted, _last(total)), total
    return rows, rows[0].total if rows else 0


def _count(work: Work, query: Select[Any]) -> int:
    counted = query.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    return work.session.scalar(counted) or 0


def _ordered(queries: Sequence[Select[Any]], view: View) -> Select[Any]:
    if len(queries) == 1:
        query = queries[0]
        _method, number, value = query.selected_columns
        return query.order_by(*_order(value, number, view))
    found: Subquery = union_all(*queries).subquery()
    columns = found.c
    return select(found).order_by(*_order(columns.sort, columns.id, view))


def _order(value: Any, number: Any, view: View) -> list[Any]:
    """The name always tells; other values may be missing, and those stand at the end."""
    if view.sort == "name":
        return [value, number]
    if view.sort == "-name":
        return [value.desc(), number.desc()]
    down = view.sort.startswith("-")
    return [(value.desc() if down else value.asc()).nulls_last(), number]


def _items(work: Work, keys: Sequence[tuple[str, int]]) -> list[Item]:
    """Return the items of `keys` in their order; who vanished meanwhile is left out."""
    wanted: dict[str, list[int]] = defaultdict(list)
    for method, number in keys:
        wanted[method].append(number)
    known: dict[tuple[str, int], Item] = {}
    for source in SOURCES:
        if source.method in wanted:
            for item in source.items(work, wanted[source.method]):
                known[item.method, item.id] = item
    return [known[key] for key in keys if key in known]


def chosen(work: Work, keys: Sequence[str]) -> list[Item]:
    """Return the items with these keys that the actor sees, in their order."""
    parsed = [parsed for key in keys[:PER_PAGE] if (parsed := parse_key(key)) is not None]
    return _items(work, list(dict.fromkeys(parsed)))


def one(work: Work, key: str) -> Item:
    """Return the item with this key; NotFound (client.missing) if the actor sees none."""
    found = chosen(work, [key])
    if not found:
        raise NotFound("client.missing", id=(parse_key(key) or ("", 0))[1])
    return found[0]


def source(method: str) -> Source:
    """Return the source of a kind of items that the list has."""
    return next(known for known in SOURCES if known.method == method)


def group_label(work: Work, item: Item) -> str:
    """Return the label of the group that an item belongs to."""
    return groups.labels(work, [item.owned])[groups.value_of(item.owned)]
