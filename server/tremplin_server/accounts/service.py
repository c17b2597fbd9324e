"""People: their accounts, and how they sign in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, Table, func, or_, select

from tremplin_server.accounts import ownership, password_policy, passwords, totp, web_sessions
from tremplin_server.accounts.models import User
from tremplin_server.accounts.tokens import actor_of_api_account
from tremplin_server.audit import service as audit
from tremplin_server.clock import rfc3339
from tremplin_server.db import Work, same_text
from tremplin_server.errors import Conflict, Invalid, NotFound, TremplinError
from tremplin_server.group_policies import reading
from tremplin_server.permissions import ROLE_PERMISSIONS, Actor, ActorKind, Permission, Role

LOCAL_PROVIDER_ID = 1
"""The one security provider there is: the accounts of this site."""
WRONG_PASSWORD = "The current password is wrong."  # noqa: S105 - a sentence


def actor_of_user(user: User, source_ip: str) -> Actor:
    """Return the actor of a person with the permissions of the role alone; see `actor_in`."""
    permissions = ROLE_PERMISSIONS[Role(user.role)]
    return Actor(ActorKind.USER, user.username, user.id, source_ip, permissions)


def actor_in(work: Work, user: User, source_ip: str) -> Actor:
    """Return the actor of a person, with what the role and the group policies give."""
    permissions = reading.permissions_of(work, user.id, user.role)
    return Actor(ActorKind.USER, user.username, user.id, source_ip, permissions)


def acting_user(work: Work) -> User:
    """Return the account of the acting person; TremplinError (auth.required) for a program."""
    user = work.session.get(User, work.actor.id) if work.actor.kind is ActorKind.USER else None
    if user is None:
        raise TremplinError("auth.required")
    return user


def authenticate(work: Work, username: str, password: str) -> User:
    """Return the user whose name and password these are.

    Whoever has a second factor (two_factor_enabled) is not in yet: `authenticate_code` is next.

    Raises TremplinError auth.bad_credentials, auth.locked or auth.disabled. Failures are
    counted although the error ends the work; config.sign_in_attempts of them lock the
    account for config.sign_in_lock_minutes. An unknown name takes as long as a known one.
    """
    user = work.session.scalar(select(User).where(same_text(User.username, username)))
    _check_lock(work, user)
    if not passwords.matches(user.password_hash if user else None, password) or user is None:
        if user is not None:
            _count_failure(work, user)
        raise TremplinError("auth.bad_credentials")
    if not user.enabled:
        raise TremplinError("auth.disabled")
    if passwords.outdated(user.password_hash):
        user.password_hash = passwords.hashed(password)
    if not user.two_factor_enabled:
        _let_in(work, user)
    return user


def authenticate_code(work: Work, user_id: int, code: str) -> User:
    """Return the user, whose password was right, once the second factor is too.

    Raises TremplinError as `authenticate` does; wrong codes count like wrong passwords.
    """
    user = work.session.get(User, user_id)
    _check_lock(work, user)
    if user is None:
        raise TremplinError("auth.bad_credentials")
    if not totp.accept(work, user, code):
        _count_failure(work, user)
        raise TremplinError("auth.bad_credentials")
    if not user.enabled:
        raise TremplinError("auth.disabled")
    _let_in(work, user)
    return user


def authenticate_both(work: Work, username: str, password: str, code: str) -> User:
    """Return the user whose password and second factor these are, asked for together.

    Raises TremplinError as `authenticate` does; auth.no_second_factor for whoever has none,
    auth.password_expired for whoever has to choose another password first.
    """
    user = authenticate(work, username, password)
    if not user.two_factor_enabled:
        raise TremplinError("auth.no_second_factor")
    authenticate_code(work, user.id, code)
    if must_change_password(work, user):
        raise TremplinError("auth.password_expired")
    return user


def prove_again(work: Work, code: str) -> None:
    """Take a code of the acting person's second factor, for something that wants it anew.

    Raises Invalid (`code`) when it is wrong, which counts like a wrong password, and
    TremplinError auth.locked.
    """
    user = acting_user(work)
    _check_lock(work, user)
    if not totp.accept(work, user, code):
        _count_failure(work, user)
        raise Invalid({"code": ["This code is wrong, or its time is over."]})


def _let_in(work: Work, user: User) -> None:
    user.failed_logins = 0
    user.locked_until = None
    user.last_authentication = work.now()


def language_of(user: User) -> str:
    """Return the account's language; empty when it has the one that every account starts with.

    That one is nobody's choice, so it must not outweigh what the browser or the site says.
    """
    usual = User.__table__.c.preferred_email_language.default
    chosen = user.preferred_email_language
    return "" if usual is not None and chosen == usual.arg else chosen


def _check_lock(work: Work, user: User | None) -> None:
    if user is None or user.locked_until is None:
        return
    if user.locked_until > work.now():
        raise TremplinError("auth.locked", until=rfc3339(user.locked_until))
    user.locked_until = None
    user.failed_logins = 0


def _count_failure(work: Work, user: User) -> None:
    user.failed_logins += 1
    audit.record(work, "user.sign_in_failed", "user", user.id, user.username)
    if user.failed_logins >= work.config.sign_in_attempts:
        user.locked_until = work.now() + timedelta(minutes=work.config.sign_in_lock_minutes)
        audit.record(work, "user.locked", "user", user.id, user.username)
    work.commit()


def must_change_password(work: Work, user: User) -> bool:
    """Return whether the person has to choose a new password before anything else."""
    expired = user.password_expiration is not None and user.password_expiration <= work.now()
    return user.password_reset_next_login or expired


def change_own_password(work: Work, old: str, new: str, *, session_id: int = 0) -> User:
    """Give the acting user a new password; Invalid when the old one is wrong.

    Every other browser is signed out: session_id is the one that stays.
    """
    user = acting_user(work)
    if not passwords.matches(user.password_hash, old):
        raise Invalid({"password": [WRONG_PASSWORD]})
    password_policy.take(work, user, new)
    user.password_reset_next_login = False
    user.password_expiration = None
    web_sessions.end_all(work, user.id, but=session_id)
    audit.record(work, "user.password_changed", "user", user.id, user.username)
    return user


# --- administration -------------------------------------------------------------------


def query(
    work: Work,
    *,
    username: str | None = None,
    email_address: str | None = None,
    security_provider_id: int | None = None,
) -> Select[User]:
    """Return the accounts that match, in the order they were created; needs accounts.read."""
    work.actor.require(Permission.ACCOUNTS_READ)
    found = select(User).order_by(User.id)
    if username is not None:
        found = found.where(same_text(User.username, username))
    if email_address is not None:
        found = found.where(same_text(User.email_address, email_address))
    if security_provider_id not in (None, LOCAL_PROVIDER_ID):
        found = found.where(User.id == 0)
    return found


def search(work: Work, text: str = "", role: str = "", state: str = "") -> Select[User]:
    """Return the accounts that a person looks for; needs accounts.read.

    text: in a name or address. state: enabled, disabled or locked. What is empty or
    unknown narrows nothing.
    """
    work.actor.require(Permission.ACCOUNTS_READ)
    found = select(User)
    if text:
        columns = (User.username, User.private_display_name, User.email_address)
        found = found.where(
            or_(*(func.lower(c).contains(text.lower(), autoescape=True) for c in columns))
        )
    if role:
        found = found.where(User.role == role)
    if state == "locked":
        found = found.where(User.locked_until > work.now())
    elif state in ("enabled", "disabled"):
        found = found.where(User.enabled if state == "enabled" else ~User.enabled)
    return found


def ordered(query: Select[User], sort: str) -> Select[User]:
    """Return `query` in the order of `sort`: username, role or seen, `-` for the other way."""
    columns = {"role": User.role, "seen": User.last_authentication}
    column: Any = columns.get(sort.lstrip("-"), func.lower(User.username))
    order = column.desc().nulls_last() if sort.startswith("-") else column.asc().nulls_first()
    return query.order_by(order, User.id)


def get(work: Work, user_id: int) -> User:
    """Return an account; NotFound when there is none. Needs accounts.read."""
    work.actor.require(Permission.ACCOUNTS_READ)
    user = work.session.get(User, user_id)
    if user is None:
        raise NotFound("request.not_found", what="user", id=user_id)
    return user


def named(work: Work, username: str) -> User:
    """Return the account of that name; NotFound when there is none. Needs accounts.read."""
    user = work.session.scalar(query(work, username=username))
    if user is None:
        raise NotFound("request.not_found", what="user", id=username)
    return user


def create(
    work: Work,
    *,
    username: str,
    password: str,
    role: Role = Role.TECHNICIAN,
    public_display_name: str = "",
    private_display_name: str = "",
    **other: Any,
) -> User:
    """Add an account; needs accounts.write. other: further columns of `User`.

    Raises Conflict (account.exists) or Invalid (a password that the site's policy refuses).
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    _require_free_name(work, username)
    user = User(
        username=username,
        role=Role(role),
        public_display_name=public_display_name or username,
        private_display_name=private_display_name or username,
        created_at=work.now(),
        session_epoch=0,
        **other,
    )
    password_policy.take(work, user, password)
    work.session.add(user)
    work.session.flush()
    audit.record(work, "user.created", "user", user.id, user.username, role=user.role)
    return user


def update(work: Work, user_id: int, changes: dict[str, Any]) -> User:
    """Change columns of an account, and `password`; needs accounts.write.

    Whoever gets another password or role, or is disabled, is signed out everywhere.
    Raises Conflict: account.exists or account.last_administrator.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    user = get(work, user_id)
    wanted = dict(changes)
    password = wanted.pop("password", None)
    changed = {k: v for k, v in wanted.items() if getattr(user, k) != v}
    if "username" in changed and changed["username"].lower() != user.username.lower():
        _require_free_name(work, changed["username"])
    if _demotes(user, changed):
        _require_other_administrator(work, user)
    for key, value in changed.items():
        setattr(user, key, value)
    if changed.get("failed_logins") == 0:
        user.locked_until = None
    if password is not None:
        password_policy.take(work, user, password)
    if password is not None or {"role", "enabled"} & changed.keys():
        web_sessions.end_all(work, user.id)
    if changed or password is not None:
        work.session.flush()
        detail = {k: _jsonable(v) for k, v in changed.items()}
        if password is not None:
            detail["password"] = "changed"  # noqa: S105 - tells that it was, not what it is
        audit.record(work, "user.changed", "user", user.id, user.username, **detail)
    return user


def delete(work: Work, user_id: int) -> None:
    """Delete an account that is no administrator's; needs accounts.write.

    Raises Conflict: account.administrator, or group.not_empty while Jump Clients are in
    the personal Jump Group. Installers of that group are deleted with it.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    user = get(work, user_id)
    if user.role == Role.ADMINISTRATOR:
        raise Conflict("account.administrator")
    assert isinstance(User.__table__, Table)
    ownership.settle(work, User.__table__, user.id, f"user:{user.username}")
    audit.record(work, "user.deleted", "user", user.id, user.username)
    work.session.delete(user)
    work.session.flush()


def administrators(work: Work) -> int:
    """Return how many enabled administrators there are."""
    found = select(func.count()).where(User.role == Role.ADMINISTRATOR, User.enabled)
    return work.session.scalar(found) or 0


def _require_free_name(work: Work, username: str) -> None:
    taken = select(User.id).where(same_text(User.username, username))
    if work.session.scalar(taken) is not None:
        raise Conflict("account.exists", name=username)


def _demotes(user: User, changed: dict[str, Any]) -> bool:
    if user.role != Role.ADMINISTRATOR or not user.enabled:
        return False
    return changed.get("role", user.role) != Role.ADMINISTRATOR or not changed.get("enabled", True)


def _require_other_administrator(work: Work, user: User) -> None:
    # The rows are locked, so that two administrators cannot demote each other at once.
    admins = select(User.id).where(User.role == Role.ADMINISTRATOR, User.enabled)
    if not set(work.session.scalars(admins.with_for_update())) - {user.id}:
        raise Conflict("account.last_administrator")


def _jsonable(value: Any) -> Any:
    return value if isinstance(value, str | int | bool | None) else str(value)


__all__ = [
    "LOCAL_PROVIDER_ID",
    "WRONG_PASSWORD",
    "acting_user",
    "actor_in",
    "actor_of_api_account",
    "actor_of_user",
    "administrators",
    "authenticate",
    "authenticate_both",
    "authenticate_code",
    "change_own_password",
    "create",
    "delete",
    "get",
    "language_of",
    "must_change_password",
    "named",
    "prove_again",
    "query",
    "update",
]
