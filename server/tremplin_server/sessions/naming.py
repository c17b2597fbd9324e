"""By which words a technician reaches a Jump Client over SSH.

An id always means that record; `id-12` is the spelling that no program takes for an address,
as OpenSSH does with a bare 12, which it dials as 0.0.0.12. Any other word may be a name, a
declared key, a host name or a full host name, whatever the case. If several records answer to
it none is meant: a host reports its own name, and must not be able to step in front of another.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_

from tremplin_server.clients import copies
from tremplin_server.clients import service as clients
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, NotFound
from tremplin_server.rest import MAX_ID

_NAMED_BY = ("name", "external_id", "hostname", "fqdn")
_SHOWN = 8
"""Candidates that the message about an ambiguous name lists."""
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What ssh takes as a host name, and known_hosts and ssh_config as a plain word."""
_ID = re.compile(r"(?:id-)?([0-9]{1,10})|0\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reachable:
    """A Jump Client, and the names that mean it and no other."""

    client: JumpClient
    names: tuple[str, ...]

    @property
    def address(self) -> str:
        """The spelling of its id that is a host name."""
        return f"id-{self.client.id}"

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that means it, as ssh looks it up among the known hosts."""
        number = self.client.id
        numeric = (str(number), f"0.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        return (*self.names, self.address, *(numeric if number < 1 << 24 else numeric[:1]))


def id_in(word: str) -> int | None:
    """Return the id that `word` spells, or None when it is another kind of word."""
    found = _ID.fullmatch(word.lower())
    if found is None:
        return None
    if found[1] is not None:
        return int(found[1])
    parts = [int(part) for part in found.groups()[1:]]
    return (parts[0] << 16 | parts[1] << 8 | parts[2]) if max(parts) < 256 else None


def resolve(work: Work, word: str) -> JumpClient | copies.AsListed:
    """Return the Jump Client, among those that the actor sees, that `word` means.

    The id of a copy means the host as the copy lists it.

    Raises NotFound (client.missing), Conflict (bastion.ambiguous) with the candidates.
    """
    number = id_in(word)
    if number is not None and 0 < number <= MAX_ID and _is_known(work, number):
        return clients.listed(work, number)
    called = [same_text(getattr(JumpClient, name), word) for name in _NAMED_BY]
    candidates = work.session.scalars(clients.query(work).where(or_(*called))).all()
    # A record whose agent is gone is nobody to reach: a reinstalled host has a newer one.
    chosen = [c for c in candidates if c.state != State.UNINSTALLED] or candidates
    if not chosen:
        raise NotFound("client.missing", id=word)
    if len(chosen) > 1:
        raise Conflict("bastion.ambiguous", name=word, candidates=_listed(chosen))
    return chosen[0]


def _is_known(work: Work, number: int) -> bool:
    return copies.is_copy(number) or work.session.get(JumpClient, number) is not None


def _listed(candidates: Sequence[JumpClient]) -> str:
    shown = [f"{c.id} ({c.name}, {c.state})" for c in candidates[:_SHOWN]]
    more = len(candidates) - len(shown)
    return ", ".join(shown) + (f", +{more}" if more else "")


def reachable(work: Work) -> list[Reachable]:
    """Return the Jump Clients that the actor sees and whose agent is not gone, by id."""
    query = clients.query(work).where(JumpClient.state != State.UNINSTALLED.value)
    found = work.session.scalars(query).all()
    count = Counter(word.lower() for client in found for word in _words(client))
    return [Reachable(client, _own(_words(client), count)) for client in found]


def _words(client: JumpClient) -> list[str]:
    """Return the words of one client, each once whatever the case."""
    words: dict[str, str] = {}
    for name in _NAMED_BY:
        word = getattr(client, name) or ""
        if _WORD.fullmatch(word):
            words.setdefault(word.lower(), word)
    return list(words.values())


def _own(words: Iterable[str], count: Counter[str]) -> tuple[str, ...]:
    return tuple(word for word in words if count[word.lower()] == 1 and id_in(word) is None)
