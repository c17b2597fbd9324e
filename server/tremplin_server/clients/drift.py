"""Where an inventory and the server are out of step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tremplin_server.clients import service, tombstones
from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient, Tombstone, TombstoneKind, UnknownKey
from tremplin_server.db import Work
from tremplin_server.permissions import Permission

_IN_STEP = (State.ONLINE, State.RESTING, State.UNINSTALLED)


@dataclass(frozen=True, slots=True)
class Drift:
    """Every difference; all empty when host list and server agree.

    missing: declared keys without a record. unexpected: records of the scope that the
    list lacks. not_online: listed, neither online, resting nor uninstalled. uninstalled: listed,
    but their host removed the agent. waiting_removal: deleted, not confirmed by the host.
    """

    missing: Sequence[str]
    unexpected: Sequence[JumpClient]
    not_online: Sequence[JumpClient]
    uninstalled: Sequence[JumpClient]
    waiting_removal: Sequence[Tombstone]
    unknown_keys: Sequence[UnknownKey]

    @property
    def in_step(self) -> bool:
        """Whether there is no difference at all."""
        return not any(
            (
                self.missing,
                self.unexpected,
                self.not_online,
                self.uninstalled,
                self.waiting_removal,
                self.unknown_keys,
            )
        )


def drift(
    work: Work,
    external_ids: Sequence[str],
    *,
    jump_group_id: int | None = None,
    jump_group_type: str | None = None,
    tag: str | None = None,
) -> Drift:
    """Compare an inventory's declared keys with the records that the actor sees.

    The group and the tag narrow `unexpected` (and the group the tombstones), for an
    inventory that is only a part of the site. A listed record counts wherever it is.
    """
    listed = dict.fromkeys(external_ids)
    records = work.session.scalars(service.query(work)).all()
    known = {client.external_id for client in records}
    mine = [client for client in records if client.external_id in listed]
    scope = service.query(
        work, jump_group_id=jump_group_id, jump_group_type=jump_group_type, tag=tag
    )
    unexpected = [c for c in work.session.scalars(scope) if c.external_id not in listed]
    return Drift(
        missing=[key for key in listed if key not in known],
        unexpected=unexpected,
        not_online=[c for c in mine if c.state not in _IN_STEP],
        uninstalled=[c for c in mine if c.state == State.UNINSTALLED],
        waiting_removal=_waiting(work, jump_group_id, jump_group_type),
        unknown_keys=_unknown(work),
    )


def _waiting(
    work: Work, jump_group_id: int | None, jump_group_type: str | None
) -> Sequence[Tombstone]:
    found = tombstones.query(work, open_only=True).where(Tombstone.kind == TombstoneKind.DELETED)
    if jump_group_id is not None:
        personal = jump_group_type == "personal"
        column = Tombstone.owner_user_id if personal else Tombstone.shared_group_id
        found = found.where(column == jump_group_id)
    return work.session.scalars(found).all()


def _unknown(work: Work) -> Sequence[UnknownKey]:
    if not work.actor.may(Permission.SEE_ALL_GROUPS):
        return []
    return work.session.scalars(tombstones.unknown_keys(work)).all()
