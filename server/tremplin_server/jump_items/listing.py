"""One page of the console's list, whatever kinds of Jump Items are in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from sqlalchemy import BindParameter, Select, func, literal, select, union_all

from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.groups import pages as groups
from tremplin_server.jump_items.client_source import ClientSource
from tremplin_server.jump_items.copy_source import CopySource
from tremplin_server.jump_items.shortcut_source import ShortcutSource
from tremplin_server.jump_items.sources import Item, Source, parse_key
from tremplin_server.jump_items.view import PER_PAGE, View

SOURCES: tuple[Source, ...] = (ClientSource(), CopySource(), ShortcutSource())


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
    found = [(s, query) for s in SOURCES if (query := s.keys(work, view)) is not None]
    queries = [query for _source, query in found]
    if not queries:
        return ItemPage([], {}, 1, 1, 0)
    if all(source.is_searched(view) for source, _query in found):
        rows, total = _searched(work, queries, view)
    else:
        counts = _counts(work, view, [source for source, _query in found])
        total = sum(counts)
        rows = _cut(work, queries, view, counts)
    last = _last(total)
    number = min(view.page, last)
    items = _items(work, [(row[0], row[1]) for row in rows])
    return ItemPage(items, groups.labels(work, (i.owned for i in items)), number, last, total)


def _last(total: int) -> int:
    return max(1, ceil(total / PER_PAGE))


def _counts(work: Work, view: View, sources: Sequence[Source]) -> list[int]:
    """Return how many items of each kind a view has."""
    in_no_order = replace(view, sort="")
    queries = (source.keys(work, in_no_order) for source in sources)
    counts = (literal(0) if q is None else _counted(q).scalar_subquery() for q in queries)
    return list(work.session.execute(select(*counts)).one())


def _counted(query: Select[Any]) -> Select[Any]:
    return query.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)


def _cut(
    work: Work, queries: Sequence[Select[Any]], view: View, counts: Sequence[int]
) -> Sequence[Any]:
    """Return a page's keys, counted from the nearer end: a database walks to where it begins."""
    total = sum(counts)
    start = (min(view.page, _last(total)) - 1) * PER_PAGE
    stop = min(start + PER_PAGE, total)
    if total - stop < start:
        backwards = _Order(view.sort, backwards=True)
        return _span(work, queries, backwards, total - stop, total - start, counts)[::-1]
    return _span(work, queries, _Order(view.sort), start, stop, counts)


def _span(
    work: Work,
    queries: Sequence[Select[Any]],
    order: _Order,
    start: int,
    stop: int,
    counts: Sequence[int],
) -> Sequence[Any]:
    """Return the keys from place `start` up to `stop`. counts: how many each kind has."""
    # Wherever the other kinds stand, so many of each kind stand before `start`.
    total = sum(counts)
    skipped = [max(0, start - (total - count)) if len(counts) > 1 else 0 for count in counts]
    whole = _head(queries, order, stop, skipped)
    return work.session.execute(whole.limit(stop - start).offset(start - sum(skipped))).all()


def _head(
    queries: Sequence[Select[Any]], order: _Order, stop: int, skipped: Sequence[int] = ()
) -> Select[Any]:
    """Return the keys of all kinds in order; those before place `stop` are right.

    skipped: how many of each kind are left out at its beginning.
    """
    skipped = skipped or [0] * len(queries)
    gaps = [_may_be_missing(query.selected_columns[2]) for query in queries]
    if len(queries) == 1:
        return order.of(queries[0], gaps[0])
    heads = [
        order.of(query, gap).limit(stop - skip).offset(skip)
        for query, gap, skip in zip(queries, gaps, skipped, strict=True)
    ]
    whole = union_all(*(select(head.subquery()) for head in heads))
    return order.of(select(whole.subquery()), any(gaps))


def _searched(work: Work, queries: Sequence[Select[Any]], view: View) -> tuple[Sequence[Any], int]:
    """Return a page and the total at once: searching is dearer than ordering what was found.

    The kinds are counted apart: a count beside each line of the whole makes all those lines.
    """
    order = _Order(view.sort)
    first, *others = (_counted(query).scalar_subquery() for query in queries)
    total = sum(others, first).label("total")

    def cut(number: int) -> Sequence[Any]:
        whole = _head(queries, order, number * PER_PAGE).add_columns(total)
        return work.session.execute(whole.limit(PER_PAGE).offset((number - 1) * PER_PAGE)).all()

    rows = cut(view.page)
    if not rows and view.page > 1:
        known = cut(1)
        rows = cut(_last(known[0].total)) if known else []
    return rows, rows[0].total if rows else 0


@dataclass(frozen=True, slots=True)
class _Order:
    """The order of a list. sort: as views have it. backwards: from the list's end."""

    sort: str
    backwards: bool = False

    def of(self, query: Select[Any], gaps: bool) -> Select[Any]:
        """Return a query of (method, id, sort) in this order, which leaves no two items equal.

        Values may be missing, and those stand at the end.
        """
        method, number, value = query.selected_columns
        down = self.sort.startswith("-") is not self.backwards
        first, *rest = (c.desc() if down else c.asc() for c in (value, number, method))
        if gaps:
            # Said only where something can be missing: it keeps PostgreSQL from using an index.
            first = first.nulls_first() if self.backwards else first.nulls_last()
        # Within one kind ids tell; an index serves the order without the kind.
        return query.order_by(first, *(rest[:1] if _is_constant(method) else rest))


def _may_be_missing(column: Any) -> bool:
    return bool(getattr(getattr(column, "element", column), "nullable", True))


def _is_constant(column: Any) -> bool:
    return isinstance(getattr(column, "element", column), BindParameter)


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
