"""A large site's Jump Clients, put straight into the database: names, tags, figures, groups."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Engine, func, insert, literal, select
from tremplin_agent import __version__
from tremplin_server.clients import history
from tremplin_server.clients.models import ClientCopy, ClientHistory, JumpClient
from tremplin_server.db import UtcDateTime
from tremplin_server.groups.models import JumpGroup
from tremplin_server.shortcuts.models import RdpShortcut

_BATCH = 2_000
_ROLES = ("web", "db", "cache", "proxy", "mail", "build", "batch", "edge", "api", "ldap")
_SITES = ("lyon", "paris", "lille", "nantes", "brest", "metz", "nice", "dijon")
_TAGS = ("production", "staging", "development", "lab", "")
_SYSTEMS = (
    "Debian GNU/Linux 12 (bookworm)",
    "Ubuntu 24.04.1 LTS",
    "Rocky Linux 9.4 (Blue Onyx)",
    "SUSE Linux Enterprise Server 15 SP6",
)
_STATES = ("online",) * 7 + ("offline",) * 2 + ("offline", "uninstalled", "disabled")
_GIB = 2**30


def fill(engine: Engine, count: int, groups: int = 40, *, worker_id: str | None = None) -> None:
    """Insert `count` Jump Clients in `groups` shared groups, with a day of figures each.

    worker_id: the running worker that those which are online are said to be connected to.
    """
    chance, now = Random(1), datetime.now(UTC)
    owners = _groups(engine, groups, now)
    for start in range(0, count, _BATCH):
        numbers = range(start, min(start + _BATCH, count))
        rows = [_client(chance, number, owners, now, worker_id) for number in numbers]
        with engine.begin() as connection:
            told = insert(JumpClient).returning(JumpClient.id, JumpClient.statistics)
            made = connection.execute(told, rows)
            samples = [_history(chance, key, statistics, now) for key, statistics in made]
            connection.execute(insert(ClientHistory), samples)


def shortcut(engine: Engine) -> None:
    """Insert one RDP Jump Shortcut: the list is then one of two kinds of Jump Items."""
    with engine.begin() as connection:
        group = select(func.min(JumpGroup.id)).scalar_subquery()
        values = {"name": "Terminal server", "hostname": "terminals.example.net"}
        times = dict.fromkeys(("created_at", "updated_at"), datetime.now(UTC))
        made = insert(RdpShortcut).values(shared_group_id=group, **values, **times)
        connection.execute(made)


def copies(engine: Engine, count: int) -> None:
    """Insert a copy of each of the first `count` Jump Clients, in the group that is the last."""
    group = select(func.max(JumpGroup.id)).scalar_subquery()
    columns = JumpClient.id, JumpClient.name, JumpClient.tag, JumpClient.comments
    by, now = literal("bench"), literal(datetime.now(UTC), UtcDateTime())
    first = select(*columns, group, now, by).order_by(JumpClient.id).limit(count)
    names = "client_id", "name", "tag", "comments", "shared_group_id", "created_at", "created_by"
    with engine.begin() as connection:
        connection.execute(insert(ClientCopy).from_select(names, first))


def _groups(engine: Engine, count: int, now: datetime) -> list[int]:
    names = [
        f"{_SITES[n % len(_SITES)].title()} · room {n // len(_SITES) + 1}" for n in range(count)
    ]
    rows = [
        {"name": name, "code_name": f"room_{number}", "created_at": now}
        for number, name in enumerate(names)
    ]
    with engine.begin() as connection:
        connection.execute(insert(JumpGroup), rows)
        return list(connection.execute(select(JumpGroup.id).order_by(JumpGroup.id)).scalars())


def _client(
    chance: Random, number: int, owners: list[int], now: datetime, worker_id: str | None
) -> dict[str, Any]:
    role, site = chance.choice(_ROLES), chance.choice(_SITES)
    state = chance.choice(_STATES)
    away = timedelta(days=chance.choice((0, 1, 3, 40)), seconds=chance.randrange(80_000))
    name = f"{role}-{number:05}.{site}.example.net"
    return {
        "state": state,
        "public_key": hashlib.sha256(f"key {number}".encode()).digest(),
        "fingerprint": hashlib.sha256(f"machine {number}".encode()).hexdigest(),
        "external_id": name,
        "shared_group_id": owners[number % len(owners)],
        "name": name,
        "hostname": name.partition(".")[0],
        "fqdn": name,
        "tag": chance.choice(_TAGS),
        "comments": f"Rack {number % 97}, shelf {number % 13}" if number % 3 == 0 else "",
        "operating_system": chance.choice(_SYSTEMS),
        "platform": "linux-64",
        "agent_version": __version__ if chance.random() < 0.95 else "0.9.0",
        "public_ip": f"203.0.113.{number % 254 + 1}",
        "private_ip": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        "console_user": chance.choice(("", "", "", "zoe", "ada", "root")),
        "install_dir": "/opt/tremplin-jump-client",
        "startup": "systemd",
        "run_as": "tremplin",
        "statistics": {
            "cpu_count": 8,
            "cpu_percent": round(chance.random() * 60, 1),
            "memory_total_bytes": 16 * _GIB,
            "memory_used_bytes": round(chance.uniform(2, 15) * _GIB),
            "disk_total_bytes": 200 * _GIB,
            "disk_used_bytes": round(chance.uniform(20, 195) * _GIB),
            "uptime_seconds": chance.randrange(40_000_000),
        },
        "created_at": now - timedelta(days=90),
        "updated_at": now,
        "last_connect": now - away,
        "last_seen": now if state == "online" else now - away,
        "last_access": now - away if number % 4 == 0 else None,
        "worker_id": worker_id if state == "online" else None,
    }


def _history(
    chance: Random, client_id: int, statistics: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """Return a day that ends with what the host told last."""
    last, figures = history.slot_of(now), dict(statistics)
    told = [(last, dict(figures))]
    for slot in range(last - 4, last - history.KEPT, -4):
        for name, most, step in (("cpu_percent", 100, 6), ("memory_used_bytes", 16 * _GIB, _GIB)):
            changed = figures[name] + chance.gauss(0, step / 2)
            figures[name] = min(most * 0.98, max(most * 0.02, changed))
        told.append((slot, dict(figures)))
    samples = b""
    for slot, values in reversed(told):
        samples = history.appended(samples, slot, values)
    return {"client_id": client_id, "last_slot": last, "samples": samples}
