"""Laying the settings over the configuration of every unit of work.

They are read again after SECONDS, so that a change reaches all workers within that time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from tremplin_server.config import Config
from tremplin_server.db import READ_ONLY
from tremplin_server.settings.models import Setting
from tremplin_server.settings.service import parsed

SECONDS = 2.0
EXTENSION = "tremplin-settings"
"""Under which the application keeps its `Overlay`."""


class Overlay:
    """Gives the configuration as the settings change it; shared by a process's threads.

    fixed: names that the configuration file or the environment states; they win. origins:
    which of the two states each.
    """

    def __init__(
        self, engine: Engine, fixed: frozenset[str], origins: Mapping[str, str] | None = None
    ) -> None:
        self.fixed = fixed
        self.origins = origins or {}
        self._engine = engine
        self._read_at = 0.0
        self._values: Mapping[str, int | str] = {}

    def __call__(self, config: Config) -> Config:
        """Return `config` with the settings that are not fixed."""
        if time.monotonic() - self._read_at > SECONDS:
            self._values = self._read()
            self._read_at = time.monotonic()
        return replace(config, **self._values) if self._values else config  # type: ignore[arg-type]

    def forget(self) -> None:
        """Read them anew at the next occasion: they were changed here."""
        self._read_at = 0.0

    def _read(self) -> Mapping[str, int | str]:
        engine = self._engine.execution_options(**{READ_ONLY: True})
        try:
            with engine.connect() as connection:
                rows = connection.execute(select(Setting.name, Setting.value)).all()
        except DBAPIError:
            # Before the migration there is no such table; whatever else is wrong with the
            # database, the work that follows meets it and says so.
            return {}
        known = {name: parsed(name, value) for name, value in rows if name not in self.fixed}
        return {name: value for name, value in known.items() if value is not None}
