"""Access tokens: OAuth2 client credentials in, the API account's actor out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address, ip_network

from sqlalchemy import delete, select

from tremplin_server.accounts.models import ApiAccount, ApiToken
from tremplin_server.audit import service as audit
from tremplin_server.clock import rfc3339
from tremplin_server.db import Work
from tremplin_server.errors import Denied, TremplinError
from tremplin_server.permissions import READ_PERMISSIONS, Actor, ActorKind, Permission

LIFETIME = timedelta(seconds=3600)
MAX_LIVE = 30


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token, told once; expires_in is in seconds."""

    token: str = field(repr=False)
    expires_in: int


def hash_of(secret: str) -> str:
    """Return the hex SHA-256 by which a random 256-bit secret is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(work: Work, client_id: str, secret: str, source_ip: str) -> Issued:
    """Exchange client credentials for a token; the oldest of MAX_LIVE makes room.

    Raises TremplinError auth.bad_credentials, auth.locked, auth.disabled or auth.address.
    A failure is counted although the error ends the work.
    """
    account = work.session.scalar(select(ApiAccount).where(ApiAccount.client_id == client_id))
    if account is None:
        raise TremplinError("auth.bad_credentials")
    _check_lock(work, account)
    if not hmac.compare_digest(account.secret_hash, hash_of(secret)):
        _count_failure(work, account)
        raise TremplinError("auth.bad_credentials")
    check_usable(account, source_ip)
    account.failed_login_attempts = 0
    account.failed_login_expiration = None
    _make_room(work, account)
    token = secrets.token_urlsafe(32)
    now = work.now()
    work.session.add(
        ApiToken(
            account_id=account.id,
            token_hash=hash_of(token),
            issued_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return Issued(token, int(LIFETIME.total_seconds()))


def actor_of_token(work: Work, token: str, source_ip: str) -> Actor:
    """Return who holds `token`; TremplinError auth.* when it is not good any more."""
    found = work.session.execute(
        select(ApiAccount, ApiToken.expires_at)
        .join(ApiToken, ApiToken.account_id == ApiAccount.id)
        .where(ApiToken.token_hash == hash_of(token))
    ).one_or_none()
    if found is None or found.expires_at <= work.now():
        raise TremplinError("auth.required")
    account = found[0]
    check_usable(account, source_ip)
    return actor_of_api_account(account, source_ip)


def actor_of_api_account(account: ApiAccount, source_ip: str) -> Actor:
    """Return the actor of an API account; a read_only one may only read."""
    return Actor(
        ActorKind.API_ACCOUNT,
        account.name,
        account.id,
        source_ip,
        _permissions(account) if account.perm_configuration else frozenset(),
    )


def _permissions(account: ApiAccount) -> frozenset[Permission]:
    if account.perm_command == "full_access":
        return frozenset(Permission)
    if account.perm_command == "read_only":
        return READ_PERMISSIONS
    return frozenset()


def _check_lock(work: Work, account: ApiAccount) -> None:
    until = account.failed_login_expiration
    if until is not None and until > work.now():
        raise TremplinError("auth.locked", until=rfc3339(until))


def _count_failure(work: Work, account: ApiAccount) -> None:
    account.failed_login_attempts += 1
    audit.record(work, "api_account.sign_in_failed", "api_account", account.id, account.name)
    if account.failed_login_attempts >= work.config.sign_in_attempts:
        lock = timedelta(minutes=work.config.sign_in_lock_minutes)
        account.failed_login_expiration = work.now() + lock
        account.failed_login_attempts = 0
        audit.record(work, "api_account.locked", "api_account", account.id, account.name)
    work.commit()


def check_usable(account: ApiAccount, source_ip: str) -> None:
    """Raise TremplinError auth.disabled, or auth.address for one that may not call from there."""
    if not account.enabled:
        raise TremplinError("auth.disabled")
    networks = account.ip_addresses.replace(",", " ").split()
    if networks and not _inside(source_ip, networks):
        raise Denied("auth.address", address=source_ip)


def _inside(address: str, networks: list[str]) -> bool:
    try:
        wanted = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(wanted, "ipv4_mapped", None)
    return any((mapped or wanted) in ip_network(network) for network in networks)


def _make_room(work: Work, account: ApiAccount) -> None:
    own = ApiToken.account_id == account.id
    work.session.execute(delete(ApiToken).where(own, ApiToken.expires_at <= work.now()))
    newest = select(ApiToken.id).where(own).order_by(ApiToken.id.desc()).offset(MAX_LIVE - 1)
    oldest = work.session.scalars(newest).all()
    if oldest:
        work.session.execute(delete(ApiToken).where(ApiToken.id.in_(oldest)))
