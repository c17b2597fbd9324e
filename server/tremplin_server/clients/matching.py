"""Whose record is it? Decides what an enrolment meets; pure, values in and values out.

A machine can never take over a record by claiming its name: the declared key counts only
with the right to it, and the fingerprint only while nobody else is connected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tremplin_server.clients.lifecycle import State
from tremplin_server.errors import Conflict, Denied
from tremplin_server.installers.models import OnDuplicate


@dataclass(frozen=True, slots=True)
class Claim:
    """What an enrolment says and may do.

    external_id: the declared key, from the installer or stated by the machine.
    made_for: the installer's own declared key, when it was made for one machine.
    account: who installs it for himself alone; empty for a service of the machine.
    """

    external_id: str | None
    fingerprint: str
    made_for: str | None
    allow_takeover: bool
    on_duplicate: OnDuplicate
    account: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A record that a claim may mean.

    live: another connection of it answers now. in_reach: the installer may touch records
    of its Jump Group. account: whose own installation it is; empty for a service.
    """

    id: int
    external_id: str | None
    fingerprint: str
    state: State
    live: bool
    in_reach: bool
    account: str = ""


def decide(claim: Claim, by_key: Known | None, by_fingerprint: Sequence[Known]) -> int | None:
    """Return the id of the record to take over, or None when a new one is to be made.

    by_key: the record with the claimed declared key. by_fingerprint: those of the same
    machine, best first. Raises Denied (enrol.not_allowed) or Conflict
    (enrol.duplicate_refused).
    """
    if by_key is not None:
        return _by_declared_key(claim, by_key)
    return _by_machine(claim, by_fingerprint)


def _by_declared_key(claim: Claim, known: Known) -> int:
    if not (known.in_reach and _has_right(claim, known)):
        raise Denied("enrol.not_allowed")
    # A declared key exists once, so keeping both is impossible; but a record whose host
    # said that its agent is gone has nothing left to keep.
    if claim.on_duplicate != OnDuplicate.REPLACE and known.state != State.UNINSTALLED:
        raise Conflict("enrol.duplicate_refused")
    return known.id


def _has_right(claim: Claim, known: Known) -> bool:
    same_machine = bool(claim.fingerprint) and claim.fingerprint == known.fingerprint
    return (
        claim.made_for == known.external_id
        or claim.allow_takeover
        or (same_machine and not known.live)
    )


def _by_machine(claim: Claim, candidates: Sequence[Known]) -> int | None:
    meant = [known for known in candidates if _may_be_meant(claim, known)]
    away = [known for known in meant if not known.live]
    refusing = [known for known in meant if known.live or known.state != State.UNINSTALLED]
    if claim.on_duplicate == OnDuplicate.REFUSE and refusing:
        raise Conflict("enrol.duplicate_refused")
    if claim.on_duplicate == OnDuplicate.KEEP_BOTH or not away:
        return None
    return away[0].id


def _may_be_meant(claim: Claim, known: Known) -> bool:
    compatible = None in (claim.external_id, known.external_id) or (
        claim.external_id == known.external_id
    )
    # Two people of one machine have a Jump Client each, signed in or not.
    same_person = "" in (claim.account, known.account) or claim.account == known.account
    return (
        bool(claim.fingerprint)
        and claim.fingerprint == known.fingerprint
        and compatible
        and same_person
        and known.in_reach
        and known.state != State.REMOVING
    )
