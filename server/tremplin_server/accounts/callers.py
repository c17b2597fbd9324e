"""Who signs in over SSH: a registered key, or a password and a second factor together.

A caller stays connected for hours, so `again` asks anew, before anything is opened, whether
the account and the key are still good.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from tremplin_server.accounts import service, ssh_keys
from tremplin_server.accounts.models import ApiAccount, SshKey, User
from tremplin_server.accounts.tokens import actor_of_api_account, check_usable
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import TremplinError
from tremplin_server.permissions import Actor, ActorKind


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who signed in over SSH.

    keys: all registered keys of the account, in the form of authorized_keys. fingerprint:
    of the key that was shown; empty for a password. language: empty when none was chosen.
    epoch: what signs the person out everywhere when it changes.
    """

    actor: Actor
    keys: tuple[str, ...]
    fingerprint: str = ""
    language: str = ""
    epoch: int = 0

    @property
    def by_password(self) -> bool:
        """Whether this is somebody who showed no key."""
        return not self.fingerprint


def by_key(work: Work, name: str, fingerprint: str, address: str) -> Caller:
    """Return who holds the key, if that is `name`'s.

    Raises TremplinError auth.bad_credentials, auth.disabled or auth.address. That the key was
    really used is for the caller of this function to see, who then says `signed_in`.
    """
    key = work.session.scalar(select(SshKey).where(SshKey.fingerprint == fingerprint))
    owner = _owner(work, key) if key is not None else None
    if owner is None or ssh_keys.name_of(owner).lower() != name.lower():
        raise TremplinError("auth.bad_credentials")
    return _caller(work, owner, fingerprint, address)


def by_password(work: Work, name: str, password: str, code: str, address: str) -> Caller:
    """Return who has this password and second factor; see `service.authenticate_both`."""
    return _caller(work, service.authenticate_both(work, name, password, code), "", address)


def signed_in(work: Work, caller: Caller) -> None:
    """Take note that the caller came in."""
    kind = "user" if caller.actor.kind is ActorKind.USER else "api_account"
    if caller.fingerprint:
        key = select(SshKey).where(SshKey.fingerprint == caller.fingerprint)
        used = work.session.scalar(key)
        if used is not None:
            used.last_used = work.now()
        user = work.session.get(User, caller.actor.id) if kind == "user" else None
        if user is not None:
            user.last_authentication = work.now()
    work.actor = caller.actor
    way = {"ssh_key": caller.fingerprint} if caller.fingerprint else {"second_factor": True}
    audit.record(work, f"{kind}.signed_in", kind, caller.actor.id, caller.actor.name, **way)


def refused(work: Work, name: str, code: str) -> None:
    """Take note that somebody who said to be `name` was not let in."""
    audit.record(work, "bastion.refused", "bastion", 0, name, code=code)


def again(work: Work, caller: Caller) -> Caller:
    """Return the caller as of now.

    Raises TremplinError auth.disabled, auth.address, or auth.required when the account, its
    key or its password are not what they were at the sign-in.
    """
    address = caller.actor.source_ip
    owner: User | ApiAccount | None
    if caller.fingerprint:
        key = work.session.scalar(select(SshKey).where(SshKey.fingerprint == caller.fingerprint))
        owner = _owner(work, key) if key is not None else None
    else:
        owner = work.session.get(User, caller.actor.id)
    if owner is None or owner.id != caller.actor.id:
        raise TremplinError("auth.required")
    now = _caller(work, owner, caller.fingerprint, address)
    if now.actor.kind is not caller.actor.kind or now.epoch != caller.epoch:
        raise TremplinError("auth.required")
    return now


def _owner(work: Work, key: SshKey) -> User | ApiAccount | None:
    if key.user_id is not None:
        return work.session.get(User, key.user_id)
    return work.session.get(ApiAccount, key.account_id)


def _caller(work: Work, owner: User | ApiAccount, fingerprint: str, address: str) -> Caller:
    if not owner.enabled:
        raise TremplinError("auth.disabled")
    owned = select(SshKey.public_key).where(ssh_keys.owned(owner)).order_by(SshKey.id)
    lines = tuple(work.session.scalars(owned))
    if isinstance(owner, ApiAccount):
        check_usable(owner, address)
        return Caller(actor_of_api_account(owner, address), lines, fingerprint)
    return Caller(
        service.actor_in(work, owner, address),
        lines,
        fingerprint,
        service.language_of(owner),
        owner.session_epoch,
    )
