"""What forms of other features need of policies."""

from __future__ import annotations

from tremplin_server.db import Work
from tremplin_server.i18n import gettext as _
from tremplin_server.policies import service


def jump_choices(work: Work) -> list[tuple[int, str]]:
    """Return id and label of every Jump Policy; 0 stands for none."""
    rows = work.session.scalars(service.jump_policies())
    return [(0, _("None")), *((row.id, row.display_name) for row in rows)]


def session_choices(work: Work) -> list[tuple[int, str]]:
    """Return id and label of every session policy; 0 stands for none."""
    rows = work.session.scalars(service.session_policies())
    return [(0, _("None")), *((row.id, row.display_name) for row in rows)]
