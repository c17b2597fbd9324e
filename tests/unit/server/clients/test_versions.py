"""Which version an agent should have, and how often the payloads' files are looked at."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tremplin_server.clients import versions
from tremplin_server.db import Database
from tremplin_server.installers import payload
from tremplin_server.permissions import system_actor


def test_a_list_looks_at_the_payloads_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    found = payload.payloads
    monkeypatch.setattr(payload, "payloads", lambda config: looks.append(1) or found(config))
    held = SimpleNamespace(update_version="0.0.1", platform="linux-64")
    follows = SimpleNamespace(update_version="", platform="solaris")
    with database.work(system_actor(), read_only=True) as work:
        assert [versions.expected(work, held) for _ in range(3)] == ["0.0.1"] * 3
        assert versions.expected(work, follows) == versions.__version__
    assert len(looks) == 1
    with database.work(system_actor(), read_only=True) as work:
        versions.differs(work)
    assert len(looks) == 2, "a later unit of work sees a payload that was put in place"
