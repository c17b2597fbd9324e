"""Updates of agents: ordering them, and how the fleet stands.

Whatever asks for an update only marks the record; `tick` orders, so that the number of
updates at once holds whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, or_, select, true
from tremplin_agent.codes import Code
from tremplin_agent.wire import CommandKind, UpgradeOrder, version_numbers

from tremplin_server.audit import service as audit
from tremplin_server.clients import commands, updating
from tremplin_server.clients import service as clients
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import ClientUpdate, Command, JumpClient, UpdateState
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.installers import payload as payloads
from tremplin_server.installers.payload import Payload
from tremplin_server.permissions import ItemPermission, Permission
from tremplin_server.updates.policy import Candidate, Mode, Rules, chosen

PLATFORMS = ("linux-64", "linux-arm64")
"""Whose agents replace their own code; on Windows the MSI does it."""
_RESTARTING = timedelta(minutes=15)
"""How long an agent that is away may still be at its update."""
_SILENT = timedelta(hours=6)
"""After so long without an answer a connected agent's update counts as failed."""
_LIVING = (State.ONLINE.value, State.DISABLED.value)


# --- the policy at work ---------------------------------------------------------------


def tick(work: Work) -> int:
    """Order the updates that are due now; return how many. For the system itself."""
    _give_up_silent(work)
    rules = Rules.of(work.config)
    room = rules.concurrent - _running(work)
    if room <= 0:
        return 0
    found = [*_asked(work, room), *_too_old(work, rules, room)]
    if rules.mode is not Mode.OFF and rules.window.is_open(work.now()):
        known = {one.client_id for one in found}
        found += [one for one in _outdated(work, rules, room) if one.client_id not in known]
    due = chosen(rules, found, rules.concurrent - room, work.now())
    return sum(_order(work, candidate) for candidate in due)


def _running(work: Work) -> int:
    recent = work.now() - _RESTARTING
    query = (
        select(func.count())
        .select_from(ClientUpdate)
        .join(JumpClient, JumpClient.id == ClientUpdate.client_id)
        .where(
            ClientUpdate.state == UpdateState.ORDERED.value,
            or_(JumpClient.worker_id.is_not(None), ClientUpdate.changed_at > recent),
        )
    )
    return work.session.scalar(query) or 0


def _asked(work: Work, most: int) -> Iterable[Candidate]:
    query = (
        select(ClientUpdate)
        .join(JumpClient, JumpClient.id == ClientUpdate.client_id)
        .where(
            ClientUpdate.state == UpdateState.WANTED.value,
            JumpClient.worker_id.is_not(None),
            JumpClient.state.in_(_LIVING),
        )
        .order_by(ClientUpdate.changed_at)
        .limit(most)
    )
    for row in work.session.scalars(query).all():
        client = work.session.get(JumpClient, row.client_id)
        assert client is not None, "the query joined it"
        try:
            yield Candidate(row.client_id, possible(work, client), asked=True)
        except Conflict as error:
            # What was possible when it was asked for need not be so any more.
            current = error.code == "update.current"
            row.state = UpdateState.DONE if current else UpdateState.FAILED
            row.code = "" if current else error.code
            row.changed_at, row.retry_at = work.now(), None


def _too_old(work: Work, rules: Rules, most: int) -> list[Candidate]:
    """Return connected agents that are older than the site talks to: of no use as they are.

    They are updated whatever the policy says, as if somebody had asked for it.
    """
    oldest = version_numbers(work.config.oldest_agent)
    known = work.session.scalars(select(JumpClient.agent_version).distinct())
    old = [one for one in known if one and version_numbers(one) < oldest]
    if not old:
        return []
    found = _outdated(work, rules, most, JumpClient.agent_version.in_(old), asked=True)
    return [replace(one, asked=True) for one in found]


def _outdated(
    work: Work,
    rules: Rules,
    most: int,
    condition: ColumnElement[bool] = true(),  # noqa: B008 - a constant of SQL
    *,
    asked: bool = False,
) -> list[Candidate]:
    """Return connected agents of another version than they should have, as many as fit."""
    found: list[Candidate] = []
    for source in _offered(work):
        wanted = _target_column(rules.target("", source.version, asked=asked))
        query = (
            select(JumpClient.id, wanted, ClientUpdate)
            .outerjoin(ClientUpdate, ClientUpdate.client_id == JumpClient.id)
            .where(
                JumpClient.platform == source.platform,
                JumpClient.worker_id.is_not(None),
                JumpClient.state.in_(_LIVING),
                JumpClient.agent_version != "",
                wanted != "",
                JumpClient.agent_version != wanted,
                wanted.in_(_versions(work, source.platform)),
                _may_try(work, wanted),
                condition,
            )
            .order_by(JumpClient.id)
            .limit(most)
        )
        found += [_candidate(number, str(target), row) for number, target, row in
                  work.session.execute(query)]  # fmt: skip
    return found


def _target_column(target: str) -> ColumnElement[str]:
    return case((JumpClient.update_version != "", JumpClient.update_version), else_=target)


def _may_try(work: Work, wanted: ColumnElement[str]) -> ColumnElement[bool]:
    under_way = (UpdateState.WANTED.value, UpdateState.ORDERED.value)
    return or_(
        ClientUpdate.client_id.is_(None),
        and_(ClientUpdate.state.not_in(under_way), ClientUpdate.version != wanted),
        and_(ClientUpdate.state == UpdateState.DONE.value),
        and_(
            ClientUpdate.state == UpdateState.FAILED.value,
            ClientUpdate.retry_at <= work.now(),
        ),
    )


def _candidate(number: int, target: str, row: ClientUpdate | None) -> Candidate:
    if row is None:
        return Candidate(number, target)
    return Candidate(
        number, target, failed=row.version, attempts=row.attempts, retry_at=row.retry_at
    )


def _offered(work: Work) -> list[Payload]:
    return [one for one in payloads.payloads(work.config) if one.platform in PLATFORMS]


def _versions(work: Work, platform: str) -> list[str]:
    return payloads.versions(work.config, platform)


def _order(work: Work, candidate: Candidate) -> bool:
    """Order one update; return whether there was something to order."""
    client = work.session.get(JumpClient, candidate.client_id)
    if client is None:
        return False
    row = _row(work, client)
    if client.agent_version == candidate.target:
        row.state, row.changed_at = UpdateState.DONE, work.now()
        return False
    source = payloads.of_version(work.config, client.platform, candidate.target)
    if source is None:
        row.state, row.changed_at = UpdateState.FAILED, work.now()
        row.code, row.detail, row.retry_at = "update.no_payload", candidate.target, None
        row.version = candidate.target
        return False
    order = UpgradeOrder(
        source.version,
        source.platform,
        source.size,
        source.sha256,
        int(work.now().timestamp()),
        downgrade=version_numbers(source.version) < version_numbers(client.agent_version),
        trial_seconds=work.config.update_trial_seconds,
    )
    command = commands.order(work, client.id, CommandKind.UPGRADE, order.body())
    if row.version != source.version:
        row.attempts = 0
    row.state, row.version, row.from_version = (
        UpdateState.ORDERED,
        source.version,
        client.agent_version,
    )
    row.command_id, row.changed_at, row.changed_by = command.id, work.now(), work.actor.name
    row.code, row.detail, row.retry_at = "", "", None
    audit.record(
        work,
        "client.update_ordered",
        "client",
        client.id,
        client.name,
        before=client.agent_version,
        now=source.version,
        sha256=source.sha256,
    )
    return True


def _row(work: Work, client: JumpClient) -> ClientUpdate:
    row = work.session.get(ClientUpdate, client.id)
    if row is None:
        row = ClientUpdate(
            client_id=client.id,
            state=UpdateState.WANTED,
            version="",
            attempts=0,
            changed_at=work.now(),
            changed_by=work.actor.name,
        )
        work.session.add(row)
    return row


def _give_up_silent(work: Work) -> None:
    query = (
        select(ClientUpdate)
        .join(JumpClient, JumpClient.id == ClientUpdate.client_id)
        .where(
            ClientUpdate.state == UpdateState.ORDERED.value,
            ClientUpdate.changed_at < work.now() - _SILENT,
            JumpClient.worker_id.is_not(None),
            JumpClient.last_connect < work.now() - _RESTARTING,
        )
    )
    for row in work.session.scalars(query).all():
        work.session.execute(delete(Command).where(Command.id == row.command_id))
        updating.ended(
            work, row.command_id, row.client_id, Code.UPDATE_NO_ANSWER.value, "no answer"
        )


# --- asking ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for one update. code: why it cannot be; empty when it will."""

    client_id: int
    name: str
    version: str
    code: str = ""
    text: str = ""


def order_now(work: Work, client_ids: Sequence[int]) -> list[Asked]:
    """Ask for the update of Jump Clients, whatever the window and the site's policy say.

    One that is away is updated when it comes back. Needs clients.write, and the right to
    add in its group. Raises NotFound (client.missing) for one that the actor does not see;
    what else stands in the way of one is told in its `Asked`.
    """
    work.actor.require(Permission.CLIENTS_WRITE)
    return [_ask(work, clients.get(work, number)) for number in dict.fromkeys(client_ids)]


def order_all(work: Work) -> list[Asked]:
    """Ask for the update of all outdated clients that the actor sees; see `order_now`."""
    work.actor.require(Permission.CLIENTS_WRITE)
    return [_ask(work, client) for client in work.session.scalars(outdated(work)).all()]


def _ask(work: Work, client: JumpClient) -> Asked:
    try:
        groups.require_item(work, client, ItemPermission.ADD)
        return _want(work, client)
    except TremplinError as error:
        text = error.text("en")
        return Asked(client.id, client.name, client.agent_version, error.code, text)


def _want(work: Work, client: JumpClient) -> Asked:
    target = possible(work, client)
    row = _row(work, client)
    if row.state == UpdateState.ORDERED and row.version == target:
        return Asked(client.id, client.name, target)
    row.state, row.version, row.attempts = UpdateState.WANTED, target, 0
    row.code, row.detail, row.retry_at = "", "", None
    row.changed_at, row.changed_by = work.now(), work.actor.name
    audit.record(work, "client.update_asked", "client", client.id, client.name, version=target)
    work.notify("client.changed", client_id=client.id, state=str(client.state))
    return Asked(client.id, client.name, target)


def possible(work: Work, client: JumpClient) -> str:
    """Return the version that a client can be updated to now.

    Raises Conflict: client.uninstalled, client.removing, update.unsupported,
    update.no_payload, update.current.
    """
    if client.state == State.UNINSTALLED:
        raise Conflict("client.uninstalled")
    if client.state == State.REMOVING:
        raise Conflict("client.removing")
    if client.platform not in PLATFORMS:
        raise Conflict("update.unsupported", platform=client.platform or "?")
    current = payloads.of_version(work.config, client.platform)
    version = current.version if current is not None else ""
    target = Rules.of(work.config).target(client.update_version, version, asked=True)
    if not target or payloads.of_version(work.config, client.platform, target) is None:
        raise Conflict("update.no_payload", platform=client.platform, version=target or "?")
    if target == client.agent_version:
        raise Conflict("update.current", version=target)
    return target


# --- how it stands --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fleet:
    """How the fleet stands, as far as the actor sees it.

    versions: version → how many agents run it. states: `UpdateState` value → how many.
    opens: when the window opens; None while it is open.
    """

    rules: Rules
    payloads: Sequence[Payload]
    versions: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    opens: datetime | None = None


def fleet(work: Work) -> Fleet:
    """Return how the fleet stands; needs clients.read."""
    work.actor.require(Permission.CLIENTS_READ)
    rules = Rules.of(work.config)
    living = JumpClient.state.not_in([State.UNINSTALLED.value, State.REMOVING.value])
    by_version: Any = (
        select(JumpClient.agent_version, func.count())
        .where(living, JumpClient.agent_version != "")
        .group_by(JumpClient.agent_version)
    )
    by_state: Any = (
        select(ClientUpdate.state, func.count())
        .join(JumpClient, JumpClient.id == ClientUpdate.client_id)
        .where(living)
        .group_by(ClientUpdate.state)
    )
    versions = work.session.execute(groups.visible(work, by_version, JumpClient)).all()
    states = work.session.execute(groups.visible(work, by_state, JumpClient)).all()
    return Fleet(
        rules,
        payloads.payloads(work.config),
        dict(sorted((str(name), int(number)) for name, number in versions)),
        dict.fromkeys((state.value for state in UpdateState), 0)
        | {str(name): int(number) for name, number in states},
        rules.window.opens(work.now()),
    )


def query(work: Work, *, state: str | None = None) -> Select[ClientUpdate]:
    """Return the updates of the clients that the actor sees, newest first."""
    work.actor.require(Permission.CLIENTS_READ)
    found = select(ClientUpdate).join(JumpClient, JumpClient.id == ClientUpdate.client_id)
    if state is not None:
        found = found.where(ClientUpdate.state == state)
    found = groups.visible(work, found, JumpClient)
    return found.order_by(ClientUpdate.changed_at.desc(), ClientUpdate.client_id)


def outdated(work: Work) -> Select[JumpClient]:
    """Return the query of the clients that have another version than they should.

    Without regard to whether the site's policy would do something about it by itself.
    """
    work.actor.require(Permission.CLIENTS_READ)
    rules = Rules.of(work.config)
    other = [
        and_(
            JumpClient.platform == source.platform,
            JumpClient.agent_version
            != _target_column(rules.target("", source.version, asked=True)),
        )
        for source in _offered(work)
    ]
    found = select(JumpClient).where(
        or_(*other) if other else JumpClient.id.is_(None),
        JumpClient.agent_version != "",
        JumpClient.state.not_in([State.UNINSTALLED.value, State.REMOVING.value]),
    )
    return groups.visible(work, found, JumpClient).order_by(JumpClient.id)
