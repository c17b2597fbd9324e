"""What belongs to an account or a group, and must be settled before it can be deleted."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, Table, delete, func, select

from tremplin_server.accounts.models import GOES_WITH_OWNER
from tremplin_server.db import Work
from tremplin_server.errors import Conflict


def settle(work: Work, owner: Table, owner_id: int, name: str) -> None:
    """Make the row `owner_id` of `owner` deletable.

    Rows of tables marked GOES_WITH_OWNER are deleted. Raises Conflict (group.not_empty)
    when others are left: a Jump Client is removed on purpose, never in passing, because
    its other half runs on a host.
    """
    left = 0
    for table, column in _owned(owner):
        if not table.info.get(GOES_WITH_OWNER):
            counted = select(func.count()).select_from(table).where(column == owner_id)
            left += work.session.scalar(counted) or 0
    if left:
        raise Conflict("group.not_empty", name=name, count=left)
    for table, column in _owned(owner):
        if table.info.get(GOES_WITH_OWNER):
            work.session.execute(delete(table).where(column == owner_id))


def _owned(owner: Table) -> Iterator[tuple[Table, Column[int]]]:
    """Yield the tables whose rows point at `owner` and would keep it from being deleted."""
    for table in owner.metadata.sorted_tables:
        for column in table.columns:
            for key in column.foreign_keys:
                if key.column.table is owner and key.ondelete is None:
                    yield table, column
