"""Tombstones and unknown keys as people and programs handle them."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Select, select

from tremplin_server.clients import removal
from tremplin_server.clients.models import ClosedBy, Tombstone, UnknownKey
from tremplin_server.db import Work
from tremplin_server.errors import NotFound
from tremplin_server.groups import service as groups
from tremplin_server.groups.models import Owned
from tremplin_server.permissions import Permission


def query(work: Work, *, open_only: bool = False) -> Select[Tombstone]:
    """Return the tombstones of the groups that the actor sees, newest first.

    open_only: those only whose host has not confirmed yet.
    """
    work.actor.require(Permission.CLIENTS_READ)
    # A tombstone has an owner's columns without being owned: its group may be gone.
    found = groups.visible(work, select(Tombstone), cast("type[Owned]", Tombstone))
    if open_only:
        found = found.where(Tombstone.closed_at.is_(None))
    return found.order_by(Tombstone.id.desc())


def get(work: Work, tombstone_id: int) -> Tombstone:
    """Return a tombstone that the actor sees; NotFound otherwise."""
    found = work.session.scalar(query(work).where(Tombstone.id == tombstone_id))
    if found is None:
        raise NotFound("request.not_found", what="tombstone", id=tombstone_id)
    return found


def close(work: Work, tombstone_id: int) -> Tombstone:
    """Stop waiting for a host that will never confirm; closing again changes nothing.

    Should its agent connect after all, it is still told to uninstall itself.
    """
    work.actor.require(Permission.CLIENTS_DELETE)
    tombstone = get(work, tombstone_id)
    removal.close(work, tombstone, ClosedBy.HAND)
    work.session.flush()
    return tombstone


def unknown_keys(work: Work) -> Select[UnknownKey]:
    """Return the agents whose id nothing here knows, as after a restore; last seen first."""
    work.actor.require(Permission.CLIENTS_READ)
    work.actor.require(Permission.SEE_ALL_GROUPS)
    return select(UnknownKey).order_by(UnknownKey.last_seen.desc(), UnknownKey.client_id)
