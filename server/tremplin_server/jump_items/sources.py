"""Where the console's list comes from: each kind of Jump Item is a source.

A source gives the keys of its items as a query, so that the database orders and cuts the
whole list, and then the items of one page. Another kind of item joins by another source in
`SOURCES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Select

from tremplin_server.db import Work
from tremplin_server.groups.models import Belonging
from tremplin_server.jump_items.view import View


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the list. key: `<method>:<id>`. state: a Jump Client's, `lost` among them,
    else empty. owned: what `groups.pages` labels its group from."""

    method: str
    id: int
    owned: Belonging
    name: str
    tag: str = ""
    comments: str = ""
    state: str = ""
    outdated: bool = False
    hostname: str = ""
    operating_system: str = ""
    private_ip: str = ""
    public_ip: str = ""
    console_user: str = ""
    agent_version: str = ""
    last_access: datetime | None = None
    last_seen: datetime | None = None

    @property
    def key(self) -> str:
        """What names it in addresses and forms."""
        return f"{self.method}:{self.id}"


class Source(Protocol):
    """A kind of Jump Item. Every query is narrowed to what the actor sees."""

    @property
    def method(self) -> str:
        """Its code, `client` for instance; `method_words` has the words."""

    def keys(self, work: Work, view: View) -> Select[Any] | None:
        """Return the query of (method, id, sort) of the items of a view; None for none.

        sort: the value of the view's order, null where this kind has no such column. A view
        without an order (empty) is only counted.
        """

    def is_searched(self, view: View) -> bool:
        """Whether the phrase of a view is looked for, which makes its query dear."""

    def items(self, work: Work, ids: Sequence[int]) -> list[Item]:
        """Return the items with these ids, in any order."""

    def groups(self, work: Work) -> Select[Any]:
        """Return the query of (shared_group_id, owner_user_id, count)."""

    def tags(self, work: Work, group: tuple[str, int]) -> Select[Any]:
        """Return the query of (tag, count) of one group, without the empty tag."""

    def delete(self, work: Work, number: int, reason: str) -> None:
        """Delete an item; the source's own service checks the right to."""


def is_empty(work: Work, kind: str, query: Select[Any]) -> bool:
    """Whether the actor sees no item of a kind, given the query of those he sees.

    Looked up once in a work that changes nothing: a list asks for its items and for their count.
    """
    known: dict[str, bool] = work.session.info.setdefault(_KNOWN_EMPTY, {})
    if kind not in known or not work.read_only:
        known[kind] = work.session.scalar(query.limit(1)) is None
    return known[kind]


_KNOWN_EMPTY = "kinds of Jump Items without any"


def parse_key(key: str) -> tuple[str, int] | None:
    """Return method and id of an item's key; None when it is none."""
    method, _colon, number = key.partition(":")
    if not method.isalnum() or not number.isdecimal() or len(number) > 10:
        return None
    return method, int(number)
