"""Counting what there is, and looking up what runs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.x509.oid import NameOID
from sqlalchemy import and_, case, func, select
from tremplin_agent import __version__

from tremplin_server import pki
from tremplin_server.accounts import web_sessions
from tremplin_server.clients import versions
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.listing import LOST, STATES
from tremplin_server.clients.models import JumpClient, Worker
from tremplin_server.config import Config
from tremplin_server.db import Work
from tremplin_server.groups import service as groups
from tremplin_server.permissions import Permission
from tremplin_server.sessions import checks, listing
from tremplin_server.sessions.models import SessionState

WORKER_SILENT = timedelta(seconds=20)
"""A worker that gave no sign of life for so long is taken for dead."""
EXPIRES_SOON = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of something the site has, and how much it may; most 0 is no limit."""

    name: str
    used: int
    most: int

    @property
    def share(self) -> float:
        """How much of it is used, 0 to 1."""
        return min(self.used / self.most, 1.0) if self.most else 0.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the server shows to browsers and agents. subject: its first name."""

    subject: str
    expires_at: datetime
    is_own: bool
    is_soon: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How the site is, as far as the actor may know.

    clients: state → how many the actor sees. outdated: how many of them run another version
    than the server's. workers, certificate, limits: for who administers only, else empty.
    """

    version: str
    clients: dict[str, int]
    outdated: int
    sessions: int
    workers: Sequence[Worker] = ()
    silent_before: datetime | None = None
    certificate: Certificate | None = None
    limits: Sequence[Limit] = field(default=())


def status(work: Work) -> Status:
    """Return how the site is; needs clients.read and sessions.read."""
    work.actor.require(Permission.CLIENTS_READ)
    clients, outdated = _clients(work)
    sessions = _sessions(work)
    if not work.actor.may(Permission.ACCOUNTS_READ):
        return Status(__version__, clients, outdated, sessions)
    return Status(
        __version__,
        clients,
        outdated,
        sessions,
        work.session.scalars(select(Worker).order_by(Worker.host, Worker.started_at)).all(),
        work.now() - WORKER_SILENT,
        certificate(work.config, work.now()),
        _limits(work),
    )


def _clients(work: Work) -> tuple[dict[str, int], int]:
    """Return the counts of all states, those with none too, and that of other versions.

    Lost ones, which is a label of offline ones, are counted as that.
    """
    long_ago = work.now() - timedelta(days=work.config.lost_days)
    lost = and_(JumpClient.state == State.OFFLINE.value, JumpClient.last_seen < long_ago)
    label = case((lost, LOST), else_=JumpClient.state)
    other = versions.differs(work)
    counted: Any = select(label, func.count(), func.count().filter(other)).group_by(label)
    found = work.session.execute(groups.visible(work, counted, JumpClient)).all()
    counts = dict.fromkeys(STATES, 0) | {str(row[0]): int(row[1]) for row in found}
    gone = (State.UNINSTALLED, State.REMOVING)
    return counts, sum(int(row[2]) for row in found if row[0] not in gone)


def _sessions(work: Work) -> int:
    running = listing.query(work).order_by(None).subquery()
    counted = select(func.count()).select_from(running)
    return work.session.scalar(counted.where(running.c.state != SessionState.ENDED.value)) or 0


def _limits(work: Work) -> list[Limit]:
    config = work.config
    installed = select(func.count()).where(JumpClient.state != State.UNINSTALLED.value)
    active = installed.where(JumpClient.connection_type == "active")
    return [
        Limit("technicians", web_sessions.present(work), config.limit_technicians),
        Limit("clients", work.session.scalar(installed) or 0, config.limit_clients),
        Limit("active_clients", work.session.scalar(active) or 0, config.limit_active_clients),
        Limit("session_starts", checks.starting(work), config.session_starts_at_once),
    ]


def certificate(config: Config, now: datetime) -> Certificate | None:
    """Return the server's certificate; None when there is none, or another program has it."""
    path = config.tls_certificate or config.data_dir / "tls" / "server.pem"
    if not config.tls or not path.exists():
        return None
    leaf = pki.leaf(path)
    named = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    expires = leaf.not_valid_after_utc
    own = config.tls_certificate is None
    # A certificate of our own authority is renewed by the server itself.
    soon = not own and expires - now < EXPIRES_SOON
    return Certificate(str(named[0].value) if named else "", expires, own, soon)
