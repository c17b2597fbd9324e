"""Installers as people and programs handle them: make, look up, extend, revoke, download."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, or_, select, update
from tremplin_agent.wire import SECRET_BYTES, KeyInfo

from tremplin_server import pki
from tremplin_server.audit import service as audit
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Invalid, NotFound, TremplinError
from tremplin_server.groups import service as groups
from tremplin_server.identity import site_identity
from tremplin_server.installers import payload as payloads
from tremplin_server.installers import sealing, usage
from tremplin_server.installers.fields import FIELDS, checked
from tremplin_server.installers.models import Installer, InstallerUse
from tremplin_server.permissions import ItemPermission, Permission
from tremplin_server.policies import service as policies

_ID_BYTES = 16
_RESERVED = ("allow_takeover", "allow_override_jump_group")
"""What lets a machine choose where it lands: only who sees all groups may give it away."""


@dataclass(frozen=True, slots=True)
class Created:
    """A new installer and its key info, which is told this once."""

    installer: Installer
    key_info: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Download:
    """A stamped payload on its way: it holds a secret. size is in bytes."""

    filename: str
    size: int
    chunks: Iterator[bytes] = field(repr=False)


# --- looking up -----------------------------------------------------------------------


def query(
    work: Work,
    *,
    name: str | None = None,
    tag: str | None = None,
    external_id: str | None = None,
    jump_group_id: int | None = None,
    jump_group_type: str | None = None,
    connection_type: str | None = None,
    usable: bool | None = None,
) -> Select[Installer]:
    """Return the installers that the actor sees and that match, newest first.

    jump_group_id: of a shared group, unless jump_group_type is `personal`. usable: only
    those that can, or cannot, be used now.
    """
    work.actor.require(Permission.INSTALLERS_READ)
    found = groups.visible(work, select(Installer), Installer)
    for column, text in (
        (Installer.name, name),
        (Installer.tag, tag),
        (Installer.external_id, external_id),
        (Installer.connection_type, connection_type),
    ):
        if text is not None:
            found = found.where(same_text(column, text))
    owner = Installer.owner_user_id if jump_group_type == "personal" else Installer.shared_group_id
    if jump_group_id is not None:
        found = found.where(owner == jump_group_id)
    elif jump_group_type is not None:
        found = found.where(owner.is_not(None))
    if usable is not None:
        now = (
            Installer.revoked_at.is_(None)
            & (Installer.expires_at > work.now())
            & or_(Installer.max_uses.is_(None), Installer.uses < Installer.max_uses)
        )
        found = found.where(now if usable else ~now)
    return found.order_by(Installer.id.desc())


def get(work: Work, number: int) -> Installer:
    """Return an installer that the actor sees; NotFound otherwise."""
    installer = work.session.scalar(query(work).where(Installer.id == number))
    if installer is None:
        raise NotFound("request.not_found", what="installer", id=number)
    return installer


def state(work: Work, installer: Installer) -> str:
    """Return valid, expired, exhausted or revoked."""
    if installer.revoked_at is not None:
        return "revoked"
    if installer.expires_at <= work.now():
        return "expired"
    if installer.max_uses is not None and installer.uses >= installer.max_uses:
        return "exhausted"
    return "valid"


def usable(work: Work, number: int) -> Installer:
    """Return an installer that the actor may hand out and that can still be used.

    Raises Conflict (installer.revoked) and TremplinError (install.key_expired).
    """
    installer = _changeable(work, number)
    _require_living(work, installer)
    return installer


def uses(work: Work, number: int) -> Select[InstallerUse]:
    """Return every enrolment that was made or refused with an installer, newest first."""
    installer = get(work, number)
    return (
        select(InstallerUse)
        .where(InstallerUse.installer_id == installer.id)
        .order_by(InstallerUse.id.desc())
    )


# --- making and changing --------------------------------------------------------------


def create(work: Work, values: Mapping[str, Any]) -> Created:
    """Make an installer of `values` (see `fields.FIELDS`); jump_group_id is required.

    Needs installers.write and the right to add to that Jump Group; an installer that lets
    machines choose their group or take over records also needs sight of all groups.
    Raises Invalid.
    """
    work.actor.require(Permission.INSTALLERS_WRITE)
    good = checked(values)
    number = good.pop("jump_group_id")
    owner = groups.owner(work, good.pop("jump_group_type"), number)
    groups.require_item(work, owner, ItemPermission.ADD)
    if any(good[name] for name in _RESERVED):
        work.actor.require(Permission.SEE_ALL_GROUPS)
    _require_policies(work, good)
    secret, installer_id = secrets.token_bytes(SECRET_BYTES), secrets.token_hex(_ID_BYTES)
    installer = Installer(
        installer_id=installer_id,
        secret_hash=usage.hash_secret(secret),
        sealed_secret=sealing.seal(work.config, installer_id, secret),
        all_groups=work.actor.may(Permission.SEE_ALL_GROUPS),
        created_at=work.now(),
        created_by=work.actor.name,
        expires_at=work.now() + timedelta(minutes=good["valid_duration"]),
        shared_group_id=owner.shared_group_id,
        owner_user_id=owner.owner_user_id,
        uses=0,
        **good,
    )
    work.session.add(installer)
    work.session.flush()
    _tell(work, "installer.created", installer, jump_group=owner.label, **_stated(good))
    return Created(installer, _key_info(work, installer, secret))


def _require_policies(work: Work, values: Mapping[str, Any]) -> None:
    if values["jump_policy_id"] is not None:
        policies.jump_policy(work, values["jump_policy_id"])
    for name in ("attended_session_policy_id", "unattended_session_policy_id"):
        if values[name] is not None:
            policies.session_policy(work, values[name], field=name)


def _stated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not the usual ones, for the audit log."""
    usual = {f.name: f.default for f in FIELDS}
    return {k: v for k, v in values.items() if v != usual[k] and k != "comments"}


def _key_info(work: Work, installer: Installer, secret: bytes) -> str:
    info = KeyInfo(
        work.config.effective_public_urls,
        pki.ca_pin(work.config),
        installer.installer_id,
        secret,
        site_identity(work).public_key,
    ).encode()
    if len(info) > payloads.SLOT_BYTES:
        raise TremplinError("config.invalid", detail="public_urls is too long for key info")
    return info


def key_info(work: Work, installer: Installer) -> str:
    """Return the key info of an installer for a host that is told to install it now.

    The caller has settled that it may. Raises Conflict (installer.revoked,
    installer.secret_lost) and TremplinError (install.key_expired).
    """
    _require_living(work, installer)
    if installer.sealed_secret is None:
        raise Conflict("installer.secret_lost")
    secret = sealing.unseal(work.config, installer.installer_id, installer.sealed_secret)
    return _key_info(work, installer, secret)


def extend(
    work: Work, number: int, *, valid_duration: int | None = None, max_uses: int | None = None
) -> Installer:
    """Make a valid installer last longer, or for more machines.

    valid_duration: minutes from now. max_uses: the new total, not below what was used.
    Raises Conflict (installer.revoked), TremplinError (install.key_expired) and Invalid.
    """
    installer = _changeable(work, number)
    _require_living(work, installer)
    changes: dict[str, Any] = {}
    if valid_duration is not None:
        minutes = checked({"jump_group_id": 1, "valid_duration": valid_duration})["valid_duration"]
        changes["valid_duration"] = installer.valid_duration = minutes
        installer.expires_at = work.now() + timedelta(minutes=minutes)
    if max_uses is not None:
        if max_uses < max(1, installer.uses):
            raise Invalid({"max_uses": [f"Must be at least {max(1, installer.uses)}."]})
        changes["max_uses"] = installer.max_uses = max_uses
    if changes:
        work.session.flush()
        _tell(work, "installer.extended", installer, **changes)
    return installer


def revoke(work: Work, number: int, reason: str = "") -> Installer:
    """End an installer now; the Jump Clients that it deployed stay. Twice changes nothing."""
    installer = _changeable(work, number)
    if installer.revoked_at is None:
        installer.revoked_at, installer.revoked_by = work.now(), work.actor.name
        installer.sealed_secret = None
        work.session.flush()
        _tell(work, "installer.revoked", installer, reason=reason)
    return installer


def delete(work: Work, number: int) -> None:
    """Delete an installer and its history; the Jump Clients that it deployed stay."""
    installer = _changeable(work, number)
    _tell(work, "installer.deleted", installer, uses=installer.uses)
    work.session.delete(installer)
    work.session.flush()


def _changeable(work: Work, number: int) -> Installer:
    work.actor.require(Permission.INSTALLERS_WRITE)
    installer = get(work, number)
    groups.require_item(work, installer, ItemPermission.ADD)
    return installer


def _require_living(work: Work, installer: Installer) -> None:
    if installer.revoked_at is not None:
        raise Conflict("installer.revoked")
    if work.now() >= installer.expires_at:
        raise TremplinError("install.key_expired")


def _tell(work: Work, action: str, installer: Installer, reason: str = "", **detail: Any) -> None:
    name = installer.name or installer.external_id or installer.installer_id
    audit.record(work, action, "installer", installer.id, name, reason=reason, **detail)


# --- downloads ------------------------------------------------------------------------


def download(work: Work, installer_id: str, platform: str) -> Download:
    """Return the payload of a platform, stamped with the installer's key info.

    Needs installers.write: it is a way to deploy. Raises NotFound, Conflict
    (installer.revoked, installer.secret_lost), TremplinError (install.key_expired) and
    Unavailable (installer.payload_missing).
    """
    work.actor.require(Permission.INSTALLERS_WRITE)
    seen = query(work).where(Installer.installer_id == installer_id)
    installer = work.session.scalar(seen)
    if installer is None:
        raise NotFound("request.not_found", what="installer", id=installer_id)
    groups.require_item(work, installer, ItemPermission.ADD)
    text = key_info(work, installer)
    source = payloads.payload(work.config, platform)
    filename = f"tremplin-scc-{installer.installer_id}{source.path.suffix}"
    chunks = payloads.stamped(source, text)
    _tell(work, "installer.downloaded", installer, platform=platform)
    return Download(filename, source.size, chunks)


def wipe_expired(work: Work) -> None:
    """Forget the sealed secrets of installers that can no longer be used."""
    work.session.execute(
        update(Installer)
        .where(Installer.sealed_secret.is_not(None), Installer.expires_at <= work.now())
        .values(sealed_secret=None)
        .execution_options(synchronize_session=False)
    )
