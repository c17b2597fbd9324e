"""The lines of the console's list as HTML.

A template would ask for a thousand values of a hundred lines, one by one: that took half of
the time of the whole answer. What is around the lines is a template (`console/_rows.html`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from markupsafe import Markup

from tremplin_server import i18n
from tremplin_server.jump_items.listing import ItemPage
from tremplin_server.jump_items.sources import Item

_NONE = "–"


@dataclass(frozen=True, slots=True)
class Words:
    """What lines say, in the reader's `language`. old: the mark of an outdated agent."""

    language: str
    select: str
    states: Mapping[str, str]
    methods: Mapping[str, str]
    old: Markup


def markup(
    page: ItemPage,
    columns: Sequence[str],
    words: Words,
    address: Callable[[Item], str],
    now: datetime,
) -> Markup:
    """Return the lines of a page. address: gives the page of an item."""
    made = _Lines(page, columns, words, address, now)
    whole = "\n".join(made.line(place, item) for place, item in enumerate(page.items))
    return Markup(whole)  # noqa: S704 - every part is escaped, or markup


@dataclass(frozen=True, slots=True)
class _Lines:
    page: ItemPage
    columns: Sequence[str]
    words: Words
    address: Callable[[Item], str]
    now: datetime

    def line(self, place: int, item: Item) -> str:
        name, key = escape(item.name), escape(item.key)
        state, method = escape(item.state), escape(item.method)
        cells = "".join(
            f'<td class="c-{column}" role="gridcell">{self._cell(column, item)}</td>'
            for column in self.columns
        )
        return (
            f'<tr role="row" class="is-{state or method}" id="row-{method}-{item.id}"'
            f' data-key="{key}" data-method="{method}" data-id="{item.id}" data-name="{name}"'
            f' data-state="{state}"'
            f' data-state-word="{escape(self.words.states.get(item.state, ""))}"'
            f' aria-rowindex="{self.page.first_row + place}" aria-selected="false"'
            f' tabindex="{-1 if place else 0}"><td class="c-box" role="gridcell">'
            '<input type="checkbox" class="form-check-input m-0" tabindex="-1"'
            f' aria-label="{escape(self.words.select)} {name}"></td>{cells}</tr>'
        )

    def _cell(self, column: str, item: Item) -> str:
        if column == "name":
            return self._name(item)
        if column == "state":
            return self._state(item)
        if column == "group":
            return escape(self.page.group(item))
        if column == "method":
            return escape(self.words.methods.get(item.method, item.method))
        value = getattr(item, column)
        if isinstance(value, datetime):
            return self._time(value)
        return escape(value) if value else _NONE

    def _name(self, item: Item) -> str:
        old = f" {self.words.old}" if item.outdated else ""
        tag = f" · {escape(item.tag)}" if item.tag else ""
        return (
            f'<a href="{escape(self.address(item))}" tabindex="-1">{escape(item.name)}</a>{old}'
            f'<span class="phone-only second">{escape(self.page.group(item))}{tag}</span>'
        )

    def _state(self, item: Item) -> str:
        """Return what stands for the state; what has none says what it is."""
        if not item.state:
            kind = self.words.methods.get(item.method, item.method)
            return f'<span class="kind">{escape(kind)}</span>'
        word = escape(self.words.states[item.state])
        return f'<span class="state {escape(item.state)}">{word}</span>'

    def _time(self, value: datetime) -> str:
        exact = f"{value:%Y-%m-%d %H:%M:%S} UTC"
        words = escape(i18n.ago(value - self.now, self.words.language))
        return f'<time datetime="{value.isoformat()}" title="{exact}">{words}</time>'
