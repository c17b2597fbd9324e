"""The table of settings."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from tremplin_server.db import Model


class Setting(Model):
    """A value that stands for the configuration's; without a row that one counts."""

    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(255))
