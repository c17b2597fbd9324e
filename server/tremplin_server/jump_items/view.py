"""What the console's list shows: group, tag, state, a phrase and its fields, order, page.

A view is what stands in the address, so that it can be shared. What makes no sense there is
left out rather than refused: the address may come from another version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tremplin_server.clients.words import states
from tremplin_server.groups.pages import parse
from tremplin_server.i18n import gettext as _

PER_PAGE = 100
MAX_PHRASE = 255
STATES = (
    "online",
    "resting",
    "offline",
    "lost",
    "disabled",
    "outdated",
    "uninstalled",
    "pending",
    "removing",
)
USUAL_COLUMNS = ("name", "state", "group", "tag", "operating_system", "private_ip", "last_seen")


def columns() -> dict[str, str]:
    """Return the columns that the list can show, in their order, with their words."""
    return {
        "name": _("Name"),
        "state": _("State"),
        "group": _("Jump Group"),
        "tag": _("Tag"),
        "method": _("Jump method"),
        "hostname": _("Host name"),
        "operating_system": _("Operating system"),
        "private_ip": _("Private IP"),
        "public_ip": _("Public IP"),
        "console_user": _("Console user"),
        "last_access": _("Last access"),
        "last_seen": _("Last seen"),
        "agent_version": _("Version"),
        "comments": _("Comments"),
    }


FIELDS = (
    "name",
    "hostname",
    "tag",
    "comments",
    "group",
    "method",
    "state",
    "console_user",
    "operating_system",
    "private_ip",
    "public_ip",
    "last_access",
)
"""What a phrase can be looked for in; their words are those of the columns."""


@dataclass(frozen=True, slots=True)
class View:
    """One view. group: form value (`shared:3`), empty for all. tag: empty for all.

    fields: where the phrase is looked for; empty: everywhere. sort: a column, with `-` in
    front for the other way round. page: from 1.
    """

    group: str = ""
    tag: str = ""
    state: str = ""
    method: str = ""
    phrase: str = ""
    fields: tuple[str, ...] = ()
    sort: str = "name"
    page: int = 1

    @classmethod
    def of(cls, get: Callable[[str], str], fields: Sequence[str]) -> View:
        """Return the view of an address. get: gives an argument, empty without it."""
        page = get("page")
        group, state, sort = get("group"), get("state"), get("sort")
        return cls(
            group=group if parse(group) else "",
            tag=_clean(get("tag")),
            state=state if state in STATES else "",
            method=_clean(get("method"))[:16],
            phrase=_clean(get("q")),
            fields=tuple(name for name in FIELDS if name in fields),
            sort=sort if sort.removeprefix("-") in SORTABLE else "name",
            page=int(page) if page.isdecimal() and 0 < len(page) < 8 and int(page) else 1,
        )

    def arguments(self) -> list[tuple[str, str]]:
        """Return what `of` makes this view from; what is usual is left out."""
        pairs = [
            ("group", self.group),
            ("tag", self.tag),
            ("state", self.state),
            ("method", self.method),
            ("q", self.phrase),
            *(("in", name) for name in self.fields),
            ("sort", "" if self.sort == "name" else self.sort),
            ("page", "" if self.page == 1 else str(self.page)),
        ]
        return [(name, value) for name, value in pairs if value]

    def with_(self, **changes: object) -> View:
        """Return this view with some values changed, on its first page unless one is given."""
        return replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]

    @property
    def narrowed(self) -> bool:
        """Whether it shows less than everything."""
        return bool(self.group or self.tag or self.state or self.method or self.phrase)


SORTABLE = (
    "name",
    "state",
    "group",
    "tag",
    "hostname",
    "operating_system",
    "private_ip",
    "public_ip",
    "console_user",
    "last_access",
    "last_seen",
    "agent_version",
)


def fields() -> dict[str, str]:
    """Return the fields of a search with their words."""
    known = columns()
    return {name: known[name] for name in FIELDS}


def shown_columns(chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Return name and words of the columns to show: those chosen, else the usual ones."""
    known = columns()
    names = [name for name in known if name in chosen] or list(USUAL_COLUMNS)
    return [(name, known[name]) for name in dict.fromkeys(["name", *names])]


def state_words(phrase: str) -> list[str]:
    """Return the states whose word, in the reader's language or ours, contains `phrase`."""
    small = phrase.lower()
    return [code for code, word in states().items() if small in word.lower() or small in code]


def _clean(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())[:MAX_PHRASE]
