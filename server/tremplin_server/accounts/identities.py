"""Whom an OpenID provider means: subjects bound to accounts, and accounts made of claims.

Only issuer and subject say who somebody is. A name or an e-mail address that a provider
tells never opens an account that exists: whoever may choose them there would choose ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select

from tremplin_server.accounts import passwords, service
from tremplin_server.accounts.access_models import ExternalIdentity
from tremplin_server.accounts.models import User
from tremplin_server.audit import service as audit
from tremplin_server.config import Config
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Denied, TremplinError
from tremplin_server.permissions import ActorKind, Permission, Role, system_actor

MAX_SUBJECT = 255
_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider said of somebody, after every check of the protocol."""

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(default_factory=dict)


def recognised(work: Work, told: Told) -> User:
    """Return the account of whoever the provider recognised.

    Without one it is made, if the site says so (oidc_create) and a claim gives a role; such
    an account gets its role anew at every sign-in. Raises TremplinError: oidc.unknown,
    oidc.no_role, auth.disabled, account.last_administrator.
    """
    found = _find(work, told)
    if found is None:
        return _create(work, told)
    user = work.session.get(User, found.user_id)
    assert user is not None, "identities go with their account"
    if not user.enabled:
        raise TremplinError("auth.disabled")
    if found.made_account and work.config.oidc_role_claim:
        _follow_role(work, user, told)
    user.last_authentication = work.now()
    return user


def _find(work: Work, told: Told) -> ExternalIdentity | None:
    return work.session.scalar(
        select(ExternalIdentity).where(
            ExternalIdentity.issuer == told.issuer, ExternalIdentity.subject == told.subject
        )
    )


def _follow_role(work: Work, user: User, told: Told) -> None:
    role = role_of(work.config, told.claims)
    if role is None:
        raise Denied("oidc.no_role", name=work.config.oidc_name)
    if user.role != role:
        asking, work.actor = work.actor, _provider(work)
        service.update(work, user.id, {"role": role})
        work.actor = asking


def _create(work: Work, told: Told) -> User:
    if not work.config.oidc_create:
        raise Denied("oidc.unknown", name=work.config.oidc_name)
    role = role_of(work.config, told.claims)
    if role is None:
        raise Denied("oidc.no_role", name=work.config.oidc_name)
    name = _text(told, "preferred_username") or _text(told, "email") or told.subject
    name = name[:_NAME_LENGTH]
    if work.session.scalar(select(User.id).where(same_text(User.username, name))) is not None:
        raise Denied("oidc.unknown", name=work.config.oidc_name)
    asking, work.actor = work.actor, _provider(work)
    user = service.create(
        work,
        username=name,
        password=passwords.random(),
        role=role,
        public_display_name=_text(told, "name")[:_NAME_LENGTH],
        private_display_name=_text(told, "name")[:_NAME_LENGTH],
        email_address=_text(told, "email")[:255],
    )
    _bind(work, user, told, made_account=True)
    work.actor = asking
    user.last_authentication = work.now()
    return user


def _provider(work: Work) -> Any:
    """Return the actor in whose name a provider's word is carried out."""
    return replace(system_actor("oidc"), source_ip=work.actor.source_ip)


def _text(told: Told, claim: str) -> str:
    value = told.claims.get(claim)
    plain = value if isinstance(value, str) else ""
    return "".join(letter for letter in plain if letter.isprintable()).strip()


def role_of(config: Config, claims: Mapping[str, Any]) -> Role | None:
    """Return the highest role that the site's claim gives; None when it gives none.

    The claim is a text or a list of them; dots lead into objects (`realm_access.roles`).
    """
    value: Any = claims
    if config.oidc_role_claim in claims:
        value = claims[config.oidc_role_claim]
    else:
        for part in config.oidc_role_claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    held = {value} if isinstance(value, str) else set(value if isinstance(value, list) else ())
    pairs = (pair.rpartition("=") for pair in config.oidc_roles)
    given = {role for name, _equals, role in pairs if name in held}
    return next((role for role in Role if role.value in given), None)


# --- binding an account that exists ---------------------------------------------------


def connect(work: Work, told: Told) -> None:
    """Bind the acting person's account to a subject, in place of an earlier one.

    Raises Conflict (oidc.taken) when it is another account's.
    """
    user = work.session.get(User, work.actor.id) if work.actor.kind is ActorKind.USER else None
    if user is None:
        raise TremplinError("auth.required")
    found = _find(work, told)
    if found is not None and found.user_id != user.id:
        raise Conflict("oidc.taken", name=work.config.oidc_name)
    if found is None:
        old = of_user(work, user.id)
        if old is not None:
            work.session.delete(old)
            work.session.flush()
        _bind(work, user, told, made_account=False)


def _bind(work: Work, user: User, told: Told, *, made_account: bool) -> None:
    work.session.add(
        ExternalIdentity(
            user_id=user.id,
            issuer=told.issuer,
            subject=told.subject,
            made_account=made_account,
            created_at=work.now(),
        )
    )
    work.session.flush()
    audit.record(
        work,
        "user.oidc_connected",
        "user",
        user.id,
        user.username,
        issuer=told.issuer,
        subject=told.subject,
    )


def of_user(work: Work, user_id: int) -> ExternalIdentity | None:
    """Return with whom a person signs in at the site's provider, if anybody."""
    return work.session.scalar(
        select(ExternalIdentity).where(
            ExternalIdentity.user_id == user_id,
            ExternalIdentity.issuer == work.config.oidc_issuer,
        )
    )


def disconnect(work: Work, user_id: int) -> bool:
    """Take the binding away; return whether there was one. One's own, or accounts.write."""
    if work.actor.kind is not ActorKind.USER or work.actor.id != user_id:
        work.actor.require(Permission.ACCOUNTS_WRITE)
    found, user = of_user(work, user_id), work.session.get(User, user_id)
    if found is None or user is None:
        return False
    work.session.delete(found)
    work.session.flush()
    audit.record(work, "user.oidc_disconnected", "user", user.id, user.username)
    return True
