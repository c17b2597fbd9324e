"""A day of each host's figures: one sample per quarter of an hour, 96 of them at most.

A client's samples are one value of at most 672 bytes, oldest first, seven bytes each: the
slot (quarters of an hour since 1970, 32 bits, big endian) and the use of processor, memory
and disk in percent (255: not told). One row per client bounds the table; a report writes
at most once in a slot (decision 0150).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select, update

from tremplin_server.clients.models import ClientHistory
from tremplin_server.db import Work

SLOT_SECONDS = 900
KEPT = 96
_SAMPLE = struct.Struct(">IBBB")
_UNKNOWN = 255
_HISTORY = cast(Table, ClientHistory.__table__)


@dataclass(frozen=True, slots=True)
class Sample:
    """The use of a host around a moment, in percent; None: it did not tell."""

    at: datetime
    processor: int | None
    memory: int | None
    disk: int | None


def decode(samples: bytes) -> list[Sample]:
    """Return the samples of a stored value, oldest first."""
    return [
        Sample(
            datetime.fromtimestamp(slot * SLOT_SECONDS, UTC),
            *(None if value == _UNKNOWN else value for value in values),
        )
        for slot, *values in _SAMPLE.iter_unpack(samples)
    ]


def appended(samples: bytes, slot: int, statistics: Mapping[str, Any]) -> bytes:
    """Return `samples` with one more for `slot`; what is older than a day falls out."""
    made = _SAMPLE.pack(slot, *_percents(statistics))
    kept = [s for s in _SAMPLE.iter_unpack(samples) if slot - KEPT < s[0] < slot]
    return b"".join(_SAMPLE.pack(*sample) for sample in kept[1 - KEPT :]) + made


def _percents(values: Mapping[str, Any]) -> tuple[int, int, int]:
    return (
        _percent(values.get("cpu_percent"), 100),
        _percent(values.get("memory_used_bytes"), values.get("memory_total_bytes")),
        _percent(values.get("disk_used_bytes"), values.get("disk_total_bytes")),
    )


def _percent(part: float | None, whole: float | None) -> int:
    if part is None or not whole:
        return _UNKNOWN
    return min(100, max(0, round(100 * part / whole)))


def slot_of(moment: datetime) -> int:
    """Return the slot that `moment` is in."""
    return int(moment.timestamp()) // SLOT_SECONDS


def note(work: Work, statistics: Mapping[int, Mapping[str, Any]]) -> None:
    """Add a sample for each client that has none in this slot. statistics: by existing client."""
    slot = slot_of(work.now())
    query = select(_HISTORY.c.client_id, _HISTORY.c.last_slot, _HISTORY.c.samples).where(
        _HISTORY.c.client_id.in_(list(statistics))
    )
    known = {row.client_id: row for row in work.session.execute(query)}
    new, due = [], []
    for client_id, values in statistics.items():
        row = known.get(client_id)
        if row is None:
            samples = appended(b"", slot, values)
            new.append({"client_id": client_id, "last_slot": slot, "samples": samples})
        elif row.last_slot < slot:
            samples = appended(row.samples, slot, values)
            due.append({"row_id": client_id, "new_slot": slot, "new_samples": samples})
    connection = work.session.connection()
    if new:
        connection.execute(insert(_HISTORY), new)
    if due:
        connection.execute(_UPDATE, due)


_UPDATE = (
    update(_HISTORY)
    .where(_HISTORY.c.client_id == bindparam("row_id"))
    .values(last_slot=bindparam("new_slot"), samples=bindparam("new_samples"))
)


def of(work: Work, client_id: int) -> list[Sample]:
    """Return a client's samples of the last day, oldest first; whether the actor sees the
    client is the caller's to know."""
    query = select(_HISTORY.c.samples).where(_HISTORY.c.client_id == client_id)
    oldest = slot_of(work.now()) - KEPT
    samples = decode(work.session.scalar(query) or b"")
    return [sample for sample in samples if slot_of(sample.at) > oldest]
