"""Passwords: argon2id with the parameters of RFC 9106's smaller sibling (OWASP), and which
ones this site takes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tremplin_server.config import Config

# 19 MiB and two passes: sixteen sign-ins at once must not need a gigabyte.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))

MAX_LENGTH = 256
_LOOKED_AT = 72
"""Letters that the estimate looks at: it takes much longer for more, and needs no more."""


def hashed(password: str) -> str:
    """Return the argon2id hash to store."""
    return _HASHER.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Return whether `password` is right; None (no such account) takes just as long."""
    try:
        return _HASHER.verify(stored or _NOBODY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(stored: str) -> bool:
    """Return whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def random() -> str:
    """Return a password for a first sign-in."""
    return secrets.token_urlsafe(15)


def problems(config: Config, password: str, personal: Iterable[str] = ()) -> list[str]:
    """Return what keeps `password` from being taken, as field messages; empty when nothing.

    personal: names and addresses of the account, which others guess first. What a guesser
    needs is estimated by zxcvbn, which knows words, names, keyboards and leaked passwords.
    """
    if not config.password_length <= len(password) <= MAX_LENGTH:
        return [f"Length must be between {config.password_length} and {MAX_LENGTH}."]
    if config.password_strength and _strength(password, personal) < config.password_strength:
        return ["Too easy to guess. Take more words, or less common ones."]
    return []


def _strength(password: str, personal: Iterable[str]) -> int:
    """Return 0 (guessed at once) to 4 (not by anybody)."""
    # Its word lists need some megabytes, which only who sets passwords has to pay.
    from zxcvbn import zxcvbn

    known = [word for word in personal if word]
    return int(zxcvbn(password[:_LOOKED_AT], user_inputs=known)["score"])
