"""What the site says on its support portal, and the picture that stands above it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model


class PortalText(Model):
    """The words in one language; an empty one leaves the standard words in place."""

    __tablename__ = "portal_text"

    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    title: Mapped[str] = mapped_column(String(120), default="")
    body: Mapped[str] = mapped_column(Text, default="")
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(255))


class PortalLogo(Model):
    """The one logo; without a row there is none."""

    __tablename__ = "portal_logo"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    mimetype: Mapped[str] = mapped_column(String(32))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    """Hex digest of `content`; it is in the picture's address, which may so be cached."""
    width: Mapped[int]
    height: Mapped[int]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(255))
