"""Recovery codes: what gets somebody in once whose authenticator app is lost.

They are told once, when the second factor is set up or when new ones are asked for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from sqlalchemy import delete, func, select

from tremplin_server import sealing
from tremplin_server.accounts.access_models import RecoveryCode
from tremplin_server.accounts.models import User
from tremplin_server.audit import service as audit
from tremplin_server.db import Work

COUNT = 10
_BYTES = 10
_GROUP = 4
LENGTH = _BYTES * 8 // 5
"""Letters and digits of a code: 80 bits."""
_PURPOSE = "tremplin recovery codes v1"


def renew(work: Work, user: User) -> list[str]:
    """Give a person new codes, in place of all earlier ones, and return them."""
    drop(work, user.id)
    codes = [_grouped(secrets.token_bytes(_BYTES)) for _ in range(COUNT)]
    for code in codes:
        work.session.add(RecoveryCode(user_id=user.id, code_hash=_hash(work, user.id, code)))
    work.session.flush()
    audit.record(work, "user.recovery_codes_made", "user", user.id, user.username)
    return codes


def drop(work: Work, user_id: int) -> None:
    """Take a person's codes away."""
    work.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def left(work: Work, user_id: int) -> int:
    """Return how many codes a person still has."""
    counted = select(func.count()).where(RecoveryCode.user_id == user_id)
    return work.session.scalar(counted) or 0


def spend(work: Work, user: User, typed: str) -> bool:
    """Return whether `typed` is a code of the person's, and use it up.

    Case, spaces and hyphens do not matter.
    """
    if len(_plain(typed)) != LENGTH:
        return False
    # Of two sign-ins with one code at the same time, one deletes the row.
    spent = delete(RecoveryCode).where(
        RecoveryCode.user_id == user.id,
        RecoveryCode.code_hash == _hash(work, user.id, typed),
    )
    if work.session.connection().execute(spent).rowcount != 1:
        return False
    count = left(work, user.id)
    audit.record(work, "user.recovery_code_used", "user", user.id, user.username, left=count)
    return True


def _grouped(random: bytes) -> str:
    text = base64.b32encode(random).decode("ascii").lower()
    return "-".join(text[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))


def _plain(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isalnum())


def _hash(work: Work, user_id: int, code: str) -> str:
    key = sealing.derived(work.config, _PURPOSE)
    return hmac.new(key, f"{user_id}:{_plain(code)}".encode(), hashlib.sha256).hexdigest()
