"""The name somebody signs in with at the bastion, and what it carries for Jump Policies. Pure.

    ssh -J tech+ticket=INC-7+reason=new=20disk@server:8022 web1
    ssh -J tech+factor@server:8022 web1

ssh has no other place for words of the technician's: the jump's user name is one, in
commands, in ssh_config and in inventories. `factor` asks for the password and a code instead
of a key, which proves the second factor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tremplin_server.policies.rules import Rule

_PART = re.compile(r"\+(?:(ticket|reason)=([^+]*)|(factor))$")
_OCTET = re.compile(rb"=([0-9A-Fa-f]{2})")
_EXAMPLES = {Rule.TICKET: "ticket=ID", Rule.REASON: "reason=WHY", Rule.FACTOR: "factor"}


@dataclass(frozen=True, slots=True)
class Login:
    """What a name at the bastion says."""

    username: str
    ticket_id: str = ""
    reason: str = ""
    factor: bool = False


def parse(name: str) -> Login:
    """Return what `name` says. Only the words above are cut off: other names have a plus, too.

    In a value `=20` stands for a blank, and so on in hexadecimal UTF-8: ssh takes a percent
    sign for its own.
    """
    found: dict[str, str] = {}
    while part := _PART.search(name):
        name = name[: part.start()]
        found.setdefault(part[1] or part[3], _decoded(part[2] or ""))
    return Login(name, found.get("ticket", ""), found.get("reason", ""), factor="factor" in found)


def _decoded(value: str) -> str:
    octets = _OCTET.sub(lambda found: bytes([int(found[1], 16)]), value.encode())
    return octets.decode("utf-8", "replace")


def words_for(login: Login, rules: Sequence[Rule]) -> str:
    """Return a name that brings what `rules` want, for people to fill in; empty for nothing."""
    words = [_EXAMPLES[rule] for rule in rules if rule in _EXAMPLES]
    return "+".join([login.username, *words]) if words else ""
