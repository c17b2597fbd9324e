"""Whom the form of a Jump Policy offers as approvers: people, roles, Jump Groups."""

from __future__ import annotations

from sqlalchemy import select

from tremplin_server.accounts.models import User
from tremplin_server.console import words
from tremplin_server.db import Work
from tremplin_server.groups.models import JumpGroup
from tremplin_server.permissions import Role
from tremplin_server.policies.admin_pages import Offered


def offered(work: Work) -> Offered:
    """Return id or name and label of everybody who may be named."""
    users = select(User.id, User.username).where(User.enabled).order_by(User.username)
    groups = select(JumpGroup.id, JumpGroup.name).order_by(JumpGroup.name)
    return Offered(
        [(number, name) for number, name in work.session.execute(users)],
        [(role.value, words.role(role.value)) for role in Role],
        [(number, name) for number, name in work.session.execute(groups)],
    )
