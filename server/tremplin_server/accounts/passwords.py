"""Password hashing: argon2id with the parameters of RFC 9106's smaller sibling (OWASP)."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB and two passes: sixteen sign-ins at once must not need a gigabyte.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))

MIN_LENGTH = 10
MAX_LENGTH = 256


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
