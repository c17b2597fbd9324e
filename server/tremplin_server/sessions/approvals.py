"""Requests to start a session that a Jump Policy wants approved: made, decided, used.

    pending ──approve──▶ approved (valid for a while)
       │ ├────deny─────▶ denied
       │ └──withdraw───▶ withdrawn
       └── its time is over: expired

A start that lacks nothing but the approval makes the request. Nobody decides his own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, or_, select

from tremplin_server.accounts.models import User
from tremplin_server.audit import service as audit
from tremplin_server.db import Work
from tremplin_server.errors import Conflict, Denied, NotFound
from tremplin_server.groups import service as groups
from tremplin_server.permissions import ActorKind, Permission
from tremplin_server.policies.models import JumpPolicy
from tremplin_server.sessions import approval_mail
from tremplin_server.sessions.approval_models import ApprovalState, JumpApproval

MAX_COMMENT = 1024


def approved_until(work: Work, policy_id: int, kind: str, item_id: int) -> datetime | None:
    """Return how long the actor may start sessions with an item on an approval's strength."""
    query = (
        select(JumpApproval.valid_until)
        .where(
            JumpApproval.jump_policy_id == policy_id,
            JumpApproval.item_kind == kind,
            JumpApproval.item_id == item_id,
            JumpApproval.state == ApprovalState.APPROVED,
            JumpApproval.valid_until > work.now(),
            or_(JumpApproval.for_anyone, _own(work)),
        )
        .order_by(JumpApproval.valid_until.desc())
        .limit(1)
    )
    return work.session.scalar(query)


def request(
    work: Work, policy: JumpPolicy, kind: str, item_id: int, name: str, reason: str, ticket_id: str
) -> JumpApproval:
    """Return the actor's request for an item; a new one unless one waits already.

    The approvers hear of a new one. It outlasts the error that ends the start: it is
    committed here.
    """
    waiting = select(JumpApproval).where(
        JumpApproval.jump_policy_id == policy.id,
        JumpApproval.item_kind == kind,
        JumpApproval.item_id == item_id,
        _own(work),
        _is_open(work),
    )
    found = work.session.scalars(waiting.limit(1)).first()
    if found is not None:
        return found
    made = JumpApproval(
        item_kind=kind,
        item_id=item_id,
        item_name=name,
        jump_policy_id=policy.id,
        policy_name=policy.display_name,
        requester_kind=work.actor.kind.value,
        requester_id=work.actor.id,
        requester=work.actor.name,
        reason=reason,
        ticket_id=ticket_id,
        state=ApprovalState.PENDING,
        created_at=work.now(),
        expires_at=work.now() + timedelta(minutes=policy.approval_request_minutes),
        for_anyone=policy.approval_for_anyone,
    )
    work.session.add(made)
    work.session.flush()
    _audit(work, made, "approval.requested", reason)
    approval_mail.requested(work, made, approvers(work, policy))
    work.notify("approval.changed", approval_id=made.id)
    work.commit()
    return made


def approve(work: Work, approval_id: int, comment: str = "") -> JumpApproval:
    """Approve a request: sessions may start for as long as the policy says.

    Raises NotFound, Denied (approval.own, auth.denied), Conflict (approval.decided,
    approval.expired).
    """
    return _decide(work, approval_id, ApprovalState.APPROVED, comment)


def deny(work: Work, approval_id: int, comment: str = "") -> JumpApproval:
    """Deny a request; raises what `approve` raises."""
    return _decide(work, approval_id, ApprovalState.DENIED, comment)


def withdraw(work: Work, approval_id: int) -> JumpApproval:
    """Take one's own request back; raises NotFound, Denied and Conflict."""
    found = get(work, approval_id)
    if not is_own(work, found):
        raise Denied("auth.denied", permission="approval.withdraw")
    return _settle(work, found, ApprovalState.WITHDRAWN, "")


def get(work: Work, approval_id: int) -> JumpApproval:
    """Return a request that the actor sees; NotFound otherwise."""
    found = work.session.scalar(query(work).where(JumpApproval.id == approval_id))
    if found is None:
        raise NotFound("request.not_found", what="approval", id=approval_id)
    return found


def query(work: Work, *, state: str | None = None) -> Select[JumpApproval]:
    """Return the requests that the actor sees, newest first: his own and those he may decide.

    Auditors see all. state: of ApprovalState, or `expired`.
    """
    work.actor.require(Permission.SESSIONS_READ)
    found = select(JumpApproval).order_by(JumpApproval.id.desc())
    if not (work.actor.may(Permission.AUDIT_READ) or work.actor.kind is not ActorKind.USER):
        mine = JumpApproval.jump_policy_id.in_(deciding(work))
        found = found.where(or_(_own(work), mine))
    if state == "expired":
        return found.where(
            JumpApproval.state == ApprovalState.PENDING, JumpApproval.expires_at <= work.now()
        )
    if state == ApprovalState.PENDING:
        return found.where(_is_open(work))
    return found if state is None else found.where(JumpApproval.state == state)


def waiting(work: Work) -> Select[JumpApproval]:
    """Return the requests that wait for the actor's decision, the oldest first."""
    return (
        select(JumpApproval)
        .where(_is_open(work), JumpApproval.jump_policy_id.in_(deciding(work)), ~_own(work))
        .order_by(JumpApproval.id)
    )


def deciding(work: Work) -> list[int]:
    """Return the ids of the policies whose requests the actor may decide.

    A program with groups.write, which could change the policy as well, decides all.
    """
    policies = work.session.scalars(select(JumpPolicy).where(JumpPolicy.approval_required)).all()
    if work.actor.kind is not ActorKind.USER:
        return [p.id for p in policies] if work.actor.may(Permission.GROUPS_WRITE) else []
    user = work.session.get(User, work.actor.id)
    if user is None:
        return []
    own = set(groups.memberships(work, user.id))
    return [policy.id for policy in policies if _is_approver(policy, user, own)]


def approvers(work: Work, policy: JumpPolicy) -> list[User]:
    """Return the people who may decide requests of a policy, the actor excepted."""
    people = work.session.scalars(select(User).where(User.enabled).order_by(User.id)).all()
    members = {
        user_id
        for group_id in policy.approver_group_ids
        for user_id in groups.member_ids(work, group_id)
    }
    own = work.actor.id if work.actor.kind is ActorKind.USER else 0
    return [
        user
        for user in people
        if user.id != own
        and (
            user.id in policy.approver_user_ids
            or user.role in policy.approver_roles
            or user.id in members
        )
    ]


def is_own(work: Work, approval: JumpApproval) -> bool:
    """Return whether the actor made this request."""
    return (
        approval.requester_kind == work.actor.kind.value and approval.requester_id == work.actor.id
    )


def in_use(work: Work) -> bool:
    """Return whether some policy of the site wants approvals."""
    wants = select(JumpPolicy.id).where(JumpPolicy.approval_required).limit(1)
    return work.session.scalar(wants) is not None


def state_of(approval: JumpApproval, now: datetime) -> str:
    """Return the state as people see it: with `expired` and, for an approval, `over`."""
    if approval.state == ApprovalState.PENDING and approval.expires_at <= now:
        return "expired"
    if approval.state == ApprovalState.APPROVED and (approval.valid_until or now) <= now:
        return "over"
    return str(approval.state)


def _is_approver(policy: JumpPolicy, user: User, own: set[int]) -> bool:
    return (
        user.id in policy.approver_user_ids
        or user.role in policy.approver_roles
        or bool(own & set(policy.approver_group_ids))
    )


def _decide(work: Work, approval_id: int, state: ApprovalState, comment: str) -> JumpApproval:
    found = get(work, approval_id)
    if is_own(work, found):
        raise Denied("approval.own")
    if found.jump_policy_id not in deciding(work):
        raise Denied("auth.denied", permission="approval.decide")
    return _settle(work, found, state, comment)


def _settle(work: Work, approval: JumpApproval, state: ApprovalState, comment: str) -> JumpApproval:
    work.session.refresh(approval, with_for_update=True)
    if approval.state != ApprovalState.PENDING:
        raise Conflict("approval.decided", name=approval.decided_by or approval.requester)
    if approval.expires_at <= work.now():
        raise Conflict("approval.expired")
    policy = work.session.get(JumpPolicy, approval.jump_policy_id)
    approval.state = state
    approval.decided_by = work.actor.name
    approval.decided_at = work.now()
    approval.comment = comment.strip()[:MAX_COMMENT]
    if state is ApprovalState.APPROVED and policy is not None:
        approval.valid_until = work.now() + timedelta(minutes=policy.approval_minutes)
    work.session.flush()
    _audit(work, approval, f"approval.{state.value}", approval.comment)
    if state is not ApprovalState.WITHDRAWN:
        requester = approval.requester_kind == ActorKind.USER.value
        user = work.session.get(User, approval.requester_id) if requester else None
        approval_mail.decided(work, approval, user)
    work.notify("approval.changed", approval_id=approval.id)
    return approval


def _own(work: Work) -> ColumnElement[bool]:
    return and_(
        JumpApproval.requester_kind == work.actor.kind.value,
        JumpApproval.requester_id == work.actor.id,
    )


def _is_open(work: Work) -> ColumnElement[bool]:
    return and_(JumpApproval.state == ApprovalState.PENDING, JumpApproval.expires_at > work.now())


def _audit(work: Work, approval: JumpApproval, action: str, reason: str) -> None:
    audit.record(
        work,
        action,
        approval.item_kind,
        approval.item_id,
        approval.item_name,
        reason=reason,
        approval_id=approval.id,
        requester=approval.requester,
        ticket_id=approval.ticket_id,
        policy=approval.policy_name,
    )
