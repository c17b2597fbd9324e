"""Records put straight into the database: the scale of a bench without its enrolments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, func, insert, select
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.groups.models import JumpGroup

from tests.bench.agent import PLATFORM, fingerprint, identity

_BATCH = 1_000


def group(engine: Engine) -> int:
    """Return the id of the bench's Jump Group, made at the first call."""
    with engine.begin() as connection:
        found = connection.execute(select(JumpGroup.id).where(JumpGroup.code_name == "bench"))
        known = found.scalar()
        if known is not None:
            return known
        values = {"name": "Bench", "code_name": "bench", "created_at": datetime.now(UTC)}
        made = connection.execute(insert(JumpGroup).values(**values).returning(JumpGroup.id))
        return made.scalar_one()


def clients(engine: Engine, label: str, count: int, **columns: object) -> tuple[int, ...]:
    """Insert `count` offline records whose keys the agents of `label` hold; return their ids.

    columns: values that differ from those of an ordinary record.
    """
    owner, now = group(engine), datetime.now(UTC)
    rows = [
        {
            "state": State.OFFLINE,
            "public_key": identity(label, number).public_key,
            "fingerprint": fingerprint(label, number),
            "external_id": f"{label}-{number}",
            "shared_group_id": owner,
            "name": f"{label}-{number}",
            "hostname": f"{label}-{number}",
            "platform": PLATFORM,
            "created_at": now,
            "updated_at": now,
            "last_seen": now,
            **columns,
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        for start in range(0, count, _BATCH):
            connection.execute(insert(JumpClient), rows[start : start + _BATCH])
    return ids(engine, label)


def ids(engine: Engine, label: str) -> tuple[int, ...]:
    """Return the ids of the records of `label`, in the order of their agents' numbers."""
    query = select(JumpClient.external_id, JumpClient.id).where(
        JumpClient.external_id.like(f"{label}-%")
    )
    with engine.connect() as connection:
        found = connection.execute(query).all()
    rows = sorted((int(str(key).rpartition("-")[2]), number) for key, number in found)
    return tuple(number for _order, number in rows)


@dataclass(frozen=True, slots=True)
class Presence:
    """What the database says: connected since a moment, and held by a worker now."""

    online: int
    connected_since: int


def presence(engine: Engine, label: str, since: datetime) -> Presence:
    """Count the records of `label` that are online, and that connected since `since`."""
    ours = JumpClient.external_id.like(f"{label}-%")
    online = select(func.count()).where(ours, JumpClient.state == State.ONLINE)
    fresh = online.where(JumpClient.last_connect >= since, JumpClient.worker_id.is_not(None))
    with engine.connect() as connection:
        return Presence(
            connection.execute(online).scalar_one(), connection.execute(fresh).scalar_one()
        )


def workers(engine: Engine, label: str) -> dict[str, int]:
    """Return how many online records of `label` each worker holds."""
    query = (
        select(JumpClient.worker_id, func.count())
        .where(JumpClient.external_id.like(f"{label}-%"), JumpClient.state == State.ONLINE)
        .group_by(JumpClient.worker_id)
    )
    with engine.connect() as connection:
        return {str(worker): count for worker, count in connection.execute(query)}


def seconds_since(engine: Engine, label: str, column: str, since: datetime) -> list[float]:
    """Return, for each record of `label`, the seconds from `since` to its `column`."""
    query = select(getattr(JumpClient, column)).where(JumpClient.external_id.like(f"{label}-%"))
    with engine.connect() as connection:
        moments = [row[0] for row in connection.execute(query)]
    return sorted((moment - since).total_seconds() for moment in moments if moment)


def connected_since(engine: Engine, since: datetime) -> list[int]:
    """Return the ids of the records that are online and connected since `since`."""
    query = select(JumpClient.id).where(
        JumpClient.state == State.ONLINE, JumpClient.last_connect >= since
    )
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def state(engine: Engine, client_id: int) -> State | None:
    """Return the state of a record, None when it is gone."""
    with engine.connect() as connection:
        found = connection.execute(select(JumpClient.state).where(JumpClient.id == client_id))
        value = found.scalar()
    return None if value is None else State(value)


def moment(engine: Engine, client_id: int, column: str) -> float:
    """Return a time of a record, in seconds since the epoch."""
    query = select(getattr(JumpClient, column)).where(JumpClient.id == client_id)
    with engine.connect() as connection:
        return float(connection.execute(query).scalar_one().timestamp())
