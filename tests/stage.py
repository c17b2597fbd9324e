"""A site to act on from inside the server: installers, agents without a network, presence."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from tremplin_agent import wire
from tremplin_server import pki
from tremplin_server.audit.models import AuditEvent
from tremplin_server.clients import commands, enrolment, presence, reporting
from tremplin_server.clients import service as clients
from tremplin_server.clients.enrolment import EnrolRequest
from tremplin_server.clients.lifecycle import Event, State
from tremplin_server.clients.models import JumpClient, Tombstone, UnknownKey, Worker
from tremplin_server.clients.presence import Change, Identity
from tremplin_server.db import Database
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import JumpGroup
from tremplin_server.installers import service as installers
from tremplin_server.installers.service import Created
from tremplin_server.permissions import Actor, ActorKind, system_actor

AGENT = Actor(ActorKind.AGENT, "agent", source_ip="203.0.113.9")
WORKER = "worker-1"
MACHINE = "a" * 64
OTHER_MACHINE = "b" * 64
_numbers = count(1)


@dataclass
class Agent:
    """An agent's half: its key, its machine, what it was installed with."""

    key_info: str
    fingerprint: str = MACHINE
    hostname: str = "web1"
    install_dir: str = "/opt/tremplin-jump-client"
    overrides: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    client_id: int = 0

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def request(self, **changes: Any) -> EnrolRequest:
        """Return what it sends to enrol; changes replace fields of the `Enrol`."""
        info = wire.KeyInfo.decode(self.key_info)
        nonce = os.urandom(wire.NONCE_BYTES)
        signed = wire.enrol_bytes(info.installer_id, nonce, info.ca_pin)
        facts = {"hostname": self.hostname, "install_dir": self.install_dir, "scope": "system"}
        enrol = {
            "installer_id": info.installer_id,
            "secret": wire.b64encode(info.secret),
            "public_key": wire.b64encode(self.public_key),
            "signature": wire.b64encode(self.key.sign(signed)),
            "ca_pin": wire.b64encode(info.ca_pin),
            "overrides": self.overrides,
            "facts": {**facts, **self.facts},
        }
        hello = wire.Hello(wire.PROTOCOL_VERSION, "1.0.0", "linux-64", self.fingerprint)
        return EnrolRequest(hello, wire.Enrol(**{**enrol, **changes}), nonce, "203.0.113.9")


@dataclass
class Stage:
    """What tests of the life of Jump Clients do, each in a unit of work of its own."""

    database: Database

    @cached_property
    def group(self) -> JumpGroup:
        """A shared Jump Group."""
        return self.new_group()

    def new_group(self) -> JumpGroup:
        """Add a shared Jump Group."""
        with self.database.work(system_actor()) as work:
            return groups.create(work, name=f"group {next(_numbers)}")

    def installer(self, actor: Actor | None = None, **values: Any) -> Created:
        """Make an installer, for `group` unless the values say otherwise."""
        if "jump_group_id" not in values:
            values["jump_group_id"] = self.group.id
        with self.database.work(actor or system_actor()) as work:
            return installers.create(work, values)

    def agent(self, made: Created | None = None, **values: Any) -> Agent:
        """Return an agent that has not enrolled yet."""
        return Agent((made or self.installer()).key_info, **values)

    def enrol(self, agent: Agent, *, live: bool | frozenset[int] = frozenset()) -> Identity:
        """Enrol an agent. live: ids that answer, or whether all candidates do."""
        request = agent.request()
        with self.database.work(AGENT) as work:
            if live is True:
                live = frozenset(enrolment.candidates(work, request))
            pins = frozenset({pki.ca_pin(work.config)})
            identity = enrolment.enrol(work, request, live or frozenset(), pins)
        agent.client_id = identity.client_id
        return identity

    def online(self, made: Created | None = None, **values: Any) -> Agent:
        """Return an agent that has enrolled and is connected."""
        agent = self.agent(made, **values)
        self.enrol(agent)
        self.connect(agent)
        return agent

    def change(self, agent: Agent, event: Event, worker_id: str = WORKER, **more: Any) -> None:
        """Write one presence change."""
        at = self.database.clock.now()
        with self.database.work(AGENT) as work:
            presence.write(work, [Change(agent.client_id, event, at, worker_id, **more)])

    def connect(self, agent: Agent, worker_id: str = WORKER) -> None:
        self.change(agent, Event.CONNECTED, worker_id, fingerprint=agent.fingerprint)

    def disconnect(self, agent: Agent, worker_id: str = WORKER) -> None:
        self.change(agent, Event.DISCONNECTED, worker_id)

    def identity(self, agent: Agent) -> Identity | None:
        """Return who the server takes this agent's key for."""
        with self.database.work(AGENT, read_only=True) as work:
            known = presence.identities(work, [agent.client_id]).get(agent.client_id, [])
        return next((one for one in known if one.public_key == agent.public_key), None)

    def pending(self, agent: Agent) -> list[wire.Command]:
        """Return the orders that wait for an agent's id."""
        with self.database.work(AGENT) as work:
            return commands.pending(work, [agent.client_id]).get(agent.client_id, [])

    def acknowledge(self, agent: Agent, command_id: str, code: str = "") -> None:
        with self.database.work(AGENT) as work:
            ack = wire.Ack(command_id, code)
            commands.acknowledge(work, agent.client_id, agent.public_key, ack)

    def farewell(self, agent: Agent, reason: str = "by_hand") -> None:
        """Let an agent say that it is gone from its host."""
        with self.database.work(AGENT) as work:
            reporting.host_uninstalled(work, agent.client_id, agent.public_key, reason)

    def record(self, client_id: int) -> JumpClient | None:
        with self.database.work(system_actor(), read_only=True) as work:
            return work.session.get(JumpClient, client_id)

    def state(self, agent: Agent) -> State | None:
        """Return the state of the agent's record, None when it has none."""
        record = self.record(agent.client_id)
        return None if record is None else State(record.state)

    def records(self) -> list[JumpClient]:
        with self.database.work(system_actor(), read_only=True) as work:
            return list(work.session.scalars(clients.query(work)))

    def tombstones(self) -> list[Tombstone]:
        with self.database.work(system_actor(), read_only=True) as work:
            return list(work.session.scalars(select(Tombstone).order_by(Tombstone.id)))

    def actions(self) -> list[str]:
        """Return what the audit log tells of Jump Clients, installers and tombstones."""
        kinds = ("client", "installer", "tombstone")
        with self.database.work(system_actor(), read_only=True) as work:
            events = select(AuditEvent).where(AuditEvent.subject_kind.in_(kinds))
            return [e.action for e in work.session.scalars(events.order_by(AuditEvent.id))]

    def uploads(self) -> list[str]:
        """Return the platforms whose payload the audit log says was put in place."""
        with self.database.work(system_actor(), read_only=True) as work:
            events = select(AuditEvent).where(AuditEvent.action == "payload.put")
            return [e.subject_name for e in work.session.scalars(events.order_by(AuditEvent.id))]

    def add_worker(self, worker_id: str) -> None:
        """Add the row of a running gateway, with a heartbeat of now."""
        with self.database.work(system_actor()) as work:
            now = work.now()
            work.session.add(
                Worker(id=worker_id, host="here", pid=1, started_at=now, heartbeat_at=now)
            )

    def unknown_keys(self) -> list[UnknownKey]:
        with self.database.work(system_actor(), read_only=True) as work:
            return list(work.session.scalars(select(UnknownKey)))
