"""Pushes from the console: starting one, watching it, ending it, taking a host's key.

What a push needs to be let in stays in the memory of the worker that runs it (`runner`).
Everything else is in the database, so that every worker shows it, and hears there that a
person cancelled or took a host key.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, select

from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Invalid, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ActorKind, ItemPermission, Permission
from tremplin_server.push.models import FINAL, HostState, PushHost, PushRun

CHANGED = "push.changed"
MOST_HOSTS = 100
BROKEN_AFTER = timedelta(seconds=20)
KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Aim:
    """One host to push to. target: as it was typed. address: `host:port`."""

    target: str
    address: str
    external_id: str


def start(work: Work, aims: Sequence[Aim], wanted: Mapping[str, Any]) -> PushRun:
    """Write a push down; needs installers.write and the right to add to its Jump Group.

    wanted: `jump_group_type`, `jump_group_id` and what else the form said, no secret. Raises
    Invalid (hosts, jump_group), and Conflict (push.busy) when a push to one of the machines
    is under way.
    """
    work.actor.require(Permission.INSTALLERS_WRITE)
    owner = groups.owner(work, wanted["jump_group_type"], wanted["jump_group_id"])
    groups.require_item(work, owner, ItemPermission.ADD)
    _require_good(aims)
    _require_idle(work, aims)
    now = work.now()
    work.session.execute(delete(PushRun).where(PushRun.created_at < now - KEPT))
    run = PushRun(
        owner_id=work.actor.id,
        created_at=now,
        created_by=work.actor.name,
        wanted=dict(wanted),
        heartbeat_at=now,
    )
    work.session.add(run)
    work.session.flush()
    work.session.add_all(
        PushHost(run_id=run.id, target=a.target, address=a.address, external_id=a.external_id)
        for a in aims
    )
    hosts = [aim.target for aim in aims]
    audit.record(work, "push.started", "push", run.id, owner.label, hosts=hosts)
    work.session.flush()
    return run


def query(work: Work) -> Select[PushRun]:
    """Return the pushes that the actor may see, newest first; needs installers.write.

    One's own; who administers the site sees everybody's.
    """
    work.actor.require(Permission.INSTALLERS_WRITE)
    found = select(PushRun).order_by(PushRun.id.desc())
    if not work.actor.may(Permission.ACCOUNTS_WRITE):
        mine = work.actor.id if work.actor.kind is ActorKind.USER else 0
        found = found.where(PushRun.owner_id == mine)
    return found


def get(work: Work, run_id: int) -> PushRun:
    """Return a push; NotFound when there is none that the actor may see."""
    run = work.session.scalar(query(work).where(PushRun.id == run_id))
    if run is None:
        raise NotFound("request.not_found", what="push", id=run_id)
    return run


def hosts(work: Work, run: PushRun) -> list[PushHost]:
    """Return the hosts of a push, as they were given."""
    found = select(PushHost).where(PushHost.run_id == run.id).order_by(PushHost.id)
    return list(work.session.scalars(found))


def is_open(run: PushRun, now: datetime) -> bool:
    """Return whether a push goes on: it has no end, and its worker gives signs of life."""
    return run.finished_at is None and run.heartbeat_at > now - BROKEN_AFTER


def is_broken(run: PushRun, now: datetime) -> bool:
    """Return whether a push ended without having come to its end."""
    return run.finished_at is None and not is_open(run, now)


def cancel(work: Work, run_id: int) -> None:
    """End a push: no host is begun any more, and those that run stop at their next step."""
    run = get(work, run_id)
    if run.finished_at is None and run.cancelled_at is None:
        run.cancelled_at = work.now()
        audit.record(work, "push.cancelled", "push", run.id)
        work.notify(CHANGED, run_id=run.id)
        work.session.flush()


def accept_key(work: Work, run_id: int, host_id: int, fingerprint: str) -> None:
    """Take the key that a host showed for its own; the push to it goes on.

    fingerprint: the one that the person saw; Conflict (push.key_moved) when the host has
    shown another one since, or waits for no answer any more. Only whose push it is may.
    """
    run = get(work, run_id)
    if run.owner_id != work.actor.id:
        raise NotFound("request.not_found", what="push", id=run_id)
    host = work.session.get(PushHost, host_id)
    if host is None or host.run_id != run.id:
        raise NotFound("request.not_found", what="host", id=host_id)
    same = hmac.compare_digest(host.fingerprint.encode(), fingerprint.encode())
    if host.state != HostState.ASKING or not same or not is_open(run, work.now()):
        raise Conflict("push.key_moved")
    host.accepted = host.fingerprint
    audit.record(
        work, "push.key_accepted", "push", run.id, host.target, fingerprint=host.fingerprint
    )
    work.notify(CHANGED, run_id=run.id)
    work.session.flush()


def known_keys(work: Work, address: str, but: int = 0) -> list[str]:
    """Return the fingerprints that the actor took for those of `address` in earlier pushes.

    The latest is the first. but: a push that does not count.
    """
    found = (
        select(PushHost.accepted)
        .join(PushRun, PushRun.id == PushHost.run_id)
        .where(
            PushHost.address == address,
            PushHost.accepted != "",
            PushRun.owner_id == work.actor.id,
            PushRun.id != but,
        )
        .order_by(PushHost.id.desc())
        .limit(5)
    )
    return list(dict.fromkeys(work.session.scalars(found)))


def _require_good(aims: Sequence[Aim]) -> None:
    if not aims:
        raise Invalid({"hosts": ["must not be empty"]})
    if len(aims) > MOST_HOSTS:
        raise Invalid({"hosts": [f"At most {MOST_HOSTS} hosts at once."]})
    keys = [aim.external_id.lower() for aim in aims]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise Invalid({"hosts": [f"A host is named twice: {twice}"]})


def _require_idle(work: Work, aims: Sequence[Aim]) -> None:
    """Refuse a second push to a machine: the first one's installer would be taken away."""
    busy = (
        select(PushHost.target)
        .join(PushRun, PushRun.id == PushHost.run_id)
        .where(
            PushHost.external_id.in_([aim.external_id for aim in aims]),
            PushHost.state.not_in(FINAL),
            PushRun.finished_at.is_(None),
            PushRun.heartbeat_at > work.now() - BROKEN_AFTER,
        )
    )
    taken = work.session.scalars(busy.limit(1)).first()
    if taken is not None:
        raise Conflict("push.busy", host=taken)
