"""Looking up the policies that installers and Jump Clients refer to."""

from __future__ import annotations

from sqlalchemy import Select, select

from tremplin_server.db import Work, same_text
from tremplin_server.errors import Invalid
from tremplin_server.policies.models import JumpPolicy, SessionPolicy

FIRST_SESSION_POLICY_ID = 2


def jump_policies(*, code_name: str | None = None) -> Select[JumpPolicy]:
    """Return all Jump Policies by id; they are no secret to anyone who is signed in."""
    query = select(JumpPolicy).order_by(JumpPolicy.id)
    return query if code_name is None else query.where(same_text(JumpPolicy.code_name, code_name))


def session_policies(*, code_name: str | None = None) -> Select[SessionPolicy]:
    """Return all session policies by id; they are no secret to anyone who is signed in."""
    query = select(SessionPolicy).order_by(SessionPolicy.id)
    if code_name is None:
        return query
    return query.where(same_text(SessionPolicy.code_name, code_name))


def jump_policy(work: Work, policy_id: int, *, field: str = "jump_policy_id") -> JumpPolicy:
    """Return a Jump Policy; Invalid, blaming `field`, when there is none with that id."""
    found = work.session.get(JumpPolicy, policy_id)
    if found is None:
        raise Invalid({field: ["There is no such Jump Policy."]})
    return found


def session_policy(work: Work, policy_id: int, *, field: str) -> SessionPolicy:
    """Return a session policy; Invalid, blaming `field`, when there is none with that id."""
    found = work.session.get(SessionPolicy, policy_id)
    if found is None:
        raise Invalid({field: ["There is no such session policy."]})
    return found


def jump_policy_by_code(work: Work, code: str, *, field: str = "jump_policy") -> JumpPolicy:
    """Return the Jump Policy with that code name; Invalid, blaming `field`, without one."""
    found = work.session.scalar(jump_policies(code_name=code).limit(1))
    if found is None:
        raise Invalid({field: ["There is no such Jump Policy."]})
    return found


def session_policy_by_code(
    work: Work, code: str, *, field: str = "session_policy"
) -> SessionPolicy:
    """Return the session policy with that code name; Invalid, blaming `field`, without one."""
    found = work.session.scalar(session_policies(code_name=code).limit(1))
    if found is None:
        raise Invalid({field: ["There is no such session policy."]})
    return found
