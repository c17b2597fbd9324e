"""The site's identity: the Ed25519 key whose orders agents obey."""

from __future__ import annotations

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import LargeBinary, String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model, Work

SECRET_NAME = "identity_key"  # noqa: S105 - the name of a row, not a secret


class Secret(Model):
    """A key of the site that all workers share, such as the identity key; PEM or raw."""

    __tablename__ = "secret"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class SiteIdentity:
    """Signs what agents must be sure comes from their own site."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.public_key = private_key.public_key().public_bytes_raw()
        """32 bytes; agents learn it when they enrol."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`, 64 bytes."""
        return self._private_key.sign(message)


def site_identity(work: Work) -> SiteIdentity:
    """Return the site's identity; the first call of a site makes its key."""
    return SiteIdentity(site_key(work, SECRET_NAME))


def site_key(work: Work, name: str) -> Ed25519PrivateKey:
    """Return the site's key of that name, which all workers share; the first call makes it."""
    stored = work.session.get(Secret, name)
    raw = stored.value if stored is not None else _make(work, name)
    return Ed25519PrivateKey.from_private_bytes(raw)


def _make(work: Work, name: str) -> bytes:
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    try:
        with work.session.begin_nested():
            work.session.add(Secret(name=name, value=raw, created_at=work.now()))
    except IntegrityError:
        # Another worker made it between our look and our insert: its key is the site's.
        stored = work.session.get(Secret, name)
        assert stored is not None, "the insert failed because the row exists"
        return stored.value
    return raw
