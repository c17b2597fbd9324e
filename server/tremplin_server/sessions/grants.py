"""What is granted inside a session: what was asked, less what the session policy keeps back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tremplin_agent.terms import Capability, FileCapability

from tremplin_server.clients.models import ClientCopy, JumpClient
from tremplin_server.db import Work
from tremplin_server.errors import Denied
from tremplin_server.groups import access
from tremplin_server.permissions import ActorKind
from tremplin_server.policies.models import SessionPolicy
from tremplin_server.policies.service import FIRST_SESSION_POLICY_ID


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session policy allows. idle_minutes: 0 for what the site has."""

    shell: bool = True
    execute: bool = True
    upload: bool = True
    download: bool = True
    forward: bool = True
    record: bool = True
    idle_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a session gets. capabilities: as the terms have them. idle_minutes: 0 for never."""

    capabilities: tuple[str, ...]
    record: bool
    idle_minutes: int
    policy_id: int | None = None


def granted(asked: Iterable[Capability], limits: Limits, site_idle_minutes: int) -> Grant:
    """Return what is left of `asked` within the limits; of two times the shorter. Pure."""
    kept: list[str] = []
    for capability in asked:
        if capability is Capability.SFTP:
            kept += _files(limits)
        elif {
            Capability.SHELL: limits.shell,
            Capability.EXEC: limits.execute,
            Capability.FORWARD: limits.forward,
        }[capability]:
            kept.append(capability.value)
    times = [minutes for minutes in (limits.idle_minutes, site_idle_minutes) if minutes]
    return Grant(tuple(kept), limits.record, min(times, default=0))


def of(
    work: Work, place: JumpClient | ClientCopy, host: JumpClient, asked: Iterable[Capability]
) -> Grant:
    """Return what a session gets with a Jump Client, or a copy of it.

    The policy is the one for attended sessions while somebody is signed in on the host; where
    there is none, that which group policies give the technician. Raises Denied
    (session.not_granted) when nothing of what was asked is left.
    """
    attended = bool(host.console_user)
    number = place.attended_session_policy_id if attended else place.unattended_session_policy_id
    return _within(work, number if number is not None else _of_technician(work), asked)


def of_guest(work: Work, asked: Iterable[Capability]) -> Grant:
    """Return what a session gets on a customer's computer, which is no Jump Item.

    The policy is that which group policies give the technician, else the one that the site
    started with. Raises Denied (session.not_granted) when nothing is left.
    """
    return _within(work, _of_technician(work) or FIRST_SESSION_POLICY_ID, asked)


def _of_technician(work: Work) -> int | None:
    if work.actor.kind is not ActorKind.USER:
        return None
    return access.session_policy_of(work, work.actor.id)


def _within(work: Work, number: int | None, asked: Iterable[Capability]) -> Grant:
    policy = work.session.get(SessionPolicy, number) if number is not None else None
    limits = limits_of(policy) if policy is not None else Limits()
    grant = granted(asked, limits, work.config.session_idle_minutes)
    if not grant.capabilities:
        raise Denied("session.not_granted", policy=policy.display_name if policy else "?")
    return Grant(grant.capabilities, grant.record, grant.idle_minutes, number)


def limits_of(policy: SessionPolicy) -> Limits:
    """Return the limits of a policy's row."""
    return Limits(
        shell=policy.allow_shell,
        execute=policy.allow_exec,
        upload=policy.allow_upload,
        download=policy.allow_download,
        forward=policy.allow_forward,
        record=policy.record,
        idle_minutes=policy.idle_minutes,
    )


def _files(limits: Limits) -> list[str]:
    if limits.upload and limits.download:
        return [Capability.SFTP.value]
    ways = (
        (FileCapability.DOWNLOAD, limits.download),
        (FileCapability.UPLOAD, limits.upload),
    )
    return [way.value for way, allowed in ways if allowed]
