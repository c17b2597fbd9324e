"""The second factor of a person: codes of an authenticator app, RFC 6238.

Setting it up takes two steps: `begin` makes a secret that does not count yet, `confirm`
takes a first code that shows that the app has it. A code is good once, in its own half
minute and the ones beside it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime

import pyotp
from sqlalchemy import update

from tremplin_server import sealing
from tremplin_server.accounts import passwords, recovery
from tremplin_server.accounts.models import Totp, User
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied, Invalid
from tremplin_server.permissions import ActorKind, Permission

ISSUER = "Tremplin"
DIGITS = 6
STEP_SECONDS = 30
_SLACK = 1
"""Steps by which the clock of the app may be wrong, either way."""
_PURPOSE = "tremplin totp secret v1"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the app must learn, told once. uri: the `otpauth://` form, for a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def enabled(work: Work) -> bool:
    """Return whether the acting user has a second factor."""
    return _acting_user(work).two_factor_enabled


def begin(work: Work) -> Setup:
    """Give the acting user a new secret that waits for its confirmation.

    Raises Conflict (totp.enabled) when there is a second factor: it must be removed first,
    so that a page left open cannot replace it.
    """
    user = _acting_user(work)
    if user.two_factor_enabled:
        raise Conflict("totp.enabled")
    secret = pyotp.random_base32()
    sealed = sealing.seal(work.config, _PURPOSE, str(user.id), secret.encode())
    work.session.merge(Totp(user_id=user.id, sealed_secret=sealed, last_step=0))
    work.session.flush()
    return Setup(secret, _totp(secret).provisioning_uri(name=user.username, issuer_name=ISSUER))


def pending(work: Work) -> Setup | None:
    """Return what waits for its confirmation, or None when nothing does."""
    user = _acting_user(work)
    found = work.session.get(Totp, user.id)
    secret = _secret(work, found) if found is not None and not user.two_factor_enabled else None
    if secret is None:
        return None
    return Setup(secret, _totp(secret).provisioning_uri(name=user.username, issuer_name=ISSUER))


def confirm(work: Work, code: str) -> list[str]:
    """Make the acting user's new secret count; return recovery codes, told only here.

    Raises Invalid (`code`) when the code is wrong.
    """
    user = _acting_user(work)
    found = work.session.get(Totp, user.id)
    if found is None or user.two_factor_enabled or not _spend(work, found, code):
        raise Invalid({"code": ["This code is wrong, or its time is over."]})
    user.two_factor_enabled = True
    work.session.flush()
    audit.record(work, "user.totp_enabled", "user", user.id, user.username)
    return recovery.renew(work, user)


def renew_recovery_codes(work: Work, password: str) -> list[str]:
    """Give the acting user new recovery codes; Invalid when the password is wrong.

    Raises Conflict (totp.missing) without a second factor, which they would stand in for.
    """
    user = _acting_user(work)
    if not user.two_factor_enabled:
        raise Conflict("totp.missing")
    if not passwords.matches(user.password_hash, password):
        raise Invalid({"password": ["The current password is wrong."]})
    return recovery.renew(work, user)


def remove(work: Work, user_id: int) -> bool:
    """Take a person's second factor away; return whether there was one.

    Needs accounts.write: the way out for somebody who lost the telephone.
    """
    work.actor.require(Permission.ACCOUNTS_WRITE)
    return _remove(work, user_id)


def remove_own(work: Work, password: str) -> bool:
    """Take the acting user's second factor away; Invalid when the password is wrong."""
    user = _acting_user(work)
    if not passwords.matches(user.password_hash, password):
        raise Invalid({"password": ["The current password is wrong."]})
    return _remove(work, user.id)


def _remove(work: Work, user_id: int) -> bool:
    found, user = work.session.get(Totp, user_id), work.session.get(User, user_id)
    if found is None or user is None:
        return False
    confirmed, user.two_factor_enabled = user.two_factor_enabled, False
    work.session.delete(found)
    recovery.drop(work, user.id)
    work.session.flush()
    if confirmed:
        audit.record(work, "user.totp_removed", "user", user.id, user.username)
    return confirmed


def accept(work: Work, user: User, code: str) -> bool:
    """Return whether `code` is the person's right code now, and use it up.

    A recovery code does as well as one of the app.
    """
    found = work.session.get(Totp, user.id)
    if found is None or not user.two_factor_enabled:
        return False
    right = _spend(work, found, code) or recovery.spend(work, user, code)
    if right:
        found.proved_at = work.now()
    return right


def _spend(work: Work, found: Totp, code: str) -> bool:
    step = _step_of(_secret(work, found), code, work.now())
    if step is None:
        return False
    # Of two sign-ins with one code at the same time, one changes the row.
    unused = update(Totp).where(Totp.user_id == found.user_id, Totp.last_step < step)
    done = work.session.connection().execute(unused.values(last_step=step))
    return done.rowcount == 1


def _step_of(secret: str | None, code: str, now: datetime) -> int | None:
    """Return the time step, near now, whose code this is."""
    digits = "".join(code.split())
    if secret is None or len(digits) != DIGITS or not digits.isascii():
        return None
    step = int(now.timestamp()) // STEP_SECONDS
    for near in range(step - _SLACK, step + _SLACK + 1):
        if hmac.compare_digest(_totp(secret).generate_otp(near), digits):
            return near
    return None


def _secret(work: Work, found: Totp) -> str | None:
    """Return the secret; None when the site's secret_key is not the one it was sealed with."""
    try:
        owner = str(found.user_id)
        return sealing.unseal(work.config, _PURPOSE, owner, found.sealed_secret).decode()
    except sealing.Unreadable:
        return None


def _totp(secret: str) -> pyotp.TOTP:
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)


def _acting_user(work: Work) -> User:
    user = work.session.get(User, work.actor.id) if work.actor.kind is ActorKind.USER else None
    if user is None:
        raise Denied("auth.denied", permission="totp")
    return user
