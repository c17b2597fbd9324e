"""Which running sessions must not go on: what a worker looks up now and then."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from tremplin_server.clients.lifecycle import State
from tremplin_server.clients.models import JumpClient
from tremplin_server.db import Work
from tremplin_server.sessions import listing, policy_gate
from tremplin_server.sessions.models import JumpSession, SessionState

FORBIDDING = {
    State.DISABLED.value: "session.disabled",
    State.REMOVING.value: "session.removed",
    State.UNINSTALLED.value: "session.removed",
}
"""Why a session ends when its Jump Client comes into one of these states."""


def doomed(work: Work, session_ids: Iterable[str]) -> dict[str, str]:
    """Return which of these sessions must not go on, with the code that says why.

    They were ended, their technician was disabled or deleted, the hours of their Jump Policy
    are over, or their Jump Client was disabled or removed: for a worker to look now and then,
    because a notice can be lost.
    """
    wanted = list(session_ids)
    over = policy_gate.out_of_hours(work, wanted)
    over |= dict.fromkeys(work.session.scalars(listing.of_disabled(wanted)), "session.revoked")
    found = select(
        JumpSession.id,
        JumpSession.state,
        JumpSession.end_code,
        JumpSession.guest_id,
        JumpClient.state,
    ).outerjoin(JumpClient, JumpClient.id == JumpSession.client_id)
    for session_id, state, code, guest, client in work.session.execute(
        found.where(JumpSession.id.in_(wanted))
    ):
        if state == SessionState.ENDED:
            over[session_id] = code
        elif guest is None and (client is None or client in FORBIDDING):
            over[session_id] = FORBIDDING.get(client, "session.removed")
    return over
