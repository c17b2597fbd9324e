"""The life cycle of a record: pure values, no I/O.

`lost` and `outdated` are labels that are computed, not states. `gone` is no state of a
record: the row is deleted and a tombstone stays until the host confirmed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from tremplin_agent.parameters import EPHEMERAL_OFFLINE_MINUTES

from tremplin_server.errors import Conflict


class State(StrEnum):
    """Where a record stands."""

    PENDING = "pending"
    ONLINE = "online"
    RESTING = "resting"
    """Passive, and checked in when it was due."""
    OFFLINE = "offline"
    DISABLED = "disabled"
    UNINSTALLED = "uninstalled"
    REMOVING = "removing"


class Event(StrEnum):
    """What can happen to a record."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    CHECKED_IN = "checked_in"
    DISABLED = "disabled"
    ENABLED = "enabled"
    UNINSTALL_ORDERED = "uninstall_ordered"
    HOST_UNINSTALLED = "host_uninstalled"
    REENROLLED = "reenrolled"


_S, _E = State, Event
_TRANSITIONS: dict[tuple[State, Event], State] = {
    (_S.PENDING, _E.CONNECTED): _S.ONLINE,
    (_S.OFFLINE, _E.CONNECTED): _S.ONLINE,
    (_S.ONLINE, _E.CONNECTED): _S.ONLINE,
    (_S.DISABLED, _E.CONNECTED): _S.DISABLED,
    (_S.REMOVING, _E.CONNECTED): _S.REMOVING,
    (_S.UNINSTALLED, _E.CONNECTED): _S.ONLINE,
    (_S.RESTING, _E.CONNECTED): _S.ONLINE,
    (_S.PENDING, _E.CHECKED_IN): _S.RESTING,
    (_S.OFFLINE, _E.CHECKED_IN): _S.RESTING,
    (_S.ONLINE, _E.CHECKED_IN): _S.RESTING,
    (_S.RESTING, _E.CHECKED_IN): _S.RESTING,
    (_S.UNINSTALLED, _E.CHECKED_IN): _S.RESTING,
    (_S.DISABLED, _E.CHECKED_IN): _S.DISABLED,
    (_S.REMOVING, _E.CHECKED_IN): _S.REMOVING,
    (_S.ONLINE, _E.DISCONNECTED): _S.OFFLINE,
    (_S.RESTING, _E.DISCONNECTED): _S.RESTING,
    (_S.OFFLINE, _E.DISCONNECTED): _S.OFFLINE,
    (_S.PENDING, _E.DISCONNECTED): _S.PENDING,
    (_S.DISABLED, _E.DISCONNECTED): _S.DISABLED,
    (_S.REMOVING, _E.DISCONNECTED): _S.REMOVING,
    (_S.UNINSTALLED, _E.DISCONNECTED): _S.UNINSTALLED,
    (_S.ONLINE, _E.DISABLED): _S.DISABLED,
    (_S.RESTING, _E.DISABLED): _S.DISABLED,
    (_S.DISABLED, _E.DISABLED): _S.DISABLED,
    (_S.REMOVING, _E.DISABLED): _S.REMOVING,
    (_S.DISABLED, _E.ENABLED): _S.ONLINE,
    (_S.ONLINE, _E.ENABLED): _S.ONLINE,
    (_S.RESTING, _E.ENABLED): _S.RESTING,
    (_S.REMOVING, _E.ENABLED): _S.REMOVING,
}
_FROM_ANY = {
    _E.UNINSTALL_ORDERED: _S.REMOVING,
    _E.HOST_UNINSTALLED: _S.UNINSTALLED,
    _E.REENROLLED: _S.PENDING,
}


def after(state: State, event: Event) -> State:
    """Return the state that `event` leads to; Conflict (client.state) if it cannot happen.

    An uninstalled record cannot be ordered to uninstall: there is nobody to obey.
    """
    if event == Event.UNINSTALL_ORDERED and state == State.UNINSTALLED:
        raise Conflict("client.uninstalled")
    if event in _FROM_ANY:
        return _FROM_ANY[event]
    following = _TRANSITIONS.get((state, event))
    if following is None:
        raise Conflict("client.state", state=state.value, event=event.value)
    return following


def at_rest(state: State, connection_type: str) -> State:
    """Return the state of a record without a connection: a passive one rests, it is not lost."""
    resting = connection_type == "passive" and state in (State.ONLINE, State.OFFLINE)
    return State.RESTING if resting else state


def check_in_seconds(interval: int, limit_minutes: int) -> int:
    """Return how often a passive client checks in: often enough not to be dropped.

    interval: the site's, in seconds. limit_minutes: after how many minutes away it is
    dropped; 0 for never.
    """
    return min(interval, max(1, limit_minutes * 60 // 3)) if limit_minutes else interval


def overdue_after(interval: int) -> timedelta:
    """Return how long a passive client may be silent before it counts as offline.

    Beside its interval it gets a fifth of it, and a minute at least: a server that is busy
    or away for a moment is tried again.
    """
    return timedelta(seconds=interval + max(60, interval // 5))


def is_lost(state: State, last_seen: datetime | None, now: datetime, lost_days: int) -> bool:
    """Return whether an unconnected record was last seen more than `lost_days` days ago."""
    if state != State.OFFLINE or last_seen is None:
        return False
    return now - last_seen > timedelta(days=lost_days)


def is_outdated(state: State, agent_version: str, current: str) -> bool:
    """Return whether an agent runs another version than the one this server hands out."""
    gone = state in (State.UNINSTALLED, State.REMOVING, State.PENDING)
    return bool(agent_version) and agent_version != current and not gone


def offline_limit_minutes(
    delete_days: int, *, max_offline_minutes: int, ephemeral: bool, pinned_forever: bool
) -> int:
    """Return after how many minutes away both sides drop a client; 0 means never.

    max_offline_minutes: 0 follows the site's `delete_days`. Of an ephemeral client's two
    limits the shorter one holds.
    """
    if pinned_forever:
        return 0
    minutes = max_offline_minutes or delete_days * 24 * 60
    return min(minutes, EPHEMERAL_OFFLINE_MINUTES) if ephemeral else minutes


def is_expired(last_seen: datetime, now: datetime, limit_minutes: int) -> bool:
    """Return whether a client that is away has passed its limit (0: it never does)."""
    return limit_minutes > 0 and now - last_seen > timedelta(minutes=limit_minutes)
