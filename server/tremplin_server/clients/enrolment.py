"""Letting a new agent in: checks its installer, finds whose record it is, writes it.

Enrolments of a site happen one after the other (a lock of the transaction), so that two
of one machine cannot both miss the other's record, and limits hold exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Select, or_, select
from sqlalchemy.exc import IntegrityError
from tremplin_agent import wire

from tremplin_server.clients import facts, matching, overrides, records
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient, Tombstone, TombstoneKind
from tremplin_server.clients.presence import Identity, identity_of, identity_of_tombstone
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, TremplinError, Unavailable
from tremplin_server.installers import usage
from tremplin_server.installers.models import Installer, OnDuplicate


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """What a new agent sent, and from where. nonce: the one it was challenged with."""

    hello: wire.Hello
    enrol: wire.Enrol = field(repr=False)
    nonce: bytes
    public_ip: str


def candidates(work: Work, request: EnrolRequest) -> list[int]:
    """Return the ids of connected clients that this enrolment may mean.

    The caller finds out which of them answer and hands them to `enrol` as `live`. Empty
    for whoever does not hold the installer's secret.
    """
    installer = usage.find(work, request.enrol.installer_id)
    if installer is None or not usage.has_secret(installer, request.enrol.secret):
        return []
    declared = installer.external_id or request.enrol.overrides.get("external_id")
    meant = [JumpClient.fingerprint == request.hello.fingerprint]
    if isinstance(declared, str):
        meant.append(JumpClient.external_id == declared)
    held = select(JumpClient.id).where(or_(*meant), JumpClient.worker_id.is_not(None))
    return list(work.session.scalars(held))


def enrol(
    work: Work, request: EnrolRequest, live: frozenset[int], accepted_pins: frozenset[bytes]
) -> Identity:
    """Let an agent in and return its identity; commits what it writes.

    live: ids among `candidates` whose connection answers. accepted_pins: the TLS pins
    that this server is reached by; another one means that somebody stands in between.
    Repeating an enrolment with the same key gives the same id and counts no use. A
    deleted record's key gets its tombstone's identity, to be told to uninstall itself.

    Raises TremplinError: install.key_unknown, install.key_expired, install.key_exhausted,
    install.override_denied, install.bad_value, enrol.bad_proof, enrol.window_closed,
    enrol.key_replaced, enrol.not_allowed, enrol.duplicate_refused, client.uninstalled,
    limit.total, limit.active, enrol.busy. A refused try is kept in the installer's history.
    """
    public_key = _proven_key(request, accepted_pins)
    records.one_at_a_time(work)
    known = _known_key(work, public_key)
    if known is not None:
        return known
    installer = usage.find(work, request.enrol.installer_id)
    if installer is None:
        raise TremplinError("install.key_unknown")
    try:
        client = _admit(work, request, installer, public_key, live)
        work.commit()
    except TremplinError as error:
        installer_id = installer.id
        work.session.rollback()
        usage.record(work, installer_id, _attempt(request), code=error.code)
        work.commit()
        raise
    except IntegrityError as error:
        # Somebody gave the same declared key to another record in this very moment.
        raise Unavailable("enrol.busy") from error
    return identity_of(client)


def _attempt(request: EnrolRequest) -> usage.Attempt:
    sent = request.enrol.facts
    return usage.Attempt(
        hostname=facts.text(sent.get("hostname"), 255),
        fingerprint=facts.text(request.hello.fingerprint, 64),
        public_ip=facts.text(request.public_ip, 64),
        overrides=facts.plain(request.enrol.overrides),
    )


def _proven_key(request: EnrolRequest, accepted_pins: frozenset[bytes]) -> bytes:
    enrol = request.enrol
    try:
        pin = wire.b64decode(enrol.ca_pin)
        public_key = wire.b64decode(enrol.public_key)
        signed = wire.enrol_bytes(enrol.installer_id, request.nonce, pin)
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            wire.b64decode(enrol.signature), signed
        )
    except (InvalidSignature, ValueError) as error:
        raise TremplinError("enrol.bad_proof") from error
    if pin not in accepted_pins:
        raise TremplinError("enrol.bad_proof")
    return public_key


def _known_key(work: Work, public_key: bytes) -> Identity | None:
    """Return who has this key already: the agent was cut off before it heard so.

    Holding the key is proof enough, whatever became of the installer since.
    """
    client = work.session.scalar(select(JumpClient).where(JumpClient.public_key == public_key))
    if client is not None:
        return identity_of(client)
    graves = select(Tombstone).where(Tombstone.public_key == public_key)
    grave = work.session.scalar(graves.order_by(Tombstone.id.desc()).limit(1))
    if grave is None:
        return None
    if grave.kind == TombstoneKind.REPLACED:
        raise Conflict("enrol.key_replaced")
    identity = identity_of_tombstone(grave)
    if identity.closed:
        raise Conflict("client.uninstalled")
    return identity


def _admit(
    work: Work,
    request: EnrolRequest,
    installer: Installer,
    public_key: bytes,
    live: frozenset[int],
) -> JumpClient:
    usage.require_valid(
        work, installer, request.enrol.secret, installed_at=request.enrol.facts.get("installed_at")
    )
    properties = overrides.properties(work, installer, request.enrol.overrides)
    record = _record_meant(work, request, installer, properties, live)
    records.require_room(work, record, properties["connection_type"])
    usage.count(work, installer)
    arrival = records.Arrival(
        public_key=public_key,
        fingerprint=facts.text(request.hello.fingerprint, 64),
        public_ip=facts.text(request.public_ip, 64),
        version=facts.text(request.hello.version, 32),
        platform=facts.text(request.hello.platform, 32),
        facts=request.enrol.facts,
    )
    if record is None:
        client = records.create(work, installer, arrival, properties)
    else:
        client = records.replace(work, installer, arrival, properties, record)
    records.settle_old_graves(work, client)
    usage.record(work, installer.id, _attempt(request), client_id=client.id)
    return client


def _record_meant(
    work: Work,
    request: EnrolRequest,
    installer: Installer,
    properties: dict[str, Any],
    live: frozenset[int],
) -> JumpClient | None:
    external_id = properties.get("external_id")
    installed = facts.installation(request.enrol.facts)
    claim = matching.Claim(
        external_id=external_id,
        fingerprint=request.hello.fingerprint,
        made_for=installer.external_id,
        allow_takeover=installer.allow_takeover,
        on_duplicate=OnDuplicate(installer.on_duplicate),
        account=facts.account(installed["install_mode"], installed["run_as"]),
    )

    def known(client: JumpClient) -> matching.Known:
        return matching.Known(
            id=client.id,
            external_id=client.external_id,
            fingerprint=client.fingerprint,
            state=State(client.state),
            live=client.id in live,
            in_reach=_in_reach(installer, client),
            account=facts.account(client.install_mode, client.run_as),
        )

    by_key = _locked(work, select(JumpClient).where(JumpClient.external_id == external_id))
    by_machine = _locked(work, _of_machine(request.hello.fingerprint))
    key = known(by_key[0]) if external_id and by_key else None
    chosen = matching.decide(claim, key, [known(client) for client in by_machine])
    return next((c for c in (*by_key, *by_machine) if c.id == chosen), None)


def _of_machine(fingerprint: str) -> Select[JumpClient]:
    best_first = (JumpClient.last_seen.desc().nulls_last(), JumpClient.id.desc())
    return select(JumpClient).where(JumpClient.fingerprint == fingerprint).order_by(*best_first)


def _locked(work: Work, query: Select[JumpClient]) -> list[JumpClient]:
    found: Iterable[JumpClient] = work.session.scalars(query.with_for_update())
    return list(found)


def _in_reach(installer: Installer, client: JumpClient) -> bool:
    """Return whether the installer's maker could touch this record: see decision 0022."""
    return installer.all_groups or (
        (installer.shared_group_id, installer.owner_user_id)
        == (client.shared_group_id, client.owner_user_id)
    )
