"""API accounts: programs that call the API, their secrets and where they call from."""

from __future__ import annotations

import secrets
from ipaddress import ip_network
from typing import Any

from sqlalchemy import Select, delete, select

from tremplin_server.accounts.models import ApiAccount, ApiToken
from tremplin_server.accounts.tokens import hash_of
from tremplin_server.audit import service as audit
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Invalid, NotFound
from tremplin_server.permissions import Permission


def query(work: Work, *, name: str | None = None) -> Select[ApiAccount]:
    """Return the API accounts that match, by id; needs accounts.read."""
    work.actor.require(Permission.ACCOUNTS_READ)
    found = select(ApiAccount).order_by(ApiAccount.id)
    return found if name is None else found.where(same_text(ApiAccount.name, name))


def get(work: Work, account_id: int) -> ApiAccount:
    """Return an API account; NotFound when there is none. Needs accounts.read."""
    work.actor.require(Permission.ACCOUNTS_READ)
    account = work.session.get(ApiAccount, account_id)
    if account is None:
        raise NotFound("request.not_found", what="API account", id=account_id)
    return account


def named(work: Work, name: str) -> ApiAccount:
    """Return the API account of that name; NotFound when there is none."""
    account = work.session.scalar(query(work, name=name))
    if account is None:
        raise NotFound("request.not_found", what="API account", id=name)
    return account


def create(work: Work, *, name: str, **other: Any) -> tuple[ApiAccount, str]:
    """Add an API account; return it and its secret, which is told only here.

    other: further columns of `ApiAccount`. Raises Conflict (account.exists) or Invalid
    (ip_addresses). Needs accounts.write.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    _require_free_name(work, name)
    secret = secrets.token_urlsafe(32)
    account = ApiAccount(
        name=name,
        client_id=secrets.token_hex(20),
        secret_hash=hash_of(secret),
        created_at=work.now(),
        **_checked(other),
    )
    work.session.add(account)
    work.session.flush()
    audit.record(work, "api_account.created", "api_account", account.id, account.name)
    return account, secret


def update(work: Work, account_id: int, changes: dict[str, Any]) -> ApiAccount:
    """Change columns of an API account; needs accounts.write.

    failed_login_attempts 0 also ends a lock.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    account = get(work, account_id)
    changed = {k: v for k, v in _checked(changes).items() if getattr(account, k) != v}
    if "name" in changed and changed["name"].lower() != account.name.lower():
        _require_free_name(work, changed["name"])
    for key, value in changed.items():
        setattr(account, key, value)
    if changes.get("failed_login_attempts") == 0:
        account.failed_login_expiration = None
    if changed:
        work.session.flush()
        audit.record(
            work, "api_account.changed", "api_account", account.id, account.name, **changed
        )
    return account


def renew_secret(work: Work, account_id: int) -> tuple[ApiAccount, str]:
    """Give an API account a new secret; the old one and all its tokens end at once."""
    work.actor.require(Permission.ACCOUNTS_WRITE)
    account = get(work, account_id)
    secret = secrets.token_urlsafe(32)
    account.secret_hash = hash_of(secret)
    work.session.execute(delete(ApiToken).where(ApiToken.account_id == account.id))
    audit.record(work, "api_account.secret_renewed", "api_account", account.id, account.name)
    return account, secret


def remove(work: Work, account_id: int) -> None:
    """Delete an API account and its tokens; needs accounts.write."""
    work.actor.require(Permission.ACCOUNTS_WRITE)
    account = get(work, account_id)
    audit.record(work, "api_account.deleted", "api_account", account.id, account.name)
    work.session.delete(account)
    work.session.flush()


def _require_free_name(work: Work, name: str) -> None:
    taken = select(ApiAccount.id).where(same_text(ApiAccount.name, name))
    if work.session.scalar(taken) is not None:
        raise Conflict("account.exists", name=name)


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if "ip_addresses" not in values:
        return values
    return {**values, "ip_addresses": _networks(values["ip_addresses"])}


def _networks(text: str) -> str:
    """Return the networks of an allow list, one per line; Invalid when one is none."""
    try:
        networks = [str(ip_network(part, strict=False)) for part in text.replace(",", " ").split()]
    except ValueError as error:
        raise Invalid({"ip_addresses": ["Not a list of addresses or networks."]}) from error
    return "\n".join(networks)
