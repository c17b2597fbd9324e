"""A Jump Policy's row as the rules that are evaluated."""

from __future__ import annotations

from datetime import UTC

from tremplin_server.config import Config
from tremplin_server.policies.models import JumpPolicy, SimultaneousJumps
from tremplin_server.policies.rules import Rules
from tremplin_server.policies.schedule import Schedule, entry_of, zone_named


def rules_of(policy: JumpPolicy, config: Config) -> Rules:
    """Return the rules of a policy; config: says what `global` means."""
    simultaneous = policy.simultaneous_jumps
    if simultaneous == SimultaneousJumps.GLOBAL:
        simultaneous = SimultaneousJumps(config.simultaneous_jumps)
    return Rules(
        schedule=schedule_of(policy) if policy.schedule_enabled else None,
        strict=policy.schedule_strict,
        alone=simultaneous == SimultaneousJumps.DISALLOW,
        reason=policy.reason_required,
        ticket=policy.ticket_id_required,
        factor=policy.two_factor_challenge_required,
        factor_minutes=policy.two_factor_minutes,
        approval=policy.approval_required,
        max_minutes=policy.max_session_minutes,
    )


def schedule_of(policy: JumpPolicy) -> Schedule:
    """Return the schedule of a policy.

    It never opens where this machine does not know the time zone: what cannot be told must
    not let anybody in.
    """
    zone = zone_named(policy.timezone)
    if zone is None:
        return Schedule((), UTC)
    return Schedule(tuple(entry_of(entry) for entry in policy.schedule_entries), zone)
